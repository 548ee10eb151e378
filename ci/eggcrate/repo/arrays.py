"""The text of a TOML array, edited one item at a time: whatever is not edited stays as it is.

Inserting an item and removing it again gives back the same text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)|(?P<comment>#[^\r\n]*)|(?P<comma>,)|(?P<open>[\[{])|(?P<close>[\]}])"
    r'|(?P<string>"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\')'
    r"|(?P<bare>[^\s,\[\]{}#\"']+)",
    re.DOTALL,
)
_LAST_SPACE = re.compile(r"(?:\r?\n)?[ \t]*\Z")
_NEWLINE = re.compile(r"\r?\n")
_INDENT = "    "


@dataclass(frozen=True, kw_only=True)
class Item:
    """One item with what stands around it."""

    lead: str
    """Space and comments before it, from the line after its predecessor's on."""
    text: str
    gap: str = ""
    """Between it and its comma."""
    comma: bool = False
    behind: str = ""
    """What follows on its line: space and a comment that is about it."""

    @property
    def comments(self) -> str:
        """The part of the lead that is not only the space before the item."""
        return self.lead.removesuffix(self.space)

    @property
    def space(self) -> str:
        """The line break and indent, or the spaces, right before the item."""
        found = _LAST_SPACE.search(self.lead)
        return found.group() if found else ""

    def __str__(self) -> str:
        return f"{self.lead}{self.text}{self.gap}{',' if self.comma else ''}{self.behind}"


@dataclass(frozen=True, kw_only=True)
class ArrayText:
    """An array taken apart; ``str`` puts it together again."""

    items: tuple[Item, ...]
    tail: str
    """What stands before the closing bracket."""

    @classmethod
    def parse(cls, text: str) -> ArrayText:
        """Take an array apart.

        Args:
            text: from its opening bracket to its closing one, as valid TOML.

        Raises:
            ValueError: it is something else.
        """
        if not (text.startswith("[") and text.endswith("]")):
            raise ValueError(f"{text!r} is no array")
        items: list[Item] = []
        lead, value, gap, depth = "", "", "", 0
        for kind, token in _tokens(text[1:-1]):
            depth += (kind == "open") - (kind == "close")
            if depth or kind in {"string", "bare", "close"}:
                value, gap = f"{value}{gap}{token}", ""
            elif kind == "comma":
                items.append(Item(lead=lead, text=value, gap=gap, comma=True))
                lead, value, gap = "", "", ""
            elif value:
                gap += token
            else:
                lead += token
        if value:
            items.append(Item(lead=lead, text=value))
            lead = gap
        return _with_comments_at_their_items(items, lead)

    def __str__(self) -> str:
        return f"[{''.join(map(str, self.items))}{self.tail}]"

    def inserted(self, index: int, text: str) -> ArrayText:
        """With an item before that at ``index``, or after all; formatted as its neighbours are."""
        items = list(self.items)
        if not items:
            return self._first(text)
        between = self._between()
        if index >= len(items):
            last = items[-1]
            items[-1] = replace(last, comma=True)
            space = between
            if "#" in last.behind and "\n" not in space:
                space = f"{self._newline()}{_INDENT}"
            items.append(Item(lead=space, text=text, comma=last.comma))
        elif index == 0:
            new = Item(lead=items[0].lead, text=text, comma=True)
            items[:1] = [new, replace(items[0], lead=between)]
        else:
            items.insert(index, Item(lead=items[index].space, text=text, comma=True))
        return replace(self, items=tuple(items))

    def removed(self, index: int) -> ArrayText:
        """Without an item and the comment on its line; comments on lines above it stay."""
        items, tail = list(self.items), self.tail
        gone = items.pop(index)
        if index < len(items):
            after = items[index]
            space = gone.space if index == 0 else after.space
            items[index] = replace(after, lead=f"{gone.comments}{after.comments}{space}")
        else:
            tail = f"{gone.comments}{tail}"
            if items:
                items[-1] = replace(items[-1], comma=gone.comma)
        return ArrayText(items=tuple(items), tail=tail)

    def replaced(self, index: int, text: str) -> ArrayText:
        """With another text instead of an item's."""
        items = list(self.items)
        items[index] = replace(items[index], text=text)
        return replace(self, items=tuple(items))

    def _first(self, text: str) -> ArrayText:
        if "\n" not in self.tail:
            return replace(self, items=(Item(lead=self.tail, text=text),))
        closing = _LAST_SPACE.search(self.tail)
        end = closing.group() if closing and closing.group().strip(" \t") else self._newline()
        lead = f"{self.tail.removesuffix(end)}{end}{_INDENT}"
        return ArrayText(items=(Item(lead=lead, text=text, comma=True),), tail=end)

    def _between(self) -> str:
        """The space that separates items here."""
        if len(self.items) > 1:
            return self.items[1].space
        space = self.items[0].space
        return space if "\n" in space else " "

    def _newline(self) -> str:
        found = _NEWLINE.search(str(self))
        return found.group() if found else "\n"


def _with_comments_at_their_items(items: list[Item], tail: str) -> ArrayText:
    """With what follows an item on its line as that item's, not its successor's."""
    leads = [item.lead for item in items[1:]] + [tail]
    for index, lead in enumerate(leads):
        end = _NEWLINE.search(lead)
        line = lead[: end.start()] if end else ""
        if "#" in line and items:
            items[index] = replace(items[index], behind=line)
            leads[index] = lead[len(line) :]
            if index + 1 < len(items):
                items[index + 1] = replace(items[index + 1], lead=leads[index])
    return ArrayText(items=tuple(items), tail=leads[-1])


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise ValueError(f"{text[position : position + 20]!r} is no part of an array")
        found.append((match.lastgroup, match.group()))
        position = match.end()
    return found
