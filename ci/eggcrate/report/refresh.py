"""A refresh of bases: for a terminal, for programs, and for the pull request it becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.matrix.rebase import State
from eggcrate.progress import human_size
from eggcrate.report.lock import deb_changes
from eggcrate.report.markdown import LIMIT, at_most, fitted, folded, safe
from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eggcrate.matrix.cells import CellResult
    from eggcrate.matrix.rebase import Image, Rebase
    from eggcrate.matrix.refresh import Moved

_HEADINGS = {
    State.UP_TO_DATE: "Bases are fresh",
    State.TO_REFRESH: "Bases can be refreshed",
    State.REFRESHED: "Bases refreshed",
    State.REFUSED: "Bases not refreshed",
}


def text(one: Rebase) -> str:
    """What moved, what became of each environment, and the verdict."""
    parts = [deb_changes(moved.name, moved.before, moved.after) for moved in one.refresh.moved]
    if one.images:
        header = ["environment", "platform", "verdict", "kept", "new", "made anew"]
        parts.append(table(header, [_row(image) for image in one.images], right="kept new"))
    parts += [f"{name}: {error}" for name, error in _errors(one)]
    parts += [_cell(result) for result in one.failing]
    parts.append("\n".join([*_notes(one), _verdict(one)]))
    return "\n\n".join(parts)


def _row(image: Image) -> list[str]:
    built = image.built
    return [
        built.environment,
        built.platform,
        built.verdict.value,
        f"{image.kept}/{image.layers}" if built.good else "-",
        human_size(image.new_bytes) if built.good else "-",
        ", ".join(image.remade) or "-",
    ]


def _errors(one: Rebase) -> Iterator[tuple[str, str]]:
    for name, error in one.refresh.broken.items():
        yield name, str(error)
    for image in one.images:
        if image.built.error:
            yield image.built.environment, str(image.built.error)
    for name, error in (one.session.matrix.errors if one.session else {}).items():
        yield name, str(error)
    for pushed in one.published:
        if pushed.error:
            yield pushed.image.environment, f"not published: {pushed.error}"


def _cell(result: CellResult) -> str:
    why = f": {result.reason}" if result.reason else ""
    return f"{result.cell} {result.outcome.value}{why}"


def _notes(one: Rebase) -> Iterator[str]:
    refresh = one.refresh
    if refresh.on_request:
        yield f"not built, they are on request only: {', '.join(refresh.on_request)}"
    for name, error in refresh.left_out.items():
        yield f"{name} could not be resolved before either: {error.what}"
    if one.unproven:
        yield f"no component runs in, so nothing proves: {', '.join(one.unproven)}"
    if one.fetched:
        yield f"downloaded, as their layers were nowhere: {', '.join(one.fetched)}"


def _verdict(one: Rebase) -> str:
    names = len({moved.name for moved in one.refresh.moved})
    if one.state is State.UP_TO_DATE:
        return f"{len(one.refresh.bases)} bases are fresh: Debian has nothing newer"
    environments = len({item.name for item in one.refresh.rebased})
    if one.state is State.TO_REFRESH:
        return f"{names} locks would change, {environments} environments would be rebased"
    done = f"{environments} environments rebased" if one.state is State.REFRESHED else "refused"
    figures = [done, *_figures(one), f"{one.seconds:.1f} s"]
    end = "" if one.state is State.REFRESHED else "; the locks are as they were"
    return ", ".join(figures) + end


def _figures(one: Rebase) -> Iterator[str]:
    total = sum(image.layers for image in one.images)
    yield f"{sum(image.kept for image in one.images)} of {total} layers reused"
    yield f"{human_size(one.new_bytes)} new"
    if one.published:
        yield f"{human_size(_pushed(one))} pushed"
    yield f"{len(one.fetched)} packages downloaded"
    if one.session:
        yield f"{one.proven} cells proven, {len(one.failing)} not"


def _pushed(one: Rebase) -> int:
    return sum(item.report.new_bytes for item in one.published if item.report)


def document(one: Rebase, *, dry_run: bool) -> dict[str, Any]:
    """The refresh as ``eggcrate.bases-refresh/1``."""
    pushed = {(item.image.environment, item.image.platform): item for item in one.published}
    return {
        "dry_run": dry_run,
        "state": one.state.value,
        "bases": list(one.refresh.bases),
        "moved": [_moved(moved) for moved in one.refresh.moved],
        "rebased": list(dict.fromkeys(item.name for item in one.refresh.rebased)),
        "on_request": list(one.refresh.on_request),
        "environments": [
            {
                "name": image.built.environment,
                "platform": image.built.platform,
                "verdict": image.built.verdict.value,
                "key": image.built.key,
                "digest": image.built.digest,
                "base": image.built.base,
                "layers": image.layers,
                "layers_reused": image.kept,
                "new_bytes": image.new_bytes,
                "made_anew": list(image.remade),
                "pushed_bytes": item.report.new_bytes
                if (item := pushed.get((image.built.environment, image.built.platform)))
                and item.report
                else 0,
            }
            for image in one.images
        ],
        "new_bytes": one.new_bytes,
        "downloaded": list(one.fetched),
        "unproven": list(one.unproven),
        "cells": {
            "proven": one.proven,
            "failing": [
                {
                    "component": result.cell.component,
                    "flavour": result.cell.flavour,
                    "environment": result.cell.environment,
                    "outcome": result.outcome.value,
                    "reason": result.reason,
                }
                for result in one.failing
            ],
        },
        "errors": dict(_errors(one)),
        "left_out": {name: error.what for name, error in one.refresh.left_out.items()},
        "seconds": round(one.seconds, 3),
    }


def _moved(moved: Moved) -> dict[str, Any]:
    return {
        "name": moved.name,
        "changes": [
            {"package": item.package, "from": item.before, "to": item.after}
            for item in moved.changes
        ],
    }


def markdown(one: Rebase) -> str:
    """What the pull request shows: verdict, packages of each base, environments."""
    sections = [
        f"## {_HEADINGS[one.state]}\n\n{safe(_verdict(one))}.",
        "\n".join(f"- {safe(line)}" for line in (*map(_cell, one.failing), *_notes(one))),
        *(f"**{safe(name)}**: {safe(error)}" for name, error in _errors(one)),
        *(_packages(moved) for moved in one.refresh.moved),
        folded("Environments", _environments(one)) if one.images else "",
    ]
    return fitted(filter(None, sections), LIMIT, "`build/refresh.json`")


def _packages(moved: Moved) -> str:
    rows = [
        f"| {safe(item.package)} | {safe(item.before) or 'new'} | {safe(item.after) or 'gone'} |"
        for item in moved.changes
    ]
    if not rows:
        return f"### {safe(moved.name)}\n\nIts packages are the same; the base under it moved."
    lines = [
        "| Debian package | old | new |",
        "|---|---|---|",
        *at_most(rows, "| and {} more | | |"),
    ]
    return f"### {safe(moved.name)}\n\n" + "\n".join(lines)


def _environments(one: Rebase) -> str:
    rows = [
        f"| {safe(image.built.environment)} | {safe(image.built.platform)} "
        f"| {image.kept} of {image.layers} | {human_size(image.new_bytes)} |"
        for image in one.images
    ]
    header = ["| environment | platform | layers reused | new |", "|---|---|---|---|"]
    return "\n".join([*header, *at_most(rows, "| and {} more | | | |")])
