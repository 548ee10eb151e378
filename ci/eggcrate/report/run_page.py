"""A local run as one page: ``index.html`` in the run's folder, made from its ``run.json``.

Like the matrix's, it is data, style and program in one file. What a task wrote is text in it; an
HTML artifact stands in a frame that may run nothing, load nothing and reach nothing.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from eggcrate.files import atomic_write
from eggcrate.report.page import allowed, asset, embedded, filled
from eggcrate.report.run_data import read_run, run_data

if TYPE_CHECKING:
    from pathlib import Path

_STYLES = ("page.css", "run.css")
_SCRIPTS = ("common.js", "panel.js", "run.js", "run_graph.js", "run_metrics.js", "run_sections.js")


def write_run_page(folder: Path) -> Path:
    """Write the page of a run.

    Args:
        folder: the run's; ``run.json`` is in it, and earlier runs of the pipeline beside it.

    Returns:
        The page, ``index.html`` in the folder.

    Raises:
        EggcrateError: ``run.json`` cannot be read.
    """
    data = run_data(read_run(folder), folder)
    script = '(() => {\n"use strict";\n' + "\n".join(map(asset, _SCRIPTS)) + "})();\n"
    # A frame inherits the policy: styles of HTML artifacts are let through, and nothing else.
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src 'unsafe-inline'; script-src {allowed(script)}"
    )
    parts = {
        "title": html.escape(f"Run of {data['pipeline']}: {data['state']}"),
        "policy": html.escape(policy),
        "style": "".join(map(asset, _STYLES)),
        "script": script,
        "data": embedded(data),
    }
    path = folder / "index.html"
    text = filled(asset("run.html"), parts)
    atomic_write(path, text.encode(errors="replace"), flush=False)
    return path
