"""What compiling pipelines gave: files, a table, a document."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import yaml

from eggcrate.files import atomic_write
from eggcrate.progress import human_size
from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eggcrate.pipelines.compile_pipelines import CompileResult

FOLDER = "build/pipelines"


def write(result: CompileResult, folder: Path) -> None:
    """Write a compiled pipeline, and the ConfigMaps that it needs beside it; or remove old ones.

    A pipeline that could not be compiled leaves no file that an older state of it made.
    """
    path, maps = folder / f"{result.name}.yaml", folder / f"{result.name}.config-maps.yaml"
    if result.placed is None:
        path.unlink(missing_ok=True)
        maps.unlink(missing_ok=True)
        return
    folder.mkdir(parents=True, exist_ok=True)
    if result.placed.config_maps:
        manifests = [dict(one.manifest) for one in result.placed.config_maps]
        atomic_write(maps, yaml.safe_dump_all(manifests, sort_keys=True))
    else:
        maps.unlink(missing_ok=True)
    atomic_write(path, result.placed.pipeline.text)


def document(results: Sequence[CompileResult], root: Path) -> dict[str, Any]:
    """``eggcrate.compile/1``: sizes in bytes, paths relative to the repository."""
    del root
    return {"pipelines": [_told(result) for result in results]}


def _told(result: CompileResult) -> dict[str, Any]:
    if result.placed is None:
        return {"name": result.name, "error": str(result.error)}
    placed = result.placed
    return {
        "name": result.name,
        "path": f"{FOLDER}/{result.name}.yaml",
        "sha256": hashlib.sha256(placed.pipeline.text.encode()).hexdigest(),
        "parameters": {
            name: told.get("parameterType", "") for name, told in placed.pipeline.parameters.items()
        },
        "images": list(placed.pipeline.images),
        "config_maps": [one.name for one in placed.config_maps],
        "tasks": [
            {
                "component": choice.component,
                "image": shipment.image,
                "share": choice.share.value,
                "files": len(shipment.bundle.files),
                "command": sum(map(len, shipment.command)),
            }
            for choice, shipment in placed.shipments.items()
        ],
        "warnings": list(result.warnings),
    }


def summary(results: Sequence[CompileResult]) -> str:
    """A line a component of each pipeline, then where the files are."""
    rows = [
        (
            result.name,
            choice.component,
            _short(shipment.image),
            choice.share.value,
            human_size(sum(map(len, shipment.command))),
        )
        for result in results
        if result.placed
        for choice, shipment in result.placed.shipments.items()
    ]
    header = ("pipeline", "component", "image", "code by", "command")
    lines = [table(header, rows, right="command")] if rows else []
    lines += [f"{r.name}: not compiled: {r.error.what}" for r in results if r.error]
    written = [f"{FOLDER}/{r.name}.yaml" for r in results if r.placed]
    return "\n".join([*lines, "", *written] if written else lines) or "there is no pipeline"


def _short(image: str) -> str:
    name, _, digest = image.rpartition("/")[2].partition("@sha256:")
    return f"{name}@{digest[:12]}"
