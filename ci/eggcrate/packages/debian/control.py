"""Debian control paragraphs and the dependencies written in them (deb822, policy 5 and 7)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.packages.debian.versions import satisfies

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_RELATION = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?"
    r"(?:\s*\(\s*(?P<operator><<|<=|=|>=|>>|<|>)\s*(?P<version>[^\s)]+)\s*\))?"
)


@dataclass(frozen=True, kw_only=True)
class Relation:
    """One package that would do: ``libc6 (>= 2.36)``."""

    name: str
    operator: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name

    def allows(self, version: str) -> bool:
        """Whether a package of its name with this version would do."""
        return not self.operator or satisfies(version, self.operator, self.version)


Alternatives = tuple[Relation, ...]
"""Any one of them satisfies a dependency; the first is preferred."""


def parse_paragraph(text: str) -> dict[str, str]:
    """The fields of one paragraph. Continuation lines are kept, with line ends between.

    Raises:
        ValueError: a line is neither a field nor a continuation.
    """
    fields: dict[str, str] = {}
    current = ""
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0] in " \t":
            if not current:
                raise ValueError(f"{line!r} continues nothing")
            fields[current] += "\n" + line.strip()
            continue
        current, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"{line!r} is not a field")
        fields[current] = value.strip()
    return fields


def parse_paragraphs(text: str) -> Iterator[dict[str, str]]:
    """The fields of each paragraph of a file."""
    for block in re.split(r"\n[ \t]*\n", text):
        if fields := parse_paragraph(block):
            yield fields


def paragraphs(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut a large file, given in chunks, into the raw bytes of its paragraphs."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n\n")
        yield from filter(None, whole)
    if rest.strip():
        yield rest.rstrip(b"\n")


def parse_dependencies(field: str) -> tuple[Alternatives, ...]:
    """Read a ``Depends`` field of a binary package.

    Raises:
        ValueError: it does not follow policy 7.1.
    """
    groups = (group.strip() for group in field.split(","))
    return tuple(
        tuple(_relation(part.strip()) for part in group.split("|")) for group in groups if group
    )


def _relation(text: str) -> Relation:
    match = _RELATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a package relation")
    return Relation(
        name=match["name"], operator=match["operator"] or "", version=match["version"] or ""
    )
