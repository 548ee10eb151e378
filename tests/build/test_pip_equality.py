"""What we lay out is, file for file, what pip installs."""

from __future__ import annotations

import csv
import os
import re
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.utils import parse_wheel_filename

from eggcrate.build.units import blob_path
from eggcrate.build.venv import venv_unit
from eggcrate.build.wheel_layout import Scheme
from eggcrate.build.wheel_unit import wheel_units
from eggcrate.files import sha256_file
from eggcrate.packages.distribution import Distribution
from support.pip_command import pip_command
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
VERSION = ".".join(str(part) for part in sys.version_info[:3])
SCHEME = Scheme(prefix="opt/env", minor=MINOR)
PYTHON = str(Path(sys.base_prefix, "bin", f"python{MINOR}"))
_OURS = re.compile(r"lib/python[^/]+/site-packages/[^/]+\.dist-info/(RECORD|INSTALLER|REQUESTED)")
"""What an installer writes itself; wheels that vendor others hold more files of these names."""
_ENTRY = re.compile(rb"from (\S+) import (\S+)\n[^\n]*__main__[\s\S]*sys\.exit\(([\w.]+)\(\)\)")

AWKWARD = [
    "google-cloud-storage", "google-api-core", "google-cloud-bigquery",  # namespace packages
    "cmake", "ninja",  # .data schemes, executables, many files
    "jupyter-core",  # .data/scripts and .data/data
    "black", "httpie",  # console scripts
    "ruff",  # nothing but an executable
    "greenlet",  # headers
    "numpy", "scikit-learn", "setuptools", "pip", "six",
]  # fmt: skip


def _ours(wheels: Iterable[Path], tmp_path: Path) -> Path:
    distributions = {}
    for wheel in wheels:
        name, version, _, _ = parse_wheel_filename(wheel.name)
        item = Distribution(
            name=name, version=str(version), filename=wheel.name, sha256=sha256_file(wheel)
        )
        distributions[item] = wheel
    cache = tmp_path / "cache"
    records = wheel_units(distributions, lambda _: distributions, scheme=SCHEME, cache=cache)
    venv = venv_unit(scheme=SCHEME, interpreter=PYTHON, version=VERSION, cache=cache)
    root = tmp_path / "root"
    root.mkdir()
    for record in [venv, *records.values()]:
        blob = blob_path(cache, record.unit.digest)
        subprocess.run(["tar", "-xzpf", blob, "-C", root], check=True)
    return root / "opt/env"


def _pips(wheels: Iterable[Path], tmp_path: Path) -> Path:
    target = tmp_path / "pip"
    lines = []
    for wheel in wheels:
        name, version, _, _ = parse_wheel_filename(wheel.name)
        lines.append(f"{name}=={version} --hash=sha256:{sha256_file(wheel)}\n")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("".join(lines))
    links = [argument for wheel in wheels for argument in ("--find-links", str(wheel.parent))]
    environment = {key: value for key, value in os.environ.items() if key[:4] != "PIP_"}
    environment["PIP_CONFIG_FILE"] = os.devnull
    for command in (
        [PYTHON, "-m", "venv", "--without-pip", str(target)],
        [
            *(*pip_command(target / "bin/python"), "install", "-q"),
            *("--no-deps", "--require-hashes", "--no-compile", "--no-index", *links),
            *("--disable-pip-version-check", "-r", str(requirements)),
        ],
    ):
        subprocess.run(
            command, check=True, umask=0o022, env=environment, capture_output=True, text=True
        )
    return target


def _tree(root: Path) -> dict[str, Path]:
    found = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = Path(folder, name)
            found[str(path.relative_to(root))] = path
    return found


