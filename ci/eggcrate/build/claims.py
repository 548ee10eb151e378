"""What a unit claims of an image's folders: enough to rule out an overlap without its file list.

A claim ending in ``/`` is a folder that is the unit's alone to fill; any other is one file, with
what tells it from another at the same path. Claims are relative to the folder that packages are
installed into; those from outside it begin with ``/``. They travel in the annotations of
manifests, where a file list would not fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from eggcrate.build.archive import UnitFile

_SHARED = 3
"""Folders this far down the environment, such as ``lib/python3.11/site-packages``, ``bin`` or
``share/man/man1``, are everybody's."""
_FEW = (0, 4, 16)
"""Up to so many files, one folder and two folders below those, a folder may be a namespace of
several packages, as ``nvidia`` and ``google/cloud`` are."""
_MANY = 64
_MARK = "//"
"""Between a file's path, in which it cannot stand, and what the file is."""


def claims(files: Iterable[UnitFile], *, prefix: str, folder: str) -> tuple[str, ...]:
    """The claims of a unit, sorted.

    Args:
        files: what it holds.
        prefix: of the environment, such as ``opt/env``.
        folder: where packages are installed, below the prefix.
    """
    tree: dict[str, list[UnitFile]] = {}
    for file in files:
        tree.setdefault(file.path.rpartition("/")[0], []).append(file)
    fine = _claims(tree, prefix, _FEW)
    chosen = fine if len(fine) <= _MANY else _claims(tree, prefix, ())
    return tuple(sorted(_relative(claim, folder) for claim in chosen))


def _claims(tree: Mapping[str, Sequence[UnitFile]], prefix: str, few: Sequence[int]) -> set[str]:
    found: set[str] = set()
    for path, files in sorted(tree.items()):  # a folder comes before those inside it
        if any(f"{folder}/" in found for folder in _parents(path)):
            continue
        below = _depth(path, prefix) - _SHARED
        private = path.endswith((".dist-info", ".libs")) or below >= len(few)
        if below > 0 and (private or len(files) > few[below]):
            found.add(f"{path}/")
        else:
            found.update(_exactly(file) for file in files)
    return found


def _depth(path: str, prefix: str) -> int:
    inner = path.removeprefix(prefix).strip("/")
    return inner.count("/") + 1 if inner else 0


def _exactly(file: UnitFile) -> str:
    return f"{file.path}{_MARK}{file.mode:o}:{file.size}:{file.crc32:08x}:{file.link}"


def _relative(claim: str, folder: str) -> str:
    inner = claim.removeprefix(f"{folder}/")
    return inner if inner != claim else f"/{claim}"


def contested(claims_of: Mapping[str, Iterable[str]]) -> set[str]:
    """Those who may disagree with another about a path; the rest certainly do not.

    Args:
        claims_of: the claims of each.
    """
    owners: dict[str, dict[str, list[str]]] = {}
    for owner, mine in claims_of.items():
        for claim in mine:
            owners.setdefault(_path(claim), {}).setdefault(claim, []).append(owner)
    found: set[str] = set()
    for path, here in owners.items():
        everybody = {owner for names in here.values() for owner in names}
        if len(here) > 1 or next(iter(here)).endswith("/"):
            found |= everybody if len(everybody) > 1 else set()
        for parent in _parents(path):
            above = {owner for names in owners.get(parent, {}).values() for owner in names}
            if above and len(above | everybody) > 1:
                found |= above | everybody
    return found


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _path(claim: str) -> str:
    return claim.partition(_MARK)[0].removesuffix("/")
