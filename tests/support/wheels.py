"""Real wheels and sdists, made on the fly."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_DATE = (2020, 1, 1, 0, 0, 0)


def make_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    files: Mapping[str, bytes | str] | None = None,
    *,
    tag: str = "py3-none-any",
    requires: Iterable[str] = (),
    requires_python: str = "",
    entry_points: str = "",
    metadata: str = "",
    stored: bool = False,
    executable: Iterable[str] = (),
    extra_wheel_lines: str = "",
    root_is_purelib: bool | None = None,
) -> Path:
    """Write a valid wheel into ``folder`` and return its path.

    Args:
        folder: where to write it.
        name: project name, as in the metadata.
        version: its version.
        files: path inside the wheel to content; one module of the project's name by default.
            A path may start with ``{data}/`` for the ``.data`` directory.
        tag: wheel tag, such as ``cp311-cp311-manylinux_2_17_x86_64``.
        requires: ``Requires-Dist`` lines.
        requires_python: ``Requires-Python``; none when empty.
        entry_points: content of ``entry_points.txt``; none when empty.
        metadata: more header lines for ``METADATA``.
        stored: store files without compressing them.
        executable: paths in ``files`` that have the executable bits set.
        extra_wheel_lines: more lines for ``WHEEL``.
        root_is_purelib: by the tag (``-any`` is pure) unless given.
    """
    module = canonicalize_name(name).replace("-", "_")
    prefix = f"{module}-{version}"
    info = f"{prefix}.dist-info"
    pure = tag.endswith("-any") if root_is_purelib is None else root_is_purelib
    tags = _expand(tag)
    contents: dict[str, bytes] = {}
    for path, content in (files or {f"{module}.py": f"__version__ = {version!r}\n"}).items():
        place = path.replace("{data}", f"{prefix}.data")
        contents[place] = content.encode() if isinstance(content, str) else content
    contents[f"{info}/METADATA"] = make_metadata(
        name, version, requires=requires, requires_python=requires_python, more=metadata
    ).encode()
    wheel_lines = [
        "Wheel-Version: 1.0",
        "Generator: eggcrate-tests",
        f"Root-Is-Purelib: {'true' if pure else 'false'}",
        *(f"Tag: {one}" for one in tags),
    ]
    contents[f"{info}/WHEEL"] = ("\n".join(wheel_lines) + "\n" + extra_wheel_lines).encode()
    if entry_points:
        contents[f"{info}/entry_points.txt"] = entry_points.encode()
    record = "".join(
        f"{path},sha256={_urlsafe(content)},{len(content)}\n" for path, content in contents.items()
    )
    contents[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()

    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{prefix}-{tag}.whl"
    runnable = {path.replace("{data}", f"{prefix}.data") for path in executable}
    method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(target, "w", method) as archive:
        for path, content in contents.items():
            entry = zipfile.ZipInfo(path, _DATE)
            entry.compress_type = method
            entry.create_system = 3
            entry.external_attr = (0o100755 if path in runnable else 0o100644) << 16
            archive.writestr(entry, content)
    return target


def make_sdist(
    folder: Path,
    name: str,
    version: str = "1.0",
    files: Mapping[str, bytes | str] | None = None,
    *,
    requires: Iterable[str] = (),
    requires_python: str = "",
) -> Path:
    """Write an sdist (``.tar.gz``) with ``PKG-INFO`` and ``files`` and return its path."""
    module = canonicalize_name(name).replace("-", "_")
    prefix = f"{module}-{version}"
    contents = {
        "PKG-INFO": make_metadata(name, version, requires=requires, requires_python=requires_python)
    }
    contents.update(
        {path: c.decode() if isinstance(c, bytes) else c for path, c in (files or {}).items()}
    )
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{prefix}.tar.gz"
    with tarfile.open(target, "w:gz") as archive:
        for path, text in contents.items():
            data = text.encode()
            entry = tarfile.TarInfo(f"{prefix}/{path}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return target


def make_metadata(
    name: str,
    version: str,
    *,
    requires: Iterable[str] = (),
    requires_python: str = "",
    more: str = "",
) -> str:
    """The text of ``METADATA`` or ``PKG-INFO`` (all of it static, metadata version 2.2)."""
    lines = ["Metadata-Version: 2.2", f"Name: {name}", f"Version: {version}"]
    if requires_python:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {one}" for one in requires]
    if more:
        lines.append(more.rstrip("\n"))
    return "\n".join(lines) + "\n"


def wheel_metadata(wheel: Path) -> bytes:
    """The ``METADATA`` of a wheel, as PEP 658 serves it."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        return archive.read(name)


def _expand(tag: str) -> list[str]:
    pythons, abis, platforms = tag.split("-")
    return [
        f"{python}-{abi}-{platform}"
        for python in pythons.split(".")
        for abi in abis.split(".")
        for platform in platforms.split(".")
    ]


def _urlsafe(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
