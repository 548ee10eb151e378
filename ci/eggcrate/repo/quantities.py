"""Sizes as people write them."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {
    "": 1,
    "B": 1,
    "K": 1000,
    "KB": 1000,
    "KIB": 1 << 10,
    "M": 1000**2,
    "MB": 1000**2,
    "MIB": 1 << 20,
    "G": 1000**3,
    "GB": 1000**3,
    "GIB": 1 << 30,
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")


def parse_size(text: str) -> int:
    """Bytes of ``512MiB``, ``2 GB`` or ``1073741824``.

    Raises:
        ValueError: it is not a size, or is not positive.
    """
    match = _SIZE.fullmatch(text.strip())
    unit = _UNITS.get(match.group(2).upper()) if match else None
    if match is None or unit is None or Decimal(match.group(1)) <= 0:
        raise ValueError(f"{text!r} is not a size; write for example 512MiB or 2GiB")
    return int(Decimal(match.group(1)) * unit)
