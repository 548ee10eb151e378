"""Coverage over all cells, for people and for programs: values in, text out."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

from eggcrate.files import atomic_write
from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from eggcrate.matrix.coverage import Coverage, FileCoverage

SCHEMA = "eggcrate.coverage/1"
_STYLE = """
:root { color-scheme: light dark; --bad: #c62828; --good: #2e7d32; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 1rem auto; max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse } td, th { padding: .2rem .8rem .2rem 0; text-align: left }
td.n { text-align: right; font-variant-numeric: tabular-nums } meter { width: 8rem }
pre { overflow-x: auto; line-height: 1.35 } summary { cursor: pointer }
.no { background: color-mix(in srgb, var(--bad) 22%, transparent) }
.yes { background: color-mix(in srgb, var(--good) 14%, transparent) }
.no::before { content: "! " } .yes::before { content: "  " } .is::before { content: "  " }
"""


def text(coverage: Coverage) -> str:
    """A line for each component and each helper module."""
    rows = [[name, *_figures(files)] for name, files in _groups(coverage)]
    shown = (
        table(("coverage", "lines", "run", "share"), rows, right="lines run share") if rows else ""
    )
    told = [f"not measured: {name}" for name in coverage.silent]
    return "\n".join([*([shown] if shown else ["coverage: no cell told any line"]), *told])


def write_coverage(coverage: Coverage, folder: Path, root: Path) -> None:
    """Write ``coverage.json``, ``lcov.info`` and ``index.html``.

    Args:
        coverage: what ran.
        folder: where they go.
        root: the repository, whose sources the page shows.
    """
    atomic_write(folder / "coverage.json", json.dumps(document(coverage), indent=1) + "\n")
    atomic_write(folder / "lcov.info", lcov(coverage.files))
    atomic_write(folder / "index.html", page(coverage, root))


def document(coverage: Coverage) -> dict[str, Any]:
    """For programs."""
    return {
        "schema": SCHEMA,
        "components": [
            {"name": name, "cells": count, **_totals(_of(coverage, name))}
            for name, count in coverage.cells.items()
        ],
        "files": [
            {
                "path": file.path,
                "component": file.owner,
                **_totals([file]),
                "missing": list(file.missing),
                "by": {name: len(lines.covered) for name, lines in file.by.items()},
            }
            for file in coverage.files
        ],
        "totals": _totals(coverage.files),
        "not_measured": list(coverage.silent),
    }


def lcov(files: Iterable[FileCoverage]) -> str:
    """As editors and code review tools read it."""
    parts = []
    for file in files:
        covered = file.lines.covered
        lines = [
            f"DA:{number},{int(number in covered)}" for number in sorted(file.lines.statements)
        ]
        totals = _totals([file])
        parts += [f"SF:{file.path}", *lines]
        parts += [f"LF:{totals['statements']}", f"LH:{totals['covered']}", "end_of_record"]
    return "".join(f"{part}\n" for part in parts)


def page(coverage: Coverage, root: Path) -> str:
    """One page that holds everything, without scripts."""
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td class=n>{lines}</td><td class=n>{run}</td>"
        f"<td class=n>{share}</td><td><meter min=0 max=100 value={share.rstrip('%')}>"
        f"{share}</meter></td></tr>"
        for name, (lines, run, share) in ((name, _figures(f)) for name, f in _groups(coverage))
    )
    silent = "".join(f"<li>not measured: {html.escape(name)}</li>" for name in coverage.silent)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>Coverage over all cells</title><style>{_STYLE}</style><h1>Coverage over all cells"
        "</h1><p>A line counts when it ran in the tests of any cell. Components run as compiled "
        "are not measured.</p><table><thead><tr><th>component or module</th><th>lines</th>"
        f"<th>run</th><th>share</th><th></th></tr></thead><tbody>{rows}</tbody></table>"
        f"<ul>{silent}</ul>{''.join(_source(file, root) for file in coverage.files)}</html>\n"
    )


def _source(file: FileCoverage, root: Path) -> str:
    try:
        source = (root / file.path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        source = ""
    shown = "\n".join(
        f'<span class="{_word(number, file)}">{number:4} {html.escape(line)}</span>'
        for number, line in enumerate(source.splitlines(), 1)
    )
    by = ", ".join(f"{name} {len(lines.covered)}" for name, lines in file.by.items())
    share = _figures([file])[2]
    return (
        f"<details><summary>{html.escape(file.path)}: {share}</summary>"
        f"<p>lines by component: {html.escape(by)}</p><pre>{shown}</pre></details>"
    )


def _word(number: int, file: FileCoverage) -> str:
    if number not in file.lines.statements:
        return "is"
    return "yes" if number in file.lines.covered else "no"


def _groups(coverage: Coverage) -> list[tuple[str, list[FileCoverage]]]:
    """Each component's own files; then helper modules, each by itself."""
    own = [(name, _of(coverage, name)) for name in coverage.cells]
    return own + [(file.path, [file]) for file in coverage.files if not file.owner]


def _of(coverage: Coverage, name: str) -> list[FileCoverage]:
    return [file for file in coverage.files if file.owner == name]


def _totals(files: Iterable[FileCoverage]) -> dict[str, int]:
    every = list(files)
    return {
        "statements": sum(len(file.lines.statements) for file in every),
        "covered": sum(len(file.lines.covered) for file in every),
    }


def _figures(files: Iterable[FileCoverage]) -> tuple[str, str, str]:
    totals = _totals(files)
    share = 100 * totals["covered"] // totals["statements"] if totals["statements"] else 100
    return str(totals["statements"]), str(totals["covered"]), f"{share}%"
