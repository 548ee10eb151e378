"""Reports as one HTML page each: tables and SVG, nothing loaded from anywhere, no script.

Pipeline dashboards show an ``HTML`` artifact in a frame that may load nothing; and a library that
draws would be larger than all that most environments hold.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from components.shared.archives import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_STYLE = """
body{font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:60em;padding:0 1em;color:#222}
h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}
table{border-collapse:collapse}
td,th{padding:.2em .8em;border-bottom:1px solid #ddd;text-align:left}
td.number{text-align:right;font-variant-numeric:tabular-nums}tr.bad td{background:#fdecea}
p{color:#555}svg{max-width:100%}
"""
_WIDTH, _HEIGHT, _LEFT, _BAR = 640, 320, 60, 22


def write_page(path: str, title: str, sections: Iterable[tuple[str, str]]) -> None:
    """Write a page, atomically.

    Args:
        path: The artifact.
        title: Of the page.
        sections: Of each its heading, which may be empty, and HTML that the functions of this
            module made.
    """
    body = "".join(
        (f"<h2>{html.escape(head)}</h2>" if head else "") + content for head, content in sections
    )
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1>{body}</html>\n"
    )
    write_atomically(path, lambda stream: (stream.write(text.encode()), None)[1])


def paragraph(text: str) -> str:
    """A sentence."""
    return f"<p>{html.escape(text)}</p>"


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, bad: Iterable[int] = ()) -> str:
    """A table; the rows with the numbers ``bad`` are marked. Numbers have four digits."""
    marked = set(bad)
    cells = "".join(f"<th>{html.escape(each)}</th>" for each in head)
    body = []
    for number, row in enumerate(rows):
        mark = ' class="bad"' if number in marked else ""
        body.append(f"<tr{mark}>{''.join(map(_cell, row))}</tr>")
    return f"<table><tr>{cells}</tr>{''.join(body)}</table>"


def bars(values: Sequence[tuple[str, float]]) -> str:
    """Bars from the left, one a name; what is below zero has none."""
    most = max((value for _, value in values), default=0) or 1
    height = _BAR * len(values) + 4
    drawn = []
    for at, (name, value) in enumerate(values):
        y = _BAR * at + 4
        width = max(0.0, value) / most * (_WIDTH - 280)
        drawn.append(
            f'<text x="190" y="{y + 12}" text-anchor="end">{html.escape(name[:28])}</text>'
            f'<rect x="200" y="{y}" width="{width:.1f}" height="14" fill="#4477aa"/>'
            f'<text x="{205 + width:.1f}" y="{y + 12}">{value:.4g}</text>'
        )
    return _svg("".join(drawn), height)


def pairs(labels: Sequence[str], first: Sequence[float], second: Sequence[float]) -> str:
    """Two shares of each label, upright and side by side: the first blue, the second orange."""
    height = _HEIGHT // 2
    most = max([*first, *second, 1e-9])
    step = _WIDTH / max(len(labels), 1)
    drawn = []
    for at, (label, *pair) in enumerate(zip(labels, first, second, strict=True)):
        for which, (value, colour) in enumerate(zip(pair, ("#4477aa", "#d98032"), strict=True)):
            tall = height * value / most
            drawn.append(
                f'<rect x="{step * (at + 0.1 + 0.4 * which):.1f}" y="{height - tall:.1f}" '
                f'width="{step * 0.4:.1f}" height="{tall:.1f}" fill="{colour}">'
                f"<title>{html.escape(f'{label}: {value:.3f}')}</title></rect>"
            )
    return _svg("".join(drawn), height)


def chart(
    points: Sequence[tuple[float, float]], *, across: str, up: str, line: bool, diagonal: bool
) -> str:
    """Points over two axes, joined to a line or not; ``diagonal`` draws where both are equal."""
    xs, ys = zip(*points, strict=True)
    low_x, high_x, low_y, high_y = min(xs), max(xs), min(ys), max(ys)
    if diagonal:
        low_x = low_y = min(low_x, low_y)
        high_x = high_y = max(high_x, high_y)

    def place(x: float, y: float) -> tuple[float, float]:
        right = (x - low_x) / ((high_x - low_x) or 1) * (_WIDTH - _LEFT - 20)
        above = (y - low_y) / ((high_y - low_y) or 1) * (_HEIGHT - 60)
        return _LEFT + right, _HEIGHT - 40 - above

    placed = [place(*point) for point in points]
    if line:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
        drawn = f'<polyline points="{path}" fill="none" stroke="#4477aa" stroke-width="2"/>'
    else:
        drawn = "".join(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="#4477aa" fill-opacity=".6"/>'
            for x, y in placed
        )
    if diagonal:
        (x1, y1), (x2, y2) = place(low_x, low_y), place(high_x, high_y)
        drawn += f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#aaa" fill="none"/>'
    bottom = _HEIGHT - 40
    ticks = (
        f'<path d="M{_LEFT} 20V{bottom}H{_WIDTH - 20}" stroke="#222" fill="none"/>'
        f'<text x="{_LEFT}" y="{bottom + 16}">{low_x:.4g}</text>'
        f'<text x="{_WIDTH - 20}" y="{bottom + 16}" text-anchor="end">{high_x:.4g}</text>'
        f'<text x="{_LEFT - 6}" y="{bottom}" text-anchor="end">{low_y:.4g}</text>'
        f'<text x="{_LEFT - 6}" y="28" text-anchor="end">{high_y:.4g}</text>'
        f'<text x="{_WIDTH // 2}" y="{_HEIGHT - 6}" text-anchor="middle">'
        f"{html.escape(across)}</text>"
        f'<text x="{_LEFT + 6}" y="14">{html.escape(up)}</text>'
    )
    return _svg(ticks + drawn, _HEIGHT)


def _svg(inner: str, height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-size="12">{inner}</svg>'
    )


def _cell(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"<td>{html.escape('' if value is None else str(value))}</td>"
    text = f"{value:.4g}" if isinstance(value, float) else f"{value:,}"
    return f'<td class="number">{text}</td>'
