"""Run a component's tests inside an image: started by the image's own Python.

Standard library only until pytest is found. The harness's packages come last on the path, so
that a component is tested with what its image holds and nothing newer.
"""

import os
import sys

REPO = "/eggcrate/repo"
HARNESS_BROKEN = 86
"""Exit code when pytest cannot start in this image: not the component's fault."""


class _Scratch:
    """Tests run in the scratch folder; pytest starts elsewhere, to tell their names in short."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def pytest_sessionstart(self) -> None:
        """Move there before anything is collected."""
        os.chdir(self.folder)


def main() -> int:
    """Run pytest on the folder given; extra arguments are pytest's."""
    tests, *arguments = sys.argv[1:]
    sys.path[:] = [path for path in sys.path if path != "/eggcrate/harness"]
    sys.path.append("/eggcrate/harness")
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
    scratch = _Scratch(os.getcwd())  # noqa: PTH109 - as it is, without pathlib
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
            plugins=[scratch],
        )
    )
    tell(lines)
    return code


if __name__ == "__main__":
    sys.exit(main())
