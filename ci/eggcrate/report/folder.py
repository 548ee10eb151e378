"""``build/matrix/``: everything that a run leaves behind."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eggcrate.files import atomic_write
from eggcrate.matrix.cells import CellResult, Outcome
from eggcrate.report.contents import images_of, read_images
from eggcrate.report.document import log_name, log_text, session_document
from eggcrate.report.junit import junit
from eggcrate.report.markdown import markdown
from eggcrate.report.page import page
from eggcrate.report.suggestions import as_json, sentences
from eggcrate.report.trend import read_previous

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from eggcrate.matrix.cells import Cell
    from eggcrate.matrix.session import Session
    from eggcrate.matrix.suggestion import Suggestion
    from eggcrate.report.trend import Before


def write_all(
    session: Session,
    folder: Path,
    *,
    read_blob: Callable[[str], bytes],
    previous: Mapping[Cell, Before] | None = None,
    suggestions: Sequence[Suggestion] = (),
    unasked: Callable[[Cell], bool] | None = None,
) -> None:
    """Write ``index.html``, ``junit.xml``, ``summary.md``, ``matrix.json`` and the logs.

    ``matrix.json`` is the last: it is what the next run compares with, and stands for a run
    that was written whole.

    Args:
        session: the run.
        folder: where they go.
        read_blob: the store's, for the manifests of images.
        previous: what became of cells before; by default what ``folder`` tells.
        suggestions: what it suggests, the most valuable first.
        unasked: whether the run was not about a cell. Where such a cell was not good before,
            ``matrix.json`` goes on saying so; by default the run was about everything.
    """
    before = read_previous(folder) if previous is None else previous
    images = read_images(images_of(session).items(), read_blob)
    _write_logs(session, folder)
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    told = sentences(suggestions)
    known = {result.cell for result in session.results}
    carried = [
        CellResult(cell=cell, outcome=Outcome.NOT_SELECTED)
        for cell, last in before.items()
        if unasked and not last.outcome.good and cell not in known and unasked(cell)
    ]
    whole = replace(session, results=(*session.results, *carried))
    document = session_document(whole, before, images, as_json(suggestions), finished=finished)
    html = page(session, before, images, told, finished=finished)
    atomic_write(folder / "junit.xml", junit(session))
    atomic_write(
        folder / "summary.md", markdown(session, before, images, sentences(suggestions, 20))
    )
    atomic_write(folder / "index.html", html)
    atomic_write(folder / "matrix.json", _lines(document))


def _lines(document: Mapping[str, Any]) -> str:
    """The document as JSON with a line for each cell, so that two runs can be compared."""
    parts = [
        f"{json.dumps(name)}: [\n{_each(value)}]" if name == "cells" else _pair(name, value)
        for name, value in document.items()
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _pair(name: str, value: object) -> str:
    return f"{json.dumps(name)}: {json.dumps(value)}"


def _each(cells: Iterable[object]) -> str:
    return ",\n".join(f"  {json.dumps(cell)}" for cell in cells) + "\n"


def _write_logs(session: Session, folder: Path) -> None:
    """A file for each cell that ran; those of cells that did not run now are removed."""
    written = set()
    for result in session.results:
        if output := log_text(result):
            path = folder / log_name(result)
            atomic_write(path, output.encode(errors="replace"), flush=False)
            written.add(path)
    for place, _, names in os.walk(folder / "logs"):
        for path in (Path(place, name) for name in names):
            if path not in written:
                path.unlink(missing_ok=True)
