"""``make setup`` makes a locked, verified ``.venv``, repairs one, and else does nothing."""

from __future__ import annotations

import ast
import os
import re
import runpy
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from support.package_index import Served, package_index
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "bootstrap.py"


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """A small checkout, its lock on an index of its own."""

    path: Path
    env: dict[str, str]

    def start(
        self, *arguments: str, python: str = sys.executable, **env: str
    ) -> subprocess.Popen[str]:
        """Begin a set-up."""
        return subprocess.Popen(
            [python, str(self.path / "scripts" / "bootstrap.py"), *arguments],
            env=self.env | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def setup(self, *arguments: str, **env: str) -> tuple[int, str]:
        """Run a set-up to its end; its exit code and what it said."""
        process = self.start(*arguments, **env)
        output, _ = process.communicate()
        return process.returncode, output

    def run(self, *command: str) -> str:
        """What a program of ``.venv/bin`` prints."""
        argv = [str(self.path / ".venv" / "bin" / command[0]), *command[1:]]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def lock_text(*files: Served, markers: str = "") -> str:
    """A ``poetry.lock`` of these wheels."""
    return "".join(
        f'[[package]]\nname = "{served.filename.split("-")[0]}"\n'
        f'version = "{served.filename.split("-")[1]}"\noptional = false\n'
        f'groups = ["main"]\n{markers}'
        f'files = [{{file = "{served.filename}", hash = "sha256:{served.sha256}"}}]\n'
        for served in files
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    path = tmp_path / "a checkout"
    (path / "scripts").mkdir(parents=True)
    shutil.copy(SCRIPT, path / "scripts")
    package = path / "ci" / "eggcrate" / "cli"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").write_text("def main():\n    print('it runs')\n    return 0\n")
    (package.parent / "__main__.py").write_text("from eggcrate.cli import main\n")
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "ensurepip.py").write_text("raise ImportError\n")
    with package_index() as index:
        served, more = (index.add(make_wheel(tmp_path, name)) for name in ("alpha", "beta"))
        extra = "markers = 'extra == \"vertex\"'\n"
        (path / "poetry.lock").write_text(lock_text(served) + lock_text(more, markers=extra))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        env = kept | {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": index.url}
        # ensurepip takes five seconds, and where it is missing the outer pip does the same.
        yield Checkout(path=path, env=env | {"PYTHONPATH": str(tmp_path / "hidden")})


def test_from_nothing_then_nothing_to_do(checkout: Checkout) -> None:
    """The packages, pip and the command are there; a second run says and changes nothing."""
    code, output = checkout.setup(PYTHONPATH="")
    assert code == 0, output
    assert "set up .venv in" in output
    assert checkout.run("python", "-c", "import alpha; print(alpha.__version__)") == "1.0\n"
    assert checkout.run("eggcrate") == "it runs\n"
    assert (checkout.path / ".venv" / "bin" / "pip").exists()
    before = (checkout.path / ".venv").stat().st_mtime_ns
    assert checkout.setup() == (0, "")
    assert (checkout.path / ".venv").stat().st_mtime_ns == before


def test_a_lean_one_is_added_to_and_a_whole_one_serves_as_both(checkout: Checkout) -> None:
    """``--all`` adds what is missing; a lean set-up afterwards has nothing to do."""
    assert checkout.setup()[0] == 0
    site = next((checkout.path / ".venv" / "lib").glob("python3.*")) / "site-packages"
    assert not list(site.glob("beta*"))
    kept = checkout.path / ".venv" / "kept"
    kept.touch()
    code, output = checkout.setup("--all")
    assert code == 0, output
    assert "adding vertex, cloud to .venv" in output
    assert checkout.run("python", "-c", "import alpha, beta; print(beta.__version__)") == "1.0\n"
    assert kept.exists()
    assert checkout.setup("--all") == (0, "")
    assert checkout.setup() == (0, "")
    assert list(site.glob("beta*"))


def test_killed_while_it_was_added_to(checkout: Checkout) -> None:
    """What is half added to is not trusted, and made anew."""
    assert checkout.setup()[0] == 0
    process = checkout.start("--all")
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    code, output = checkout.setup("--all")
    assert code == 0, output
    assert "setting up .venv" in output
    assert checkout.run("python", "-c", "import alpha, beta; print(beta.__version__)") == "1.0\n"


def test_another_argument_is_a_mistake(checkout: Checkout) -> None:
    """It is not taken for a whole set-up, nor for a lean one."""
    code, output = checkout.setup("--al")
    assert (code, "unknown: --al" in output) == (2, True)
    assert not (checkout.path / ".venv").exists()


def test_repairs(checkout: Checkout) -> None:
    """A half-made ``.venv`` is made again, and nothing of it is left."""
    venv = checkout.path / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").write_text("half a file")
    (venv / "left-over").touch()
    assert checkout.setup()[0] == 0
    assert checkout.run("eggcrate") == "it runs\n"
    assert not (venv / "left-over").exists()


def test_when_it_is_ready(checkout: Checkout) -> None:
    """Only the same lock, place and interpreter that still exists need no work."""
    ours = runpy.run_path(str(checkout.path / "scripts" / "bootstrap.py"), run_name="bootstrap")
    stamp, whole = ours["expected_stamp"](), ours["expected_stamp"](ours["EXTRAS"] + ours["MORE"])
    assert stamp != whole
    python = checkout.path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    assert not ours["is_ready"](stamp)
    ours["STAMP"].write_text(stamp)
    assert ours["is_ready"](stamp)
    assert ours["is_ready"](whole, stamp)
    assert not ours["is_ready"](whole)
    python.unlink()
    python.symlink_to("/nonexistent/python3")
    assert not ours["is_ready"](stamp)
    lock = checkout.path / "poetry.lock"
    lock.write_text(lock.read_text() + "# changed\n")
    assert ours["expected_stamp"]() != stamp


def test_wrong_hash_is_refused(checkout: Checkout) -> None:
    """A file that is not the locked one is not installed, and ``.venv`` is not trusted."""
    lock = checkout.path / "poetry.lock"
    lock.write_text(re.sub("sha256:[0-9a-f]{64}", "sha256:" + "0" * 64, lock.read_text()))
    code, output = checkout.setup()
    assert code == 1
    assert "could not be installed" in output
    assert "Traceback" not in output
    assert not list((checkout.path / ".venv").rglob("alpha*"))
    assert not (checkout.path / ".venv" / "eggcrate-setup.stamp").exists()


def test_killed_then_repaired(checkout: Checkout) -> None:
    """A set-up killed in the middle is made again by the next one."""
    process = checkout.start()
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    assert not (checkout.path / ".venv" / "eggcrate-setup.stamp").exists()
    assert checkout.setup()[0] == 0
    assert checkout.run("eggcrate") == "it runs\n"


def test_two_at_once(checkout: Checkout) -> None:
    """Of two set-ups one works and the other waits for it."""
    both = [checkout.start(), checkout.start()]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert sum("set up .venv in" in output for output in outputs) == 1


def test_without_ensurepip(checkout: Checkout, tmp_path: Path) -> None:
    """Without ensurepip the outer pip is used; without that too, the package is named."""
    code, output = checkout.setup()
    assert code == 0, output
    assert checkout.run("eggcrate") == "it runs\n"
    assert not (checkout.path / ".venv" / "bin" / "pip").exists()

    (tmp_path / "hidden" / "pip.py").write_text("raise ImportError\n")
    (checkout.path / ".venv" / "eggcrate-setup.stamp").unlink()
    code, output = checkout.setup()
    assert code == 1
    assert "apt-get install python3-venv" in output


def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT), run_name="bootstrap")


