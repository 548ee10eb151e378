"""Bars as an SVG file: readable on a light and on a dark page, no script, no font of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#1f2328}.quiet{fill:#59636e}"
    ".own{fill:#c9581a}.shared{fill:#2f6fb2}"
    "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9aa4af}"
    ".own{fill:#f0883e}.shared{fill:#58a6ff}}"
)
_NAMES, _BARS, _TOLD, _ROW, _TOP = 160, 480, 90, 22, 34


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One row: two parts of a whole, and what stands beside them."""

    name: str
    shared: float
    own: float
    told: str


def bars(title: str, legend: tuple[str, str], rows: Sequence[Bar]) -> str:
    """A drawing, one bar a row, all on one scale.

    Args:
        title: for those who cannot see it.
        legend: what the first part of a bar is, and the second.
        rows: from top to bottom.
    """
    largest = max((row.shared + row.own for row in rows), default=0) or 1
    width, height = _NAMES + _BARS + _TOLD, _TOP + _ROW * len(rows) + 6
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
    ]
    for at, (kind, text) in enumerate(zip(("shared", "own"), legend, strict=True)):
        x = _NAMES + at * _BARS // 2
        drawn.append(f'<rect class="{kind}" x="{x}" y="8" width="12" height="12"/>')
        drawn.append(f'<text class="quiet" x="{x + 18}" y="18">{escape(text)}</text>')
    for number, row in enumerate(rows):
        y = _TOP + _ROW * number
        first, second = (_BARS * part / largest for part in (row.shared, row.own))
        middle, end = _NAMES + first, _NAMES + first + second
        drawn += [
            f'<text x="{_NAMES - 8}" y="{y + 12}" text-anchor="end">{escape(row.name)}</text>',
            f'<rect class="shared" x="{_NAMES}" y="{y}" width="{first:.1f}" height="15"/>',
            f'<rect class="own" x="{middle:.1f}" y="{y}" width="{second:.1f}" height="15"/>',
            f'<text class="quiet" x="{end + 6:.1f}" y="{y + 12}">{escape(row.told)}</text>',
        ]
    return "\n".join([*drawn, "</svg>\n"])
