"""What the ending of a cell's program means, with the reason in a sentence."""

from __future__ import annotations

import re
import shlex
import signal
from typing import TYPE_CHECKING

from eggcrate.matrix.cells import Outcome
from eggcrate.matrix.harness.mounted.run_cell import (
    ENDED_EARLY,
    FINISHED,
    HARNESS_BROKEN,
    NONE_PASSED,
)
from eggcrate.runtimes.protocol import Ending

if TYPE_CHECKING:
    from eggcrate.runtimes.protocol import Result

# https://docs.pytest.org/en/stable/reference/exit-codes.html
_USAGE, _NO_TESTS = 4, 5
_SUMMARY = re.compile(r"^=+ short test summary info =+$", re.MULTILINE)
_ERROR = re.compile(r"^E\s+(\w[\w.]*(?:Error|Exception|Warning|Exit)\b.*)$", re.MULTILINE)
_LOADING = re.compile(r"^ImportError while loading conftest '.*?([^/']+/[^/']+)'", re.MULTILINE)


def judge(result: Result, *, arguments: tuple[str, ...] = ()) -> tuple[Outcome, str]:
    """The outcome that a program's ending means, with the reason.

    Args:
        result: from the runtime; with the line in its output that the harness ends with.
        arguments: what was passed on to pytest: they may leave no test.
    """
    match result.ending:
        case Ending.TIMED_OUT:
            return Outcome.TIMED_OUT, result.reason
        case Ending.OUT_OF_MEMORY:
            return Outcome.KILLED, result.reason
        case Ending.BROKEN:
            return Outcome.BROKEN, result.reason
        case Ending.SIGNALLED:
            return Outcome.FAILED, result.reason or _signal(result.signal)
        case Ending.EXITED:
            return _judge_exit(result, arguments)


def _judge_exit(result: Result, arguments: tuple[str, ...]) -> tuple[Outcome, str]:
    match result.exit_code:
        case 0 if FINISHED in result.output:
            return Outcome.PASSED, ""
        case code if code == HARNESS_BROKEN:
            return Outcome.BROKEN, "the test harness cannot start in this image"
    return Outcome.FAILED, _why(result, shlex.join(arguments))


def _why(result: Result, given: str) -> str:
    match result.exit_code:
        case code if code in {0, ENDED_EARLY}:
            return "its program ended before its tests did"
        case code if code == NONE_PASSED:
            why = "none of its tests passed: each was skipped, or failed as expected"
            return f"{why} (with {given})" if given else why
        case code if code == _NO_TESTS:
            return f"no test is left by {given}" if given else "its tests folder holds no test"
        case code if code == _USAGE:
            return _usage(result.output)
    told = _summary(result.output)
    reason = told[0] if told else f"its tests ended with exit code {result.exit_code}"
    return reason + (f" (and {len(told) - 1} more)" if len(told) > 1 else "")


def _summary(output: str) -> list[str]:
    """The failures that pytest's own summary names; what tests print is not asked."""
    headers = list(_SUMMARY.finditer(output))
    tail = output[headers[-1].end() :] if headers else ""
    found = []
    for line in tail.splitlines():
        word, _, rest = line.partition(" ")
        if word in {"FAILED", "ERROR"}:
            found.append(re.sub(r"^components/\w+/(tests/)?", "", rest))
    if found and " - " not in found[0]:  # pytest leaves out why a module cannot be imported
        found[0] += f" - {_error(output)}"
    return found


def _error(output: str) -> str:
    found = _ERROR.search(output)
    return found[1] if found else "see its log"


def _usage(output: str) -> str:
    if found := _LOADING.search(output):
        return f"{found[1]} cannot be imported: {_error(output)}"
    told = [
        line for line in output.splitlines() if line.startswith("ERROR: ") or ": error: " in line
    ]
    return told[0].removeprefix("ERROR: ") if told else "pytest could not start its tests"


def _signal(number: int | None) -> str:
    return f"crashed with {signal.Signals(number or 0).name if number else 'a signal'}"
