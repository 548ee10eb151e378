"""Sizes of packages as people read them."""

from __future__ import annotations

from eggcrate.progress import human_size

UNKNOWN = "?"


def size(value: int | None) -> str:
    """Bytes, such as ``51.3 MB``; ``?`` where they are not known."""
    return UNKNOWN if value is None else human_size(value)


def growth(value: int | None) -> str:
    """A difference with its sign, such as ``+1.2 MB``; ``?`` where it is not known."""
    if value is None:
        return UNKNOWN
    if value == 0:
        return "0 B"
    return ("+" if value > 0 else "-") + human_size(abs(value))
