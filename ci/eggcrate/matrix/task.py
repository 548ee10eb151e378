"""A cell as a task of a pipeline: run in the cell's own image, out of a parcel.

:mod:`eggcrate.matrix.parcel` says what is in a parcel, :mod:`eggcrate.pipelines.cells` what starts
this. Needs the standard library of Python 3.11 and ``packaging``, which is in the parcel.
"""

from __future__ import annotations

import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eggcrate.errors import CompileError, EggcrateError
from eggcrate.files import remove_tree
from eggcrate.matrix.cells import Cell, CellResult, Outcome
from eggcrate.matrix.examples import Examples
from eggcrate.matrix.results_file import written
from eggcrate.matrix.run import Bench, prove, reproduce
from eggcrate.matrix.stage import staged
from eggcrate.pipelines.bundle import Bundle
from eggcrate.pipelines.compile import Compiled
from eggcrate.pipelines.reading import Interface
from eggcrate.repo.components import read_component
from eggcrate.runtimes.in_place import InPlace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from eggcrate.repo.values import Component

MANIFEST = "manifest.json"
"""What the parcel holds, and how cells are to be proven."""
GOOD, BAD = "yes", "no"
"""What the output ``good`` of a cell's task says."""


def main(
    parcel: str, words: list[str], inputs: Mapping[str, str], outputs: Mapping[str, str]
) -> None:
    """Prove the cell that ``words`` tell of; called by the boot program.

    The task itself ends well whenever there is a result: a backend keeps what a task has written
    only then.

    Args:
        parcel: folder of the unpacked parcel.
        words: the cell, and the digest of the image that we are in, as JSON.
        inputs: nothing more.
        outputs: where to write ``result`` and ``good``.
    """
    del inputs
    told = json.loads(words[0])
    cell = Cell(**told["cell"])
    result = prove_here(Path(parcel), cell, told["image"])
    print(result.output)
    print(f"{cell}: {result.outcome.value}{f': {result.reason}' if result.reason else ''}")
    Path(outputs["result"]).write_text(written([result]), encoding="utf-8")
    Path(outputs["good"]).write_text(GOOD if result.outcome.good else BAD, encoding="utf-8")


def prove_here(parcel: Path, cell: Cell, image: str) -> CellResult:
    """Prove a cell in the image that we are in. Never raises for what happens in it.

    Args:
        parcel: folder of the unpacked parcel.
        cell: what to prove.
        image: digest of the image.
    """
    manifest = json.loads((parcel / MANIFEST).read_bytes())
    root = parcel / "repo"
    scratch = Path(tempfile.mkdtemp(prefix="eggcrate-cell-"))
    try:
        components = {
            name: read_component(root / "components" / name) for name in manifest["components"]
        }
        name = cell.component
        place = scratch / "eggcrate"
        place.mkdir()
        with (
            staged({name: manifest["files"][name]}, root, scratch) as stage,
            ThreadPoolExecutor(1) as pool,
        ):
            examples = Examples(
                (name,),
                components,
                root=root,
                folder=_folder(scratch / "examples"),
                pool=pool,
                compiler=lambda wanted, _: shipped(wanted, manifest["code"], parcel),
            )
            limits = manifest["limits"]
            bench = Bench(
                runtime=InPlace(place, image),
                roots={name: stage / name},
                harness={cell.environment: parcel / manifest["harness"][cell.environment]},
                images={cell.environment: image},
                unbuilt={},
                memory=limits["memory"],
                seconds=limits["seconds"],
                arguments=tuple(limits["arguments"]),
                threads=os.cpu_count() or 1,
                further=examples.programs,
            )
            return prove(components[name], cell, bench)
    except EggcrateError as error:
        return CellResult(
            cell=cell,
            outcome=Outcome.BROKEN,
            reason=error.what,
            output=str(error),
            image=image,
            command=reproduce(cell),
            runtime=InPlace.name,
        )
    finally:
        remove_tree(scratch)


@dataclass(frozen=True, kw_only=True)
class Unpacked(Bundle):
    """A component's code in a folder already."""

    folder: Path

    @property
    def command(self) -> tuple[str, ...]:
        """The same program as elsewhere; it finds the code instead of being given it."""
        return self.command_with(str(self.folder))


def shipped(
    wanted: Iterable[Component], code: Mapping[str, Any], parcel: Path
) -> dict[str, Compiled | EggcrateError]:
    """Components as they were compiled where the parcel was packed."""
    found: dict[str, Compiled | EggcrateError] = {}
    for component in wanted:
        told = code[component.name]
        if "error" in told:
            what, why, hint = told["error"]
            found[component.name] = CompileError(what, why=why, hint=hint)
            continue
        folder = parcel / "code" / component.name
        found[component.name] = Compiled(
            component=component.name,
            interface=Interface(
                module=told["module"], function=told["function"], spec=told["spec"]
            ),
            bundle=Unpacked(files={}, packed=b"", sha256="-", folder=folder),
        )
    return found


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
