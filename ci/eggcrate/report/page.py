"""The matrix as one page: data, style and program in a single file that needs nothing else.

It is opened from disk, so what it shows is data in it and never markup: the program writes
text nodes only, and the page's policy runs that one program and loads nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eggcrate.build.values import UnitKind
from eggcrate.matrix.cells import Outcome
from eggcrate.report.contents import fillings
from eggcrate.report.document import session_errors
from eggcrate.report.page_cells import Strings, cells_data

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eggcrate.build.values import Unit
    from eggcrate.matrix.cells import Cell
    from eggcrate.matrix.session import Session
    from eggcrate.report.contents import ImageContent
    from eggcrate.report.trend import Before

_ASSETS = Path(__file__).parent / "assets"
_SCRIPTS = ("common.js", "page.js", "grid.js", "panel.js", "details.js", "sections.js")
_PLACE = re.compile(r"\{\{(\w+)\}\}")


def page(
    session: Session,
    previous: Mapping[Cell, Before],
    images: Sequence[ImageContent] = (),
    suggestions: Sequence[str] = (),
    *,
    finished: str = "",
) -> str:
    """A run as HTML.

    Args:
        session: the run.
        previous: what became of its cells before.
        images: what its images hold.
        suggestions: sentences to be shown.
        finished: when it ended, in ISO 8601.
    """
    style = asset("page.css")
    script = '(() => {\n"use strict";\n' + "\n".join(map(asset, _SCRIPTS)) + "})();\n"
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src {allowed(style)}; script-src {allowed(script)}"
    )
    strings = Strings()
    data = {
        "good": session.good,
        "finished": finished,
        "imageSeconds": round(session.image_seconds, 3),
        "cellSeconds": round(session.cell_seconds, 3),
        "errors": session_errors(session),
        "suggestions": list(suggestions),
        **cells_data(session.results, previous, strings),
        **images_data(images, strings),
        "strings": strings.all,
    }
    parts = {
        "title": html.escape(_title(session)),
        "policy": html.escape(policy),
        "style": style,
        "script": script,
        "data": embedded(data),
    }
    return filled(asset("page.html"), parts)


def filled(template: str, parts: Mapping[str, str]) -> str:
    """A template with each ``{{place}}`` filled, once: what is filled in is not read again."""
    return _PLACE.sub(lambda found: parts[found[1]], template)


def images_data(images: Sequence[ImageContent], strings: Strings) -> dict[str, Any]:
    """Images and layers for the page's program; layers that are shared stand once."""
    layers = {layer.digest: layer for image in images for layer in image.layers}
    places = {digest: place for place, digest in enumerate(layers)}
    return {
        "layers": [
            [layer.size, [strings.place(_unit(unit)) for unit in layer.units]]
            for layer in layers.values()
        ],
        "images": [
            [
                image.name,
                image.digest,
                [places[layer.digest] for layer in image.layers],
                [
                    [
                        strings.place(one.name),
                        strings.place(one.version),
                        one.kind,
                        one.files,
                        one.bytecode,
                    ]
                    for one in fillings(image.layers)
                ],
            ]
            for image in images
        ],
    }


def embedded(value: object) -> str:
    """JSON that can stand in a script element: nothing in it ends the element or opens another."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _unit(unit: Unit) -> str:
    bytecode = " (bytecode)" if unit.kind is UnitKind.BYTECODE else ""
    return f"{unit.name} {unit.version}{bytecode}".strip()


def _title(session: Session) -> str:
    bad = sum(not result.outcome.good for result in session.results)
    stopped = len(session_errors(session))
    proven = sum(
        result.outcome not in {Outcome.INCOMPATIBLE, Outcome.NOT_SELECTED}
        for result in session.results
    )
    if bad:
        return f"Matrix: {bad} of {proven} cells {'is' if bad == 1 else 'are'} not good"
    if stopped:
        return f"Matrix: {stopped} error{'s' * (stopped > 1)}, {proven} cells proven"
    return f"Matrix: all {proven} cells are proven" if proven else "Matrix: no cell was proven"


def allowed(content: str) -> str:
    """A style or script as a page's policy names it."""
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def asset(name: str) -> str:
    """A file that pages are made of."""
    return (_ASSETS / name).read_text(encoding="utf-8")