def test_extras_are_decided() -> None:
    """Extras that are wanted become true and others false, so that pip can judge the rest."""
    marker = 'extra == "lock" and sys_platform == "linux" or extra == "other"'
    assert script()["with_extras"](marker) == (
        'python_version > "3" and sys_platform == "linux" or python_version < "3"'
    )


def test_groups_are_joined() -> None:
    """A package is wanted when one of its groups wants it; a group without marker always does."""
    combined = script()["combined_marker"]
    markers = {"main": 'os_name == "nt"', "dev": 'os_name == "java"'}
    assert combined(markers, ["main", "dev"]) == '(os_name == "nt") or (os_name == "java")'
    assert combined(markers, ["main"]) == '(os_name == "nt")'
    assert combined({"main": 'os_name == "nt"'}, ["main", "dev"]) == ""
    assert combined("", ["main"]) == ""


def test_unwanted_groups_are_left_out() -> None:
    """Only the groups of the tool's own set-up are installed."""
    text = lock_text(Served(filename="a-1-x.whl", content=b"", sha256="0" * 64, metadata=None))
    lines = list(script()["requirements"](text + text.replace('"main"', '"docs"')))
    assert lines == [f"a==1 --hash=sha256:{'0' * 64}"]


def test_parses_on_old_pythons() -> None:
    """An old Python gets a sentence, not a syntax error."""
    ast.parse(SCRIPT.read_text(), feature_version=(3, 8))


@pytest.mark.network
def test_the_real_lock(checkout: Checkout) -> None:
    """The tool's own lock installs from pip's configured index, and its packages import.

    Where these tests run in a ``.venv`` that was made from this very lock, that is the proof.
    """
    made = ROOT / ".venv"
    ours, told = script(), made / "eggcrate-setup.stamp"
    stamps = {ours["expected_stamp"](), ours["expected_stamp"](ours["EXTRAS"] + ours["MORE"])}
    if not told.exists() or told.read_text() not in stamps:
        made = checkout.path / ".venv"
        shutil.copy(ROOT / "poetry.lock", checkout.path)
        process = subprocess.run(
            [sys.executable, str(checkout.path / "scripts" / "bootstrap.py")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stderr
    python = made / "bin" / "python"
    program = "import httpx2, installer, poetry, pytest, unearth"
    subprocess.run([python, "-c", program], check=True)
    subprocess.run([python, "-m", "pip", "check"], check=True, capture_output=True)
