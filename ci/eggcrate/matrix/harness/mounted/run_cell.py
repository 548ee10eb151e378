"""Run a component's tests inside an image: started by the image's own Python.

Standard library only until pytest is found. The harness's packages come last on the path, so
that a component is tested with what its image holds and nothing newer.
"""

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    import pytest

REPO = "/eggcrate/repo"
"""Where cells see the repository."""
HARNESS = "/eggcrate/harness"
"""Where they see the folder that this file is in; in a pipeline's task both are elsewhere, side by
side all the same."""
HARNESS_BROKEN = 86
"""Exit code when pytest cannot start in this image: not the component's fault."""
ENDED_EARLY = 87
"""Exit code when pytest ended well and before all its tests had run, as ``pytest.exit`` can."""
NONE_PASSED = 88
"""Exit code when tests ran and none passed: all were skipped, or failed as they were said to."""
FINISHED = "\x1eeggcrate-finished"
"""A line of its own: written after pytest came to its end and tests passed. An exit code of 0
alone may be that of ``os._exit``, called by what is tested."""


class _Watch:
    """Sees what pytest does, and moves it to the scratch folder, in which tests run.

    It starts elsewhere, to tell their names in short.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.process = os.getpid()
        self.passed = 0
        self.finished = False

    def pytest_sessionstart(self) -> None:
        """Move there before anything is collected."""
        os.chdir(self.folder)

    def pytest_runtest_logreport(self, report: "pytest.TestReport") -> None:
        """Count tests that passed; one that failed as expected proves nothing."""
        if report.when == "call" and report.passed:
            self.passed += 1

    def pytest_runtestloop(self) -> "Generator[None, object, object]":
        """Notice that the loop over all tests came to its end, with none left out."""
        result = yield
        self.finished = True
        return result

    def judged(self, code: int) -> int:
        """The exit code that pytest's own stands for."""
        if code == 0 and not self.finished:
            return ENDED_EARLY
        return NONE_PASSED if code == 0 and not self.passed else code

    def tell(self) -> None:
        """Write the line that nothing else writes, unless a person reads the output."""
        if os.getpid() != self.process or os.isatty(1):  # a fork is no end
            return
        try:
            os.write(1, f"\n{FINISHED}\n".encode())
        except OSError as error:
            print(f"the test harness cannot write: {error}", file=sys.stderr)


def main() -> int:
    """Run pytest on the folder given; extra arguments are pytest's."""
    tests, *arguments = sys.argv[1:]
    sys.path[:] = [path for path in sys.path if path != HARNESS]
    sys.path.append(HARNESS)
    os.environ["_KFP_RUNTIME"] = "true"  # kfp's types, as where components run; no compiler
    try:
        import pytest  # noqa: PLC0415 - only now is it on the path
        from eggcrate_evidence import (  # type: ignore[import-not-found]  # noqa: PLC0415 - the same
            Lines,
            tell,
        )
    except Exception as error:
        print(f"the test harness cannot start in this image: {error!r}", file=sys.stderr)
        return HARNESS_BROKEN
    pytest.hookimpl(wrapper=True, tryfirst=True)(_Watch.pytest_runtestloop)
    watch = _Watch(os.getcwd())  # noqa: PTH109 - as it is, without pathlib
    os.chdir(REPO)
    lines = Lines(REPO)
    lines.start()
    code = int(
        pytest.main(
            [
                tests,
                f"--rootdir={REPO}",
                "--import-mode=importlib",
                "--strict-markers",
                "-c/dev/null",
                "-ra",
                "-pno:cacheprovider",
                "-peggcrate_cell",
                *arguments,
            ],
            plugins=[watch],
        )
    )
    tell(lines)
    code = watch.judged(code)
    if code == 0:
        watch.tell()
    return code


if __name__ == "__main__":
    HARNESS = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - without pathlib
    REPO = os.path.join(os.path.dirname(HARNESS), "repo")  # noqa: PTH118, PTH120 - the same
    sys.exit(main())
