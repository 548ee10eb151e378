"""Where an installer puts a wheel's files: a pure plan, the same as pip's.

Specification: https://packaging.python.org/specifications/binary-distribution-format, and
where it is silent, pip (``--no-compile``, into a virtual environment). Different on purpose:
files in ``.data/scripts`` are executable even where the zip forgot the bits, ``INSTALLER``
names Eggcrate, and nothing is installed that depends on who asked for the package
(``REQUESTED``, ``direct_url.json``).
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.build import gzip_members
from eggcrate.build.gzip_members import Payload
from eggcrate.build.scripts import Script, fix_shebang, generate, parse_scripts
from eggcrate.errors import UnsupportedPackageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from eggcrate.packages.wheels import Wheel, WheelMember

INSTALLER = b"eggcrate\n"
_PLAIN = 0o644
_EXECUTABLE = 0o755


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """The folders of a virtual environment, relative to the image's root."""

    prefix: str
    """The environment's own, such as ``opt/env``."""
    minor: str
    """Python's minor version, such as ``3.11``."""

    @property
    def site_packages(self) -> str:
        """Where modules are, pure or not."""
        return f"{self.prefix}/lib/python{self.minor}/site-packages"

    @property
    def scripts(self) -> str:
        """Where commands are."""
        return f"{self.prefix}/bin"

    @property
    def interpreter(self) -> str:
        """Absolute path of the environment's Python, as shebangs name it."""
        return f"/{self.prefix}/bin/python"

    def folder(self, key: str, project: str) -> str | None:
        """The folder of a ``.data`` key; ``None`` for one that does not exist."""
        return {
            "purelib": self.site_packages,
            "platlib": self.site_packages,
            "scripts": self.scripts,
            "headers": f"{self.prefix}/include/site/python{self.minor}/{project}",
            "data": self.prefix,
        }.get(key)


@dataclass(frozen=True, kw_only=True)
class Placed:
    """One file of an installed wheel."""

    path: str
    """Relative to the image's root."""
    mode: int
    content: bytes | Payload


def place(wheel: Wheel, scheme: Scheme) -> list[Placed]:
    """Every file that installing the wheel makes, sorted by path.

    Raises:
        UnsupportedPackageError: it has a file that belongs nowhere.
        IntegrityError: a script in it is damaged.
    """
    scripts = parse_scripts(wheel.texts["entry_points.txt"], wheel.filename, scheme.minor)
    placed: dict[str, Placed] = {}
    installed: dict[str, str] = {}
    changed: dict[str, bytes] = {}
    for member in wheel.members.values():
        target, is_script = _target(wheel, scheme, member)
        if is_script and _is_wrapper(target, scripts):
            continue
        item = _placed(wheel, member, target, is_script=is_script, scheme=scheme)
        if target in placed and not _same(placed[target], item):
            raise _refuse(wheel, f"two of its files would both be {target}")
        placed[target] = item
        installed[member.name] = target
        if isinstance(item.content, bytes):
            changed[target] = item.content
    generated = {
        f"{scheme.scripts}/{script.name}": generate(script, scheme.interpreter)
        for script in scripts
    }
    generated[f"{scheme.site_packages}/{wheel.dist_info}/INSTALLER"] = INSTALLER
    for path, content in generated.items():
        mode = _PLAIN if path.startswith(f"{scheme.site_packages}/") else _EXECUTABLE
        placed[path] = Placed(path=path, mode=mode, content=content)
    record = f"{scheme.site_packages}/{wheel.dist_info}/RECORD"
    rows = _rows(wheel, scheme, installed, changed, generated)
    placed[record] = Placed(path=record, mode=_PLAIN, content=_record(rows))
    return sorted(placed.values(), key=lambda item: item.path.split("/"))


def _target(wheel: Wheel, scheme: Scheme, member: WheelMember) -> tuple[str, bool]:
    top, _, rest = member.path.partition("/")
    if not top.endswith(".data") or not rest:
        return f"{scheme.site_packages}/{member.path}", False
    key, _, path = rest.partition("/")
    folder = scheme.folder(key, wheel.name)
    if folder is None or not path:
        raise _refuse(wheel, f"{member.path} is in no folder that an installer knows")
    return f"{folder}/{path}", key == "scripts"


def _is_wrapper(target: str, scripts: Iterable[Script]) -> bool:
    """Whether a script is setuptools' own wrapper of an entry point, which ours replaces."""
    name = posixpath.basename(target)
    for suffix in (".exe", "-script.py", ".pya"):
        if name.lower().endswith(suffix):
            name = name[: -len(suffix)]
            break
    return any(script.name == name for script in scripts)


def _placed(
    wheel: Wheel, member: WheelMember, target: str, *, is_script: bool, scheme: Scheme
) -> Placed:
    payload = Payload(
        source=wheel.file,
        offset=member.offset,
        compressed_size=member.compressed_size,
        size=member.size,
        crc32=member.crc32,
        deflated=member.deflated,
        name=f"{member.path} in {wheel.filename}",
    )
    if not is_script:
        return Placed(
            path=target, mode=_EXECUTABLE if member.executable else _PLAIN, content=payload
        )
    fixed = fix_shebang(gzip_members.read(payload), scheme.interpreter)
    return Placed(path=target, mode=_EXECUTABLE, content=payload if fixed is None else fixed)


def _same(one: Placed, other: Placed) -> bool:
    if isinstance(one.content, bytes) or isinstance(other.content, bytes):
        return one == other
    return (one.mode, one.content.size, one.content.crc32) == (
        other.mode,
        other.content.size,
        other.content.crc32,
    )


def _rows(
    wheel: Wheel,
    scheme: Scheme,
    installed: Mapping[str, str],
    changed: Mapping[str, bytes],
    generated: Mapping[str, bytes],
) -> list[tuple[str, str, str]]:
    """``RECORD`` as pip rewrites it: the wheel's rows, moved, then what it did not name."""
    rows: list[tuple[str, str, str]] = []
    left = dict(installed)
    for row in csv.reader(wheel.texts["RECORD"].splitlines()):
        if not row:
            continue
        name, digest, size, *_ = (*row, "", "")
        target = left.pop(name, None)
        if target is None:
            rows.append((name, digest, size))
        elif target not in generated:
            if target in changed:
                digest, size = _hash(changed[target])
            rows.append((_relative(target, scheme), digest, size))
    rows += [(_relative(path, scheme), *_hash(content)) for path, content in generated.items()]
    rows += [(_relative(path, scheme), "", "") for path in left.values() if path not in generated]
    return sorted(rows)


def _relative(path: str, scheme: Scheme) -> str:
    return posixpath.relpath(path, scheme.site_packages)


def _hash(content: bytes) -> tuple[str, str]:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"sha256={digest}", str(len(content))


def _record(rows: Iterable[tuple[str, str, str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _refuse(wheel: Wheel, why: str) -> UnsupportedPackageError:
    return UnsupportedPackageError(
        f"{wheel.filename} cannot be installed",
        why=why,
        hint="choose another version of the package, or tell its maintainers",
    )
