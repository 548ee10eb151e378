"""The key of a cell: a hash over all that its result depends on.

Which runtime it is run in, and on how fast a machine, is not part of it: both show a program the
same image, and what passes in one passes in the other (tests hold them to it).
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.matrix.harness.mounted import run_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from eggcrate.matrix.cells import Cell
    from eggcrate.repo.values import Component
    from eggcrate.runtimes.protocol import Limits

VERSION = 2
"""Raised whenever the same cell would be proven in another way, or judged in another, by a change
that none of :data:`JUDGES` shows."""
JUDGES = ("cells", "evidence", "judge", "proofs", "run")
"""Modules of this room that decide how a cell is proven, and what its ending means."""


def cell_key(
    component: Component,
    cell: Cell,
    *,
    closure: str,
    image: str,
    harness: str,
    limits: Limits,
    arguments: tuple[str, ...] = (),
    before: Sequence[Limits] = (),
) -> str:
    """The key, in hexadecimal.

    Args:
        component: of the cell.
        cell: what is proven.
        closure: digest of the component's files.
        image: manifest digest of the image.
        harness: version of what is mounted beside the image and of what else proves a cell.
        limits: what the cell may use.
        arguments: passed on to pytest.
        before: what the components may use whose examples the component's begin with.
    """
    parts = {
        "version": VERSION,
        "judges": judges_version(),
        "component": component.name,
        "closure": closure,
        "image": image,
        "harness": harness,
        "limits": _figures(limits),
        "before": [_figures(one) for one in before],
        "network": component.network,
        "env": {**component.env, **told(cell)},
        "repo": run_cell.REPO,
        "arguments": arguments,
    }
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _figures(limits: Limits) -> list[float]:
    return [limits.memory, limits.seconds, limits.processes, limits.scratch]


@functools.cache
def judges_version() -> str:
    """Identity of what judges a cell's tests."""
    return sources_digest(Path(__file__).with_name(f"{name}.py") for name in JUDGES)


def sources_digest(paths: Iterable[Path]) -> str:
    """Identity of modules of ours, by their text."""
    identity = hashlib.sha256()
    for path in paths:
        identity.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return identity.hexdigest()


def told(cell: Cell) -> Mapping[str, str]:
    """What tests are told of their cell, as environment variables."""
    return {
        "EGGCRATE_FLAVOUR": cell.flavour,
        # Of a published image the environment's name alone: the same image is the same cell.
        "EGGCRATE_ENVIRONMENT": cell.environment.partition("@")[0],
    }
