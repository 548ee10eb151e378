"""What the ending of a cell's program means."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eggcrate.matrix.cells import Outcome
from eggcrate.matrix.judge import judge
from eggcrate.matrix.proofs import Program, carry_out
from eggcrate.runtimes.protocol import Command, Ending, Limits, Result
from support.rig import PASSED, FakeRuntime

SUMMARY = "=========== short test summary info ===========\n"


@pytest.mark.parametrize(
    ("code", "output", "reason"),
    [
        (1, "FAILED printed by a test\n", "its tests ended with exit code 1"),
        (
            1,
            (
                f"FAILED printed\n{SUMMARY}FAILED components/x/tests/test_x.py::test_a - Bad\n"
                "FAILED components/x/tests/test_x.py::test_b - Bad\n"
            ),
            "test_x.py::test_a - Bad (and 1 more)",
        ),
        (
            2,
            f"E   SyntaxError: invalid syntax\n{SUMMARY}ERROR components/x/tests/test_x.py\n",
            "test_x.py - SyntaxError: invalid syntax",
        ),
        (4, "ERROR: usage: x\n", "usage: x"),
        (4, "", "pytest could not start its tests"),
        (
            4,
            (
                "ImportError while loading conftest '/eggcrate/repo/components/conftest.py'.\n"
                "E   ModuleNotFoundError: No module named 'x'\n"
            ),
            "components/conftest.py cannot be imported: ModuleNotFoundError: No module named 'x'",
        ),
        (5, "", "its tests folder holds no test"),
        (3, "INTERNALERROR> ...", "its tests ended with exit code 3"),
    ],
)
def test_the_reason_is_what_pytest_says_last(code: int, output: str, reason: str) -> None:
    """Pytest's exit codes and summary, never what a test has printed, make the reason."""
    result = Result(ending=Ending.EXITED, exit_code=code, output=output)
    assert judge(result) == (Outcome.FAILED, reason)


def test_an_exit_code_of_0_is_no_pass_by_itself() -> None:
    """Code under test may call ``os._exit(0)``: the harness's last line is what makes a pass."""
    result = Result(ending=Ending.EXITED, exit_code=0, output="collected 2 items\n")
    assert judge(result) == (Outcome.FAILED, "its program ended before its tests did")
    assert judge(replace(result, output=PASSED)) == (Outcome.PASSED, "")


def test_what_cannot_be_judged_is_broken_and_ends_nothing_else() -> None:
    """A defect of Eggcrate's own is one cell's, with its traceback in the log."""

    def odd(_: Result) -> tuple[Outcome, str]:
        raise ZeroDivisionError("odd")

    limits = Limits(memory=1 << 20, seconds=60)
    env = {"EGGCRATE_ENVIRONMENT": "one"}
    command = Command(argv=("python", "x", "a/odd/tests"), limits=limits, env=env)
    program = Program(name="odd", command=command, judge=odd)
    runtime = FakeRuntime()
    proof = carry_out(program, runtime.prepare("sha256:1"), runtime)
    assert proof.outcome is Outcome.BROKEN
    assert proof.reason == "Eggcrate could not judge it: ZeroDivisionError: odd"
    assert 'raise ZeroDivisionError("odd")' in proof.output


def test_a_harness_that_cannot_start_is_not_the_components_fault() -> None:
    """Its exit code is a word of its own: broken."""
    result = Result(ending=Ending.EXITED, exit_code=86, output="")
    assert judge(result)[0] is Outcome.BROKEN
