"""Version ranges moved by as little as lets a version in, or keeps versions out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterable

_UPPER = frozenset({"<", "<="})
_LOWER = frozenset({">", ">="})


def loosened(specifiers: SpecifierSet, version: Version) -> SpecifierSet | None:
    """A range that holds this version too, and all that the given one holds.

    Returns:
        Nothing when the version is excluded by name, or is in the range already.
    """
    if specifiers.contains(version, prereleases=True):
        return None
    kept: list[str] = []
    for one in specifiers:
        if one.contains(version, prereleases=True):
            kept.append(str(one))
        elif one.operator in {"!=", "==="}:
            return None
        else:
            kept += _opened(one, version)
    return SpecifierSet(",".join(kept))


def _opened(one: Specifier, version: Version) -> list[str]:
    """What to write instead of a clause that keeps a version out."""
    bound = Version(one.version.removesuffix(".*"))
    if one.operator in _UPPER or (one.operator not in _LOWER and version > bound):
        lower = [f">={bound}"] if one.operator in {"~=", "=="} else []
        return [*lower, f"<{_after(version)}"]
    upper = []
    if one.operator == "~=":
        upper = [f"<{_next(bound, len(bound.release) - 2)}"]
    elif one.operator == "==":
        is_prefix = one.version.endswith(".*")
        upper = [f"<{_next(bound, len(bound.release) - 1)}" if is_prefix else f"<={bound}"]
    return [f">={_shortest(version, above=None)}", *upper]


def _after(version: Version) -> str:
    """The bound that people write: the next major version, or minor one before the first."""
    return _next(version, 0 if version.major else 1)


def _next(version: Version, place: int) -> str:
    release = (*version.release, 0, 0)[: place + 1]
    epoch = f"{version.epoch}!" if version.epoch else ""
    return epoch + ".".join(map(str, (*release[:-1], release[-1] + 1)))


def below(specifiers: SpecifierSet, bad: Version, good: Version) -> SpecifierSet:
    """The range without a version and all above it; ``good`` is below, and stays in."""
    return _with(specifiers, f"<{_shortest(bad, above=good)}", _UPPER)


def above(specifiers: SpecifierSet, bad: Version, good: Version) -> SpecifierSet:
    """The range without a version and all below it; ``good`` is above, and stays in."""
    return _with(specifiers, f">={_shortest(good, above=bad)}", _LOWER)


def _with(specifiers: SpecifierSet, clause: str, instead_of: Iterable[str]) -> SpecifierSet:
    kept = [str(one) for one in specifiers if one.operator not in instead_of]
    return SpecifierSet(",".join([*kept, clause]))


def _shortest(version: Version, *, above: Version | None) -> str:
    """As few numbers of a version as are not over it, and over the other one."""
    epoch = f"{version.epoch}!" if version.epoch else ""
    for count in range(1 if above else 2, len(version.release)):
        short = epoch + ".".join(map(str, version.release[:count]))
        found = Version(short)
        if found <= version and (above is None or above < found):
            return short
    return version.public


def written(specifiers: SpecifierSet) -> str:
    """As people write it: lower bounds first."""
    order = {"~=": 0, "==": 0, ">=": 1, ">": 1, "<": 2, "<=": 2}
    return ",".join(
        str(one)
        for one in sorted(specifiers, key=lambda one: (order.get(one.operator, 3), str(one)))
    )
