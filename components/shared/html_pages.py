"""A page of HTML for a report: headings, tables and bars, in one file that needs no other."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;"
    "color:#1b1b1b;background:#fff}table{border-collapse:collapse;margin:1rem 0}"
    "th,td{padding:.3rem .7rem;text-align:left;border-bottom:1px solid #ddd}"
    "td.number{text-align:right;font-variant-numeric:tabular-nums}"
    "tr.bad td{background:#fdecea}rect{fill:#3b6ea5}rect.other{fill:#d98032}"
)


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page; ``parts`` are what the functions below make."""
    name = html.escape(title)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{name}</title><style>{_STYLE}</style></head><body>\n<h1>{name}</h1>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def paragraph(text: str) -> str:
    """A sentence or two."""
    return f"<p>{html.escape(text)}</p>"


def heading(text: str) -> str:
    """A heading of a part."""
    return f"<h2>{html.escape(text)}</h2>"


def table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], *, bad: Iterable[int] = ()
) -> str:
    """A table; the rows with the numbers ``bad`` are marked. Numbers have four digits."""
    marked = set(bad)
    lines = [f"<tr>{''.join(f'<th>{html.escape(each)}</th>' for each in headings)}</tr>"]
    for number, row in enumerate(rows):
        mark = ' class="bad"' if number in marked else ""
        lines.append(f"<tr{mark}>{''.join(map(_cell, row))}</tr>")
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def bars(labels: Sequence[str], first: Sequence[float], second: Sequence[float]) -> str:
    """Two shares for each label, side by side: the first blue, the second orange."""
    largest = max([*first, *second, 1e-9])
    width, height = 640, 160
    step = width / max(len(labels), 1)
    found = []
    for number, (label, *pair) in enumerate(zip(labels, first, second, strict=True)):
        for which, value in enumerate(pair):
            tall = height * value / largest
            left = step * (number + 0.1 + 0.4 * which)
            name = html.escape(f"{label}: {value:.3f}")
            kind = ' class="other"' if which else ""
            found.append(
                f'<rect{kind} x="{left:.1f}" y="{height - tall:.1f}" width="{step * 0.4:.1f}" '
                f'height="{tall:.1f}"><title>{name}</title></rect>'
            )
    return f'<svg viewBox="0 0 {width} {height}" width="{width}">{"".join(found)}</svg>'


def _cell(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"<td>{html.escape('' if value is None else str(value))}</td>"
    text = f"{value:.4g}" if isinstance(value, float) else f"{value:,}"
    return f'<td class="number">{text}</td>'
