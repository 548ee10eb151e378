"""Debian version numbers in their order (Debian policy 5.6.12)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSION = re.compile(r"(?:(\d+):)?([A-Za-z0-9.+~-]+?)(?:-([A-Za-z0-9.+~]+))?")
_RUN = re.compile(r"([^0-9]*)([0-9]*)")
_END = 0
_TILDE = -1
_BEYOND_LETTERS = 256

_Runs = tuple[tuple[tuple[int, ...], int], ...]
VersionKey = tuple[int, _Runs, _Runs]


def version_key(version: str) -> VersionKey:
    """A value that sorts as the version does.

    Raises:
        ValueError: it is not a Debian version.
    """
    match = _VERSION.fullmatch(version)
    if match is None:
        raise ValueError(f"{version!r} is not a Debian version")
    epoch, upstream, revision = match.groups()
    return int(epoch or 0), _runs(upstream), _runs(revision or "")


def upstream_version(version: str) -> str:
    """The upstream part: ``3.11.2`` of ``3.11.2-6+deb12u6``."""
    match = _VERSION.fullmatch(version)
    if match is None:
        raise ValueError(f"{version!r} is not a Debian version")
    return match.group(2)


def satisfies(version: str, operator: str, wanted: str) -> bool:
    """Whether ``version`` stands in the relation to ``wanted`` (policy 7.1)."""
    have, want = version_key(version), version_key(wanted)
    match operator:
        case "<<":
            return have < want
        case "<=" | "<":
            return have <= want
        case "=":
            return have == want
        case ">=" | ">":
            return have >= want
        case ">>":
            return have > want
    raise ValueError(f"{operator!r} is not a Debian relation")


def _runs(text: str) -> _Runs:
    """Runs of other characters and of digits, in turn.

    A run of characters ends with a mark that sorts after a tilde and before anything else, and
    so does the whole, so that plain tuple comparison gives the policy's order. Nothing is zero.
    """
    return (*_split(text or "0"), ((_END,), 0))


def _split(text: str) -> Iterator[tuple[tuple[int, ...], int]]:
    for letters, digits in _RUN.findall(text):
        yield (*(_rank(letter) for letter in letters), _END), int(digits or 0)


def _rank(letter: str) -> int:
    if letter == "~":
        return _TILDE
    return ord(letter) if letter.isalpha() else ord(letter) + _BEYOND_LETTERS
