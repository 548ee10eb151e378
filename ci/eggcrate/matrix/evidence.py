"""What tests in a cell told of themselves beside their outcome: imports, and lines that ran."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eggcrate.matrix.harness.mounted.eggcrate_evidence import MARK
from eggcrate.parsing import json_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LINE = re.compile(rf"\n?^{re.escape(MARK)}(.*)$\n?", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Lines:
    """A file's lines with statements, and those of them that ran."""

    statements: frozenset[int]
    covered: frozenset[int]

    def __or__(self, other: Lines) -> Lines:
        """What both know: a line has run when it did for one of them."""
        return Lines(
            statements=self.statements | other.statements, covered=self.covered | other.covered
        )


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a cell's tests told."""

    imported: tuple[str, ...] = ()
    """Modules that the image gave, as :func:`eggcrate.packages.modules.modules_in` names them;
    empty when nothing is known."""
    lines: Mapping[str, Lines] = field(default_factory=dict)
    """By file, relative to the repository; empty unless coverage was asked for."""


def split(output: str) -> tuple[str, Evidence]:
    """A program's output without what the harness added to it, and that.

    What cannot be read is nothing: tests may end in any way, and may write anything.
    """
    if MARK not in output:
        return output, Evidence()
    found = list(_LINE.finditer(output))
    plain = _LINE.sub("", output)
    try:
        told = json_of(found[-1][1])
        return plain, Evidence(
            imported=tuple(str(name) for name in told["imported"]),
            lines={
                str(path): _lines(statements, missing)
                for path, (statements, missing) in told["lines"].items()
            },
        )
    except (IndexError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return plain, Evidence()


def _lines(statements: Iterable[int], missing: Iterable[int]) -> Lines:
    known = frozenset(int(number) for number in statements)
    return Lines(statements=known, covered=known - {int(number) for number in missing})


def given_by(
    imported: Iterable[str], modules: Mapping[str, frozenset[str] | None]
) -> frozenset[str]:
    """The packages that may have given modules that were imported.

    Args:
        imported: dotted names.
        modules: package to the modules in it, see
            :func:`eggcrate.packages.modules.modules_in`; of a package whose modules are not
            known it is not known either whether it was imported, so that it counts.
    """
    below: dict[str, set[str]] = {}
    for package, names in modules.items():
        for name in names or ():
            for prefix in _prefixes(name):
                below.setdefault(prefix, set()).add(package)
    exact: dict[str, set[str]] = {}
    for package, names in modules.items():
        for name in names or ():
            exact.setdefault(name, set()).add(package)
    found = {package for package, names in modules.items() if names is None}
    for name in imported:
        found |= below.get(name, set())
        for prefix in _prefixes(name):
            found |= exact.get(prefix, set())
    return frozenset(found)


def _prefixes(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
