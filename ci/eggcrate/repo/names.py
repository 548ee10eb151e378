"""Names that environments, bases, components and pipelines can have."""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING

from eggcrate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
"""Of images, and so of environments and bases."""
FOLDERS = {
    "environment": "environments",
    "component": "components",
    "pipeline": "pipelines",
}
"""Where each kind stands."""
TEMPLATE = "_template"
_RESERVED = ("shared", "tests", "conftest")


def check_new_name(kind: str, name: str, root: Path) -> None:
    """Refuse a name that a new environment, component or pipeline cannot have.

    Raises:
        UsageError: it breaks the rule, or there is something of this name already; the message
            names one that would do.
    """
    folder = FOLDERS[kind]
    if kind == "environment":
        if not NAME.fullmatch(name):
            better = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
            raise _unfit(
                f"{name!r} is not a name an image can have",
                "image names are lower-case letters, digits and single . _ - between them",
                f"eggcrate new environment {better or 'NAME'}",
            )
    elif not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        better = re.sub(r"\W+", "_", name).strip("_").lower()
        useful = better.isidentifier() and not keyword.iskeyword(better)
        raise _unfit(
            f"{name!r} is not a name a {kind} can have",
            "names are letters, digits and underscores, as Python imports them",
            f"eggcrate new {kind} {better if useful else 'NAME'}",
        )
    elif name in _RESERVED:
        raise _unfit(f"{name!r} is not a name a {kind} can have", f"{folder}/{name} is taken", "")
    if (root / folder / name).exists():
        raise _unfit(
            f"there is {folder}/{name} already",
            "nothing is overwritten",
            "choose another name, or change what is there",
        )


def _unfit(what: str, why: str, hint: str) -> UsageError:
    return UsageError(what, why=why, hint=hint)


def near_names(name: str, existing: Iterable[str]) -> list[str]:
    """Existing names that this one differs from by one slip of a finger.

    Names of a family, which differ in digits, are not among them.
    """
    plain = name.replace("_", "-")
    return [
        one
        for one in sorted(existing)
        if is_slip(plain, one.replace("_", "-")) or (plain == one.replace("_", "-") and name != one)
    ]


def is_slip(typed: str, name: str) -> bool:
    """Whether one letter is missing, too many, wrong, or changed places with its neighbour."""
    if abs(len(typed) - len(name)) > 1 or typed == name:
        return False
    start = next(
        (n for n, (a, b) in enumerate(zip(typed, name, strict=False)) if a != b),
        min(len(typed), len(name)),
    )
    a, b = typed[start:], name[start:]
    if (a[:1] or b[:1]).isdigit() or b[:1].isdigit():
        return False
    swapped = a[:2] == b[1::-1] and a[2:] == b[2:] and len(a) > 1
    return swapped or a[1:] == b[1:] or a[1:] == b or a == b[1:]
