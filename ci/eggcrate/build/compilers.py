"""Where packages are compiled: a base with compilers, locked as every base is.

``bases/<base>-build`` extends ``<base>``; nothing of it is ever in an image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from eggcrate.repo.values import Base

_SUFFIX = "-build"


def compiler_base(chain: Iterable[Base], bases: Mapping[str, Base]) -> Base | None:
    """The base with compilers that belongs to another one, or to one that this extends.

    Args:
        chain: a base with all that it extends, lowest first.
        bases: by name.
    """
    for one in reversed(tuple(chain)):
        found = bases.get(f"{one.name}{_SUFFIX}")
        if found and found.extends == one.name:
            return found
    return None
