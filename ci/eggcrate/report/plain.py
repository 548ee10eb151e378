"""Output of programs as plain text: whatever they wrote, nothing in it acts on its reader."""

from __future__ import annotations

import re

_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]?"  # control sequences: colours, cursor
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # titles, links
    r"|\x1b[ -/]*[0-~]?"
)
_OVERPRINTED = re.compile(r"[^\n]*\r(?!\n)")
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2028\u2029\u2060-\u2069"
    "\ud800-\udfff\ufeff\ufffe\uffff]"
)
"""Control characters, those that turn the direction of text, and what XML has no place for."""
_TELLING = re.compile(r"E( |$)|\S+:\d+: |(FAILED|ERROR) |[\w.]*(Error|Exception|Interrupt)\b")


_END = 200_000
"""Characters at the end of an output that are looked at."""


def plain(text: str) -> str:
    """Without colours, control characters and what a carriage return has overprinted."""
    if text.isprintable() and text.isascii():
        return text
    text = re.sub(r"\r+(?=\n|\Z)", "", text)
    return _UNSEEN.sub("", _OVERPRINTED.sub("", _SEQUENCES.sub("", text)))


def telling(output: str, lines: int) -> list[str]:
    """The last lines of an output that tell why it failed.

    Of pytest's: the errors, where they stand and the summary. Of anything else: its end.
    """
    every = [line.rstrip() for line in plain(output[-_END:]).rstrip().splitlines()]
    if any(line.startswith("E  ") for line in every):
        every = [line for line in every if _TELLING.match(line)]
    return every[-lines:] if lines > 0 else []


def tail(text: str, limit: int) -> tuple[str, int]:
    """The end of a text, whole lines of at most ``limit`` characters, and how many are missing."""
    if len(text) <= limit:
        return text, 0
    start = len(text) - limit
    line_end = text.find("\n", start, start + limit // 2)
    start = start if line_end < 0 else line_end + 1
    return text[start:], start
