"""The matrix as Markdown, for a pull request: the verdict first, details folded.

What programs and people wrote is text here and nothing else: it can open no tag, no link and
no mention.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eggcrate.matrix.cells import CellResult, Outcome
from eggcrate.progress import human_size
from eggcrate.report.contents import fillings, stored_bytes
from eggcrate.report.document import session_errors, totals
from eggcrate.report.plain import plain, telling
from eggcrate.report.trend import trend

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from eggcrate.matrix.cells import Cell
    from eggcrate.matrix.session import Session
    from eggcrate.report.contents import ImageContent
    from eggcrate.report.trend import Before

LIMIT = 60_000
"""Characters: comments on GitHub may have 65,536."""
_LINES, _LINE = 20, 400
_ROWS = 100
_HARMLESS = re.compile(r"[^\w\s.,:;/()=+%-]|_")


def markdown(
    session: Session,
    previous: Mapping[Cell, Before],
    images: Sequence[ImageContent],
    suggestions: Sequence[str] = (),
    *,
    limit: int = LIMIT,
) -> str:
    """A run as Markdown of at most ``limit`` characters; what is cut is said."""
    results = sorted(session.results, key=lambda result: result.cell)
    bad = [result for result in results if not result.outcome.good]
    sections = [
        _verdict(session, bad),
        _problems(session),
        _table("Not good", bad),
        _table("Flaky", [one for one in results if one.outcome is Outcome.FLAKY]),
        _changes(results, previous),
        *(_details(result) for result in bad),
        folded("Suggestions", "\n".join(f"- {safe(one, 4 * _LINE)}" for one in suggestions)),
        folded("Images", _images(images)),
    ]
    return fitted(filter(None, sections), limit, "`build/matrix/index.html`")


def fitted(sections: Iterable[str], limit: int, whole: str) -> str:
    """Those sections that fit, in their order; what did not is said.

    Args:
        sections: the most important first.
        limit: characters.
        whole: where everything stands, as Markdown.
    """
    kept, left, room = [], 0, limit - 200
    for section in sections:
        if len(section) + 2 <= room:
            kept.append(section)
            room -= len(section) + 2
        else:
            left += 1
    if left:
        kept.append(
            f"_{left} part{'s' * (left > 1)} of this report did not fit here; "
            f"{whole} holds everything._"
        )
    return "\n\n".join(kept) + "\n"


def safe(text: str, most: int = _LINE) -> str:
    """A text of anyone's as one line of Markdown that shows just that text, up to a length."""
    one_line = " ".join(plain(text).split())
    return _HARMLESS.sub(lambda found: f"&#{ord(found[0])};", one_line[:most])


def _verdict(session: Session, bad: Sequence[CellResult]) -> str:
    proven = sum(
        result.outcome not in {Outcome.INCOMPATIBLE, Outcome.NOT_SELECTED}
        for result in session.results
    )
    stopped = len(session_errors(session))
    if bad:
        head = f"❌ {len(bad)} of {proven} cells are not good"
    elif stopped:
        head = f"❌ {stopped} error{'s' * (stopped > 1)} before any cell could be proven"
    else:
        head = f"✅ all {proven} cells are proven" if proven else "No cell was proven"
    counts = ", ".join(f"{count} {word}" for word, count in totals(session.results).items())
    return f"## Matrix: {head}\n\n{counts or 'no cells'} in {session.seconds:.1f} s."


def _problems(session: Session) -> str:
    lines = [
        f"- **{safe(error['subject'])}**: {safe(error['what'])}"
        + (f" ({safe(error['why'])})" if error["why"] else "")
        + (f". Next: {safe(error['hint'])}" if error["hint"] else "")
        for error in session_errors(session)
    ]
    return "\n".join(at_most(lines, "- and {} more errors"))


def _table(title: str, results: Sequence[CellResult]) -> str:
    if not results:
        return ""
    lines = [
        f"| {safe(result.cell.row)} | {safe(result.cell.environment)} "
        f"| {'**' if not result.outcome.good else ''}{result.outcome.value}"
        f"{'**' if not result.outcome.good else ''} | {safe(result.reason)} |"
        for result in results
    ]
    head = ["| component | environment | outcome | why |", "|---|---|---|---|"]
    rows = at_most(lines, "| and {} more | | | |")
    return "\n".join([f"### {title}", "", *head, *rows])


def _changes(results: Sequence[CellResult], previous: Mapping[Cell, Before]) -> str:
    found = trend(results, previous)
    lines = [
        f"- {safe(str(one.cell))}: {previous[one.cell].outcome.value} → **{one.outcome.value}**"
        for one in (*found.worse, *found.mended)
    ] + [
        f"- {safe(str(one.cell))}: {previous[one.cell].seconds:.1f} s → **{one.seconds:.1f} s**"
        for one in found.slower
    ]
    return folded("Changed since the previous run", "\n".join(at_most(lines, "- and {} more")))


def _details(result: CellResult) -> str:
    lines = [line[:_LINE] for line in telling(result.output, _LINES)]
    parts = [fenced("\n".join(lines))] if lines else []
    if result.command:
        parts.append(f"Run it again:\n\n{fenced(result.command)}")
    return folded(f"{result.cell}: {result.outcome.value}", "\n\n".join(parts))


def _images(images: Sequence[ImageContent]) -> str:
    if not images:
        return ""
    rows = []
    for image in sorted(images, key=lambda one: -one.size):
        largest = ", ".join(
            f"{safe(one.name)} {human_size(one.size)}" for one in fillings(image.layers)[:3]
        )
        rows.append(
            f"| {safe(image.name)} | {human_size(image.size)} | {len(image.layers)} | {largest} |"
        )
    total = sum(image.size for image in images)
    told = (
        f"{human_size(total)} in all, {human_size(stored_bytes(images))} stored: "
        "layers are shared. Sizes are compressed."
    )
    head = ["| image | size | layers | largest |", "|---|--:|--:|---|"]
    return "\n".join([*head, *at_most(rows, "| and {} more | | | |"), "", told])


def folded(title: str, body: str) -> str:
    """A part that is opened by a click; nothing without a body."""
    if not body:
        return ""
    return f"<details><summary>{safe(title)}</summary>\n\n{body}\n\n</details>"


def fenced(text: str) -> str:
    """A block of code whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{plain(text)}\n{fence}"


def at_most(lines: Iterable[str], more: str, most: int = _ROWS) -> list[str]:
    """The first lines, and how many are left out."""
    every = list(lines)
    left = len(every) - most
    return [*every[:most], *([more.format(left)] if left > 0 else [])]