def _expected_only_with_pip(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    requested = _OURS.fullmatch(path) and name == "requested"
    return bool(requested) or path == ".gitignore" or name.startswith("activate")


def _compare(ours: Path, pips: Path) -> None:
    left, right = _tree(ours), _tree(pips)
    right = {path: place for path, place in right.items() if not _expected_only_with_pip(path)}
    assert set(left) == set(right)
    for path, mine in left.items():
        theirs = right[path]
        a, b = mine.lstat(), theirs.lstat()
        assert stat.S_IFMT(a.st_mode) == stat.S_IFMT(b.st_mode), path
        if mine.is_symlink():
            assert mine.readlink() == theirs.readlink(), path
            continue
        assert stat.S_IMODE(a.st_mode) == stat.S_IMODE(b.st_mode), path
        if mine.is_file():
            _compare_content(path, mine.read_bytes(), theirs.read_bytes(), pips)


def _compare_content(path: str, mine: bytes, theirs: bytes, pips: Path) -> None:
    prefix = str(pips).encode()
    if _OURS.fullmatch(path) and path.endswith("RECORD"):
        assert _rows(mine) == _rows(theirs), path
        assert mine.count(b"\r\n") == mine.count(b"\n"), path
    elif _OURS.fullmatch(path):
        assert (mine, theirs) == (b"eggcrate\n", b"pip\n")
    elif path == "pyvenv.cfg":
        assert mine == theirs.replace(prefix, b"/opt/env")
    elif mine != theirs:
        assert path.startswith("bin/"), path
        shebang, _, rest = mine.partition(b"\n")
        assert shebang == b"#!/opt/env/bin/python", path
        other, _, tail = theirs.partition(b"\n")
        assert other.startswith(b"#!" + prefix + b"/bin/python"), path
        if rest != tail:
            one, two = _ENTRY.search(mine), _ENTRY.search(theirs)
            assert one is not None, path
            assert two is not None, path
            assert one.groups() == two.groups(), path


def _rows(record: bytes) -> set[tuple[str, ...]]:
    """The rows; of what must differ (commands, the installer's name) the path only."""
    rows: set[tuple[str, ...]] = set()
    for path, digest, size in csv.reader(record.decode().splitlines()):
        if path.count("/") == 1 and path.endswith(".dist-info/REQUESTED"):
            continue
        differs = path.startswith("../../../bin/") or (
            path.count("/") == 1 and path.endswith(".dist-info/INSTALLER")
        )
        rows.add((path,) if differs else (path, digest, size))
    return rows


def test_crafted_wheels(tmp_path: Path) -> None:
    """Wheels with every scheme, and files that RECORD does not name, stored or compressed."""
    wheels = []
    for number, stored in enumerate((False, True)):
        name = f"crafted-{number}"
        wheel = make_wheel(
            tmp_path / "wheels",
            name,
            files={
                f"space/ns{number}/__init__.py": "x = 1\n",
                f"space/ns{number}/big.bin": bytes(range(256)) * 1000,
                f"space/ns{number}/run.sh": "#!/bin/sh\n",
                f'space/ns{number}/a,"b" é.txt': "odd name",
                f"{{data}}/purelib/pure{number}.py": "",
                f"{{data}}/platlib/plat{number}/x.py": "",
                "{data}/headers/deep/head.h": "",
                f"{{data}}/data/etc/conf{number}": "1",
                f"{{data}}/scripts/script{number}": "#!python\nprint()\n",
                f"{{data}}/scripts/windowed{number}": "#!pythonw\nprint()\n",
                f"{{data}}/scripts/command{number}-script.py": "#!python\nold\n",
            },
            entry_points=f"[console_scripts]\ncommand{number} = space.ns{number}:Main.run\n",
            stored=stored,
            executable=[
                f"space/ns{number}/run.sh",
                f"{{data}}/scripts/script{number}",
                f"{{data}}/scripts/windowed{number}",
            ],
        )
        with zipfile.ZipFile(wheel, "a") as archive:
            archive.writestr(f"space/ns{number}/unnamed.txt", "not in RECORD")
            archive.writestr(f"crafted_{number}-1.0.dist-info/RECORD.jws", "{}")
            archive.writestr(f"crafted_{number}-1.0.dist-info/INSTALLER", "someone\n")
        wheels.append(wheel)
    _compare(_ours(wheels, tmp_path), _pips(wheels, tmp_path))


@pytest.mark.network
def test_awkward_packages_of_the_index(tmp_path: Path) -> None:
    """Real packages, each with a trap of its own."""
    folder = tmp_path / "wheels"
    subprocess.run(
        [
            *(*pip_command(), "download", "-q", "--no-deps", "--only-binary", ":all:"),
            *("--disable-pip-version-check", "-d", str(folder), *AWKWARD),
        ],
        check=True,
        capture_output=True,
    )
    wheels = sorted(folder.glob("*.whl"))
    assert len(wheels) == len(AWKWARD)
    _compare(_ours(wheels, tmp_path), _pips(wheels, tmp_path))
