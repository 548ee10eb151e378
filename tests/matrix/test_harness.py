"""The harness: what is mounted beside images."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from eggcrate.errors import UnsupportedPackageError
from eggcrate.matrix.harness.mounted import run_cell
from eggcrate.matrix.harness.mounted.run_cell import ENDED_EARLY, FINISHED, NONE_PASSED
from eggcrate.matrix.harness_install import _pure, harness_distributions, install_harness
from eggcrate.packages.poetry_lock import LockedFile, LockedPackage
from eggcrate.packages.target import Platform, Target
from support.wheels import make_wheel

TARGETS = [
    Target(python=python, platform=Platform.parse(platform), glibc=(2, 36))
    for python in ("3.9.2", "3.11.2", "3.13.5")
    for platform in ("linux/amd64", "linux/arm64")
]


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_the_harness_is_locked_and_pure(target: Target) -> None:
    """Pytest and what it needs, for every Python and processor, without a compiled file."""
    wheels = harness_distributions(target)
    assert "pytest" in {wheel.name for wheel in wheels}
    assert all(wheel.filename.endswith("-none-any.whl") and wheel.sha256 for wheel in wheels)


def test_a_compiled_package_is_refused() -> None:
    """One folder serves images of every processor."""
    file = LockedFile(name="fast-1-cp311-cp311-linux_x86_64.whl", sha256="0" * 64)
    package = LockedPackage(
        name="fast",
        version="1",
        files=(file,),
        dependencies=(),
        groups=None,
        markers=(),
        source=None,
    )
    with pytest.raises(UnsupportedPackageError, match="fast 1, which has no pure-Python wheel"):
        _pure(package)


def test_the_harness_is_made_once(tmp_path: Path) -> None:
    """The second call fetches nothing; other Pythons' bytecode would be another folder."""
    wheel = make_wheel(tmp_path / "links", "anything")
    asked: list[int] = []

    def fetch(wheels):
        asked.append(len(wheels))
        return dict.fromkeys(wheels, wheel)

    first = install_harness(TARGETS[2], cache=tmp_path / "cache", fetch=fetch)
    again = install_harness(TARGETS[2], cache=tmp_path / "cache", fetch=fetch)
    assert first == again
    assert len(asked) == 1
    assert {"anything.py", "run_cell.py", "eggcrate_cell.py"} <= {
        path.name for path in first.iterdir()
    }
    assert {path.stat().st_mode & 0o777 for path in first.iterdir()} == {0o644, 0o755}


def test_a_harness_without_pytest_says_so(tmp_path: Path) -> None:
    """Exit code 86 and a sentence: the harness is at fault, not the component."""
    script = Path(install_harness.__code__.co_filename).parent / "harness/mounted/run_cell.py"
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(script), str(tmp_path)],
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 86
    assert "the test harness cannot start in this image" in done.stderr


CELL = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import run_cell
run_cell.REPO = sys.argv.pop(1)
sys.exit(run_cell.main())
"""


@pytest.mark.parametrize(
    ("test", "code"),
    [
        ("def test_it(): pass", 0),
        ("import pytest\ndef test_it(): pass\n@pytest.mark.xfail\ndef test_x(): assert 0", 0),
        ("import pytest\n@pytest.mark.xfail\ndef test_it(): assert 0", NONE_PASSED),
        ("import pytest\ndef test_it(): pytest.skip('no')", NONE_PASSED),
        ("import pytest\ndef test_it(): pytest.exit('no', returncode=0)", ENDED_EARLY),
        (
            "import pytest\ndef test_a(): pass\ndef test_b(): pytest.exit('no', returncode=0)",
            ENDED_EARLY,
        ),
        ("import os\ndef test_a(): pass\ndef test_b(): os._exit(0)", 0),
        ("import os\nif os.fork() == 0: os.write(1, b'x'); os._exit(0)\nX = 1", 5),
    ],
)
def test_only_tests_that_passed_to_the_end_are_told(tmp_path: Path, test: str, code: int) -> None:
    """The line that makes a pass is written when a test passed and none was left out."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(test)
    mounted = Path(run_cell.__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", CELL, str(mounted), str(tmp_path), str(tmp_path / "tests")],
        capture_output=True,
        check=False,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout.endswith(f"\n{FINISHED}\n") == (code == 0 and "os._exit" not in test)
