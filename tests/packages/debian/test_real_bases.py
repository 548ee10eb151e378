"""The repository's own bases, from the Debian mirror that this machine is configured with."""

from __future__ import annotations

import json
import platform
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eggcrate.packages.debian.contents import base_entries
from eggcrate.packages.debian.fetch import fetch_debs
from eggcrate.packages.debian.lockfile import base_lock
from eggcrate.packages.entries import EntryKind
from eggcrate.progress import Silent
from eggcrate.repo.monorepo import read_monorepo

if TYPE_CHECKING:
    from eggcrate.packages.entries import Entry

ROOT = Path(__file__).resolve().parents[3]
BASES = read_monorepo(ROOT).bases
PROGRAM = """
import sys
import bz2, ctypes, curses, decimal, hashlib, json, locale, lzma, mimetypes, readline, socket
import sqlite3, ssl, uuid, zlib, zoneinfo
assert sys.prefix.startswith(sys.argv[1]), sys.prefix
if sys.version_info < (3, 12):
    import distutils.core, lib2to3
context = ssl.create_default_context(cafile=sys.argv[1] + "/etc/ssl/certs/ca-certificates.crt")
zones = ["Europe/Paris", "US/Eastern", "UTC", "Asia/Kolkata", "GMT", "EST5EDT"]
zoneinfo.reset_tzpath([sys.argv[1] + "/usr/share/zoneinfo"])
print(json.dumps({
    "python": sys.version.split()[0],
    "authorities": len(context.get_ca_certs()),
    "zones": [zoneinfo.ZoneInfo(name).key for name in zones],
    "sqlite": sqlite3.connect(":memory:").execute("select 1 + 1").fetchone()[0],
    "ctypes": ctypes.CDLL("libgomp.so.1").omp_get_max_threads() > 0,
    "sha3": hashlib.sha3_256(b"").hexdigest()[:8],
    "https": socket.getservbyname("https") if len(sys.argv) > 2 else 443,
    "csv": mimetypes.guess_type("x.csv")[0],
}))
"""


def entries(name: str, target: str, cache: Path) -> list[Entry]:
    base = BASES[name]
    lock = base_lock(base)
    debs = fetch_debs(
        lock.packages[target], lock=lock, cache=cache, locked=False, progress=Silent()
    )
    return base_entries(debs.debs, foundation=not base.extends)


def unpack(root: Path, items: list[Entry]) -> None:
    for entry in items:
        path = root / entry.path
        if entry.kind is EntryKind.DIRECTORY:
            path.mkdir(exist_ok=True)
        elif entry.kind is EntryKind.SYMLINK:
            path.symlink_to(entry.link)
        elif entry.kind is EntryKind.HARDLINK:
            path.hardlink_to(root / entry.link)
        else:
            path.write_bytes(entry.content)
            path.chmod(entry.mode)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def test_locks_say_what_base_files_ask_for() -> None:
    """Nobody changed a base.toml and forgot to lock."""
    locks = {name: base_lock(base) for name, base in BASES.items() if not base.extends}
    for base in BASES.values():
        lock = base_lock(base, parent=locks.get(base.extends))
        assert lock.python.startswith(f"{base.python}.")
        assert "://" not in base.lock_path.read_text()


@pytest.mark.network
@pytest.mark.skipif(platform.machine() != "x86_64", reason="runs the amd64 base's own Python")
@pytest.mark.parametrize("minor", ["3.11", "3.13"])
def test_a_bases_python_works(minor: str, cache: Path, tmp_path: Path) -> None:
    """Its interpreter, its C library and every extension module load from its files alone."""
    unpack(tmp_path, entries(f"python-{minor}", "linux/amd64", cache))
    loader = tmp_path / "lib64/ld-linux-x86-64.so.2"
    done = subprocess.run(
        [
            str(loader),
            "--inhibit-cache",
            "--library-path",
            str(tmp_path / "usr/lib/x86_64-linux-gnu"),
            str(tmp_path / f"usr/bin/python{minor}"),
            *("-S", "-c", PROGRAM, str(tmp_path)),
        ],
        env={"PYTHONHOME": str(tmp_path / "usr"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    facts = json.loads(done.stdout)
    assert facts["python"] == base_lock(BASES[f"python-{minor}"]).python
    assert facts["authorities"] > 100
    assert len(facts["zones"]) == 6
    assert (facts["sqlite"], facts["ctypes"], facts["sha3"]) == (2, True, "a7ffc6f8")
    assert facts["csv"] == "text/csv"


@pytest.mark.network
@pytest.mark.parametrize("target", ["linux/amd64", "linux/arm64"])
@pytest.mark.parametrize("minor", ["3.11", "3.13"])
def test_no_library_is_missing(minor: str, target: str, cache: Path) -> None:
    """Every shared library that a program or library of a base asks for is in the base."""
    base = entries(f"python-{minor}", target, cache)
    debug = entries(f"python-{minor}-debug", target, cache)
    here = {entry.path.rpartition("/")[2] for entry in [*base, *debug]}
    for entry in [*base, *debug]:
        for wanted in needed_libraries(entry.content):
            assert wanted in here, f"{entry.path} needs {wanted}"
    shells = {entry.path for entry in base} & {"usr/bin/sh", "usr/bin/bash", "usr/bin/dash"}
    assert not shells
    assert {"usr/bin/sh", "usr/bin/bash", "usr/bin/ls"} <= {entry.path for entry in debug}


def needed_libraries(content: bytes) -> list[str]:
    """The DT_NEEDED names of a 64-bit little-endian ELF file."""
    if content[:6] != b"\x7fELF\x02\x01":
        return []

    def number(at: int, size: int) -> int:
        return int.from_bytes(content[at : at + size], "little")

    table, entry_size, count = number(0x20, 8), number(0x36, 2), number(0x38, 2)
    headers = [table + entry_size * index for index in range(count)]
    loads = [
        (number(at + 0x10, 8), number(at + 8, 8), number(at + 0x20, 8))
        for at in headers
        if number(at, 4) == 1
    ]
    dynamic = next((number(at + 8, 8) for at in headers if number(at, 4) == 2), None)
    if dynamic is None:
        return []
    tags: list[tuple[int, int]] = []
    while not tags or tags[-1][0] != 0:
        at = dynamic + 16 * len(tags)
        tags.append((number(at, 8), number(at + 8, 8)))
    strings = next(value for tag, value in tags if tag == 5)
    offset = next(
        file + strings - start for start, file, size in loads if start <= strings < start + size
    )
    return [
        content[offset + value : content.index(b"\0", offset + value)].decode()
        for tag, value in tags
        if tag == 1
    ]
