"""HTML made of values: whatever is not markup already is escaped."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_EMPTY = frozenset({"meta", "input", "br", "link"})


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Part = Markup | str | None
"""What an element holds; a text is escaped, ``None`` is nothing."""


def tag(name: str, /, *parts: Part, **attributes: str) -> Markup:
    """An element.

    Args:
        name: of the element.
        parts: what it holds.
        attributes: ``class_`` and the like for words of Python; ``aria_label`` for
            ``aria-label``.
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for key, value in attributes.items()
    )
    if name in _EMPTY:
        return Markup(f"<{name}{told}>")
    return Markup(f"<{name}{told}>{joined(parts)}</{name}>")


def joined(parts: Iterable[Part], between: str = "") -> Markup:
    """Parts one after another."""
    return Markup(between.join(_escaped(part) for part in parts if part is not None))


def _escaped(part: str) -> str:
    return part if isinstance(part, Markup) else html.escape(part)


def link(text: str, href: str) -> Markup:
    """A link to a page of the same site."""
    return tag("a", text, href=href)


def code(text: str) -> Markup:
    """A text as it is written somewhere."""
    return tag("code", text)


def prose(text: str) -> Markup:
    """A docstring's text, with what stands between two backticks as code."""
    parts = text.split("``")
    return joined(code(part) if place % 2 else part for place, part in enumerate(parts))


def table(head: Sequence[str], rows: Iterable[Sequence[Part]], *, right: str = "") -> Markup:
    """A table that scrolls by itself where the window is narrow.

    Args:
        head: names of the columns.
        rows: the cells; the first of each names its row.
        right: names of the columns that hold numbers, separated by commas.
    """
    numbers = {name.strip() for name in right.split(",")}

    def cell(name: str, part: Part, *, first: bool) -> Markup:
        style = {"class_": "number"} if name in numbers else {}
        return tag("th", part, scope="row") if first else tag("td", part, **style)

    body = [
        tag(
            "tr",
            *(
                cell(name, part, first=not place)
                for place, (name, part) in enumerate(zip(head, row, strict=True))
            ),
        )
        for row in rows
    ]
    if not body:
        return Markup("")
    heads = [
        tag("th", name, scope="col", **({"class_": "number"} if name in numbers else {}))
        for name in head
    ]
    inner = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *body))
    return tag("div", inner, class_="scroll")


def section(title: str, *parts: Part, id_: str = "", note: str = "") -> Markup:
    """A part of a page under a heading; nothing when it holds nothing."""
    if not any(parts):
        return Markup("")
    named = {"id": id_} if id_ else {}
    quiet = tag("p", note, class_="quiet") if note else None
    return tag("section", tag("h2", title), quiet, *parts, **named)


def facts(pairs: Iterable[tuple[str, Part]]) -> Markup:
    """Names and what they are; a pair without a value is left out."""
    return tag(
        "dl",
        *(part for name, value in pairs if value for part in (tag("dt", name), tag("dd", value))),
    )
