"""Wheels into units: crafted wheels with every trap."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from eggcrate.build.units import blob_path
from eggcrate.build.wheel_layout import Scheme
from eggcrate.build.wheel_unit import make_wheel_unit, wheel_units
from eggcrate.errors import EggcrateError, IntegrityError, UnsupportedPackageError
from eggcrate.files import sha256_file
from eggcrate.packages.cache import cached_path
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.licences import licences
from eggcrate.packages.wheels import LARGEST_TEXT
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from eggcrate.build.units import UnitRecord

SCHEME = Scheme(prefix="opt/env", minor="3.11")
SITE = "opt/env/lib/python3.11/site-packages"
BIG = os.urandom(40_000) + b"text " * 20_000


def _distribution(wheel: Path, name: str = "thing", version: str = "1.0") -> Distribution:
    return Distribution(name=name, version=version, filename=wheel.name, sha256=sha256_file(wheel))


def _make(wheel: Path, cache: Path) -> UnitRecord:
    return make_wheel_unit(_distribution(wheel), wheel, scheme=SCHEME, cache=cache)


def _read(record: UnitRecord, cache: Path) -> dict[str, tuple[int, bytes]]:
    blob = blob_path(cache, record.unit.digest).read_bytes()
    inflated = gzip.decompress(blob)
    assert record.unit.digest == f"sha256:{hashlib.sha256(blob).hexdigest()}"
    assert record.unit.diff_id == f"sha256:{hashlib.sha256(inflated).hexdigest()}"
    found = {}
    with tarfile.open(fileobj=io.BytesIO(inflated)) as archive:
        for member in archive:
            if file := archive.extractfile(member) if member.isreg() else None:
                found[member.name] = (member.mode, file.read())
    assert sorted(found) == sorted(item.path for item in record.files)
    return found


def _rewrite(
    wheel: Path, edit: Callable[[zipfile.ZipInfo, bytes], list[tuple[zipfile.ZipInfo, bytes]]]
) -> Path:
    target = wheel.with_name("edited-" + wheel.name)
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            for one, content in edit(info, old.read(info)):
                new.writestr(one, content)
    return target


def _add(wheel: Path, name: str, *, mode: int = 0o100644, method: int = 8) -> Path:
    with zipfile.ZipFile(wheel, "a") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        info.compress_type = method
        archive.writestr(info, b"target")
    return wheel


@pytest.mark.parametrize("stored", [False, True])
def test_files_go_where_an_installer_puts_them(tmp_path: Path, stored: bool) -> None:
    """Every scheme of ``.data``, commands, executable bits, large and small, stored or not."""
    wheel = make_wheel(
        tmp_path,
        "thing",
        files={
            "thing/__init__.py": "x = 1\n",
            "thing/big.so": BIG,
            "thing/tool.sh": "#!/bin/sh\n",
            "{data}/purelib/pure.py": "",
            "{data}/platlib/plat.py": "",
            "{data}/headers/thing.h": "int x;\n",
            "{data}/data/share/thing.txt": "data",
            "{data}/scripts/run": "#!python -u\nprint(1)\n",
            "{data}/scripts/shell": "#!/bin/sh\n",
            "{data}/scripts/wrapped-script.py": "#!python\nold\n",
        },
        entry_points="[console_scripts]\nwrapped = thing.cli:Main.run [extra]\n"
        "[gui_scripts]\nwindow=thing:gui\n[other]\nx = y\n",
        stored=stored,
        executable=["thing/tool.sh"],
    )
    found = _read(_make(wheel, tmp_path), tmp_path)
    assert found[f"{SITE}/thing/big.so"] == (0o644, BIG)
    assert found[f"{SITE}/thing/tool.sh"][0] == 0o755
    assert {f"{SITE}/pure.py", f"{SITE}/plat.py", "opt/env/share/thing.txt"} <= set(found)
    assert "opt/env/include/site/python3.11/thing/thing.h" in found
    assert found["opt/env/bin/run"] == (0o755, b"#!/opt/env/bin/python\nprint(1)\n")
    assert found["opt/env/bin/shell"] == (0o755, b"#!/bin/sh\n")
    assert "opt/env/bin/wrapped-script.py" not in found
    mode, script = found["opt/env/bin/wrapped"]
    assert mode == 0o755
    assert script.startswith(b"#!/opt/env/bin/python\n")
    assert b"from thing.cli import Main\n" in script
    assert b"sys.exit(Main.run())" in script
    assert found["opt/env/bin/window"][0] == 0o755
    assert found[f"{SITE}/thing-1.0.dist-info/INSTALLER"] == (0o644, b"eggcrate\n")
    assert not any(path.endswith(("REQUESTED", "direct_url.json")) for path in found)


def test_record_names_every_file_with_its_hash(tmp_path: Path) -> None:
    """``RECORD`` lists exactly what is installed, each hash true."""
    wheel = make_wheel(
        tmp_path,
        "thing",
        files={"a.py": "1\n", "{data}/scripts/run": "#!python\n"},
        entry_points="[console_scripts]\nwrapped = thing:main\n",
    )
    found = _read(_make(wheel, tmp_path), tmp_path)
    rows = list(csv.reader(found[f"{SITE}/thing-1.0.dist-info/RECORD"][1].decode().splitlines()))
    named = {os.path.normpath(f"{SITE}/{path}"): (digest, size) for path, digest, size in rows}
    assert set(named) == set(found)
    for path, (digest, size) in named.items():
        if path.endswith("RECORD"):
            assert (digest, size) == ("", "")
            continue
        content = found[path][1]
        assert size == str(len(content))
        hashed = hashlib.sha256(content).digest()
        assert digest == "sha256=" + base64.urlsafe_b64encode(hashed).decode().rstrip("=")


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../up.py",
        "a/../../up.py",
        "a\\b.py",
        "thing-1.0.data/odd/x",
        "thing-1.0.data/purelib",
    ],
)
def test_paths_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    """Nothing is ever written outside the schemes."""
    wheel = _add(make_wheel(tmp_path, "thing"), name)
    with pytest.raises(UnsupportedPackageError):
        _make(wheel, tmp_path)


def test_links_and_unknown_compression_are_refused(tmp_path: Path) -> None:
    """Parts of the zip format that no wheel uses are refused, not guessed at."""
    with pytest.raises(UnsupportedPackageError, match="cannot be installed"):
        _make(_add(make_wheel(tmp_path / "1", "thing"), "link", mode=0o120777), tmp_path)
    with pytest.raises(UnsupportedPackageError) as caught:
        _make(_add(make_wheel(tmp_path / "2", "thing"), "x", method=zipfile.ZIP_BZIP2), tmp_path)
    assert "deflate" in caught.value.why
    wheel = make_wheel(tmp_path / "3", "thing")
    content = bytearray(wheel.read_bytes())
    start = content.rindex(b"PK\x01\x02")
    content[start + 8] |= 1
    wheel.write_bytes(content)
    with pytest.raises(UnsupportedPackageError) as caught:
        _make(wheel, tmp_path)
    assert "encrypted" in caught.value.why


def test_metadata_that_is_a_bomb_is_not_read(tmp_path: Path) -> None:
    """A few kilobytes that inflate to more than any text; nor for its licence."""
    wheel = make_wheel(tmp_path, "thing", entry_points="x" * (LARGEST_TEXT + 1))
    assert wheel.stat().st_size < LARGEST_TEXT / 100
    with pytest.raises(UnsupportedPackageError) as caught:
        _make(wheel, tmp_path)
    assert "larger than any such file" in caught.value.why
    wheel = make_wheel(tmp_path, "other", metadata="X: " + "x" * (LARGEST_TEXT + 1) + "\n")
    found = Distribution(
        name="other", version="1.0", filename=wheel.name, sha256=sha256_file(wheel)
    )
    path = cached_path(found, cache=tmp_path / "cache")
    path.parent.mkdir(parents=True)
    path.write_bytes(wheel.read_bytes())
    assert licences([found], cache=tmp_path / "cache") == {found: None}


def test_names_that_differ_in_case_are_two_files(tmp_path: Path) -> None:
    """As they are in an image: nothing is unpacked to a disk that might not tell them apart."""
    files = {"thing/A.py": "ONE = 1\n", "thing/a.py": "TWO = 2\n", "THING/a.py": "THREE = 3\n"}
    found = _read(_make(make_wheel(tmp_path, "thing", files=files), tmp_path), tmp_path)
    for name, text in files.items():
        assert found[f"{SITE}/{name}"][1] == text.encode()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice(tmp_path: Path) -> None:
    """The same content twice is harmless, other content is refused."""
    same = _add(_add(make_wheel(tmp_path / "1", "thing"), "x"), "x")
    assert f"{SITE}/x" in _read(_make(same, tmp_path), tmp_path)
    with pytest.raises(UnsupportedPackageError) as caught:
        _make(_add(make_wheel(tmp_path / "2", "thing"), "thing.py"), tmp_path)
    assert "twice" in caught.value.why


def test_data_descriptors_and_zip64_are_read(tmp_path: Path) -> None:
    """Sizes that stand after the data, or in Zip64 fields, are found."""
    plain = make_wheel(tmp_path, "thing", files={"thing.py": "1\n", "big": BIG})

    class Unseekable(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise io.UnsupportedOperation

        def tell(self) -> int:
            raise io.UnsupportedOperation

    stream = Unseekable()
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(stream, "w", 8) as new:
        for info in old.infolist():
            with new.open(info.filename, "w", force_zip64=True) as file:
                file.write(old.read(info))
    other = tmp_path / "other" / plain.name
    other.parent.mkdir()
    other.write_bytes(stream.getvalue())
    with zipfile.ZipFile(other) as archive:
        assert all(info.flag_bits & 0x8 for info in archive.infolist())
    expected = _read(_make(plain, tmp_path), tmp_path)
    assert _read(_make(other, tmp_path), tmp_path) == expected


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    """A file that does not have its CRC is never installed."""
    wheel = make_wheel(tmp_path, "thing", files={"thing.py": BIG}, stored=True)
    content = wheel.read_bytes().replace(b"text text", b"text tex7", 1)
    wheel.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"thing\.py"):
        _make(wheel, tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        offset = archive.getinfo("thing-1.0.dist-info/METADATA").header_offset
    damaged = bytearray(content)
    length = struct.unpack("<H", damaged[offset + 26 : offset + 28])[0]
    damaged[offset + 30 + length] ^= 1
    wheel.write_bytes(damaged)
    with pytest.raises(IntegrityError):
        _make(wheel, tmp_path)


def test_a_wheel_that_is_something_else(tmp_path: Path) -> None:
    """A wheel must hold the project and version that the lock names."""
    wheel = make_wheel(tmp_path, "other")
    with pytest.raises(IntegrityError, match="does not hold thing"):
        _make(wheel, tmp_path)
    wheel = make_wheel(tmp_path, "thing", "2.0")
    with pytest.raises(IntegrityError, match=r"does not hold thing 1\.0"):
        _make(wheel, tmp_path)
    wheel.write_bytes(b"<html>not found</html>")
    with pytest.raises(IntegrityError, match="not a wheel"):
        _make(wheel, tmp_path)


@pytest.mark.parametrize("missing", ["WHEEL", "METADATA", "RECORD"])
def test_metadata_that_is_not_there(tmp_path: Path, missing: str) -> None:
    """Each of the three files that a wheel must have is asked for by name."""
    wheel = _rewrite(
        make_wheel(tmp_path, "thing"),
        lambda info, content: [] if info.filename.endswith(missing) else [(info, content)],
    )
    with pytest.raises(UnsupportedPackageError) as caught:
        _make(wheel, tmp_path)
    assert missing in caught.value.why


def test_a_wheel_of_the_future(tmp_path: Path) -> None:
    """A newer major version of the format is refused, a newer minor one is not."""

    def version(text: bytes) -> Path:
        return _rewrite(
            make_wheel(tmp_path, "thing"),
            lambda info, content: [(info, content.replace(b"Version: 1.0\nGen", text + b"\nGen"))],
        )

    with pytest.raises(UnsupportedPackageError) as caught:
        _make(version(b"Version: 2.0"), tmp_path)
    assert "2.0" in caught.value.why
    _make(version(b"Version: 1.9"), tmp_path)


@pytest.mark.parametrize("line", ["x = module", "../x = a:b", "x = a b:c", "= a:b"])
def test_entry_points_that_are_no_command(tmp_path: Path, line: str) -> None:
    """An entry point that pip could not make a command is refused, too."""
    wheel = make_wheel(tmp_path, "thing", entry_points=f"[console_scripts]\n{line}\n")
    with pytest.raises(UnsupportedPackageError, match="cannot be installed"):
        _make(wheel, tmp_path)


def test_many_wheels_and_a_second_time(tmp_path: Path) -> None:
    """Units are made in parallel; the second time nothing is fetched."""
    wheels = {}
    for number in range(8):
        wheel = make_wheel(tmp_path / "wheels", f"thing{number}")
        wheels[_distribution(wheel, f"thing{number}")] = wheel
    made = wheel_units(wheels, lambda _: wheels, scheme=SCHEME, cache=tmp_path)

    def never(_: object) -> dict[Distribution, Path]:
        raise AssertionError

    assert wheel_units(wheels, never, scheme=SCHEME, cache=tmp_path) == made
    blob_path(tmp_path, next(iter(made.values())).unit.digest).write_bytes(b"short")
    assert wheel_units(wheels, lambda _: wheels, scheme=SCHEME, cache=tmp_path) == made
    wheels[Distribution(name="no", version="1", filename="no.whl", sha256="0")] = tmp_path / "no"
    (tmp_path / "no").write_bytes(b"")
    with pytest.raises(EggcrateError):
        wheel_units(wheels, lambda _: wheels, scheme=SCHEME, cache=tmp_path)


_MAKE = """
import sys
from pathlib import Path
from eggcrate.build.wheel_layout import Scheme
from eggcrate.build.wheel_unit import make_wheel_unit
from eggcrate.packages.distribution import Distribution
wheel = Path(sys.argv[1])
item = Distribution(name="thing", version="1.0", filename=wheel.name, sha256="0")
scheme = Scheme(prefix="opt/env", minor="3.11")
record = make_wheel_unit(item, wheel, scheme=scheme, cache=Path(sys.argv[2]))
print(record.unit.digest, record.unit.diff_id)
"""


def test_surroundings_do_not_matter(tmp_path: Path) -> None:
    """Another umask, time zone, locale, working directory and hash seed: the same digests."""
    wheel = make_wheel(
        tmp_path,
        "thing",
        files={f"thing/{number}.py": f"x = {number}\n" * number for number in range(200)}
        | {"thing/big": b"big " * 100_000, "thing/é.txt": "é"},
        entry_points="[console_scripts]\nb = thing:b\na = thing:a\n",
    )
    answers = set()
    for number, (umask, zone, locale) in enumerate(
        [(0o022, "UTC", "C"), (0o077, "Asia/Kathmandu", "de_DE.UTF-8"), (0, "", "POSIX")]
    ):
        folder = tmp_path / f"cwd{number}"
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", _MAKE, wheel, folder / "cache"],
            env={
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                "PYTHONHASHSEED": str(number),
                "TZ": zone,
                "LC_ALL": locale,
            },
            cwd=folder,
            umask=umask,
            capture_output=True,
            text=True,
            check=True,
        )
        answers.add(done.stdout)
    assert len(answers) == 1
