"""A shell where a cell runs: the same image, files and limits, but for time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eggcrate.build.bases import system_unit
from eggcrate.build.resolve import chain, resolve_base
from eggcrate.matrix.harness.mounted.run_cell import REPO
from eggcrate.matrix.run import PYTHON, command_of
from eggcrate.registry import oci
from eggcrate.runtimes.protocol import Ending, Mount
from eggcrate.runtimes.rootfs import unpack_layer

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.build.resolve import Resolved, ResolvedBase
    from eggcrate.build.workshop import Workshop
    from eggcrate.matrix.cells import Cell
    from eggcrate.matrix.run import Bench
    from eggcrate.repo.values import Component
    from eggcrate.runtimes.protocol import Command, UnpackedImage

TOOLS = "/eggcrate/tools"
"""Where a shell that the image has not is seen."""
_NO_LIMIT = 14 * 24 * 3600.0
_PROBE = 60.0
_SHELLS = ("bin/bash", "usr/bin/bash", "bin/dash", "usr/bin/dash", "bin/busybox")
_FOLDERS = ("usr/local/bin", "usr/bin", "bin", "usr/sbin", "sbin")
_LIBRARIES = ("usr/lib", "lib")


@dataclass(frozen=True, kw_only=True)
class Shell:
    """What a person is given."""

    command: Command
    told: str
    """What it is, in a sentence."""


def shell_for(
    component: Component,
    cell: Cell,
    bench: Bench,
    *,
    image: UnpackedImage,
    resolved: Resolved,
    workshop: Workshop,
) -> Shell:
    """The image's own shell; else that of a base that extends the image's; else its Python.

    Args:
        component: of the cell.
        cell: where to be.
        bench: what cells have in common.
        image: the cell's, ready.
        resolved: the cell's environment.
        workshop: for unpacking another base's tools.
    """
    own = command_of(component, cell, bench, ("/bin/sh",))
    own = replace(
        own,
        limits=replace(own.limits, seconds=_NO_LIMIT),
        workdir=REPO,
        env={**own.env, "TERM": "xterm-256color", "HOME": "/tmp", "PS1": f"{cell} $ "},  # noqa: S108 - inside
    )
    quick = replace(own.limits, seconds=_PROBE)
    answer = bench.runtime.run(image, replace(own, argv=("/bin/sh", "-c", ":"), limits=quick))
    if answer.ending is Ending.EXITED and answer.exit_code == 0:
        return Shell(command=own, told="the image's own shell")
    base = _debug_base(resolved, workshop)
    tools = _tools(base, workshop) if base else None
    found = next((name for name in _SHELLS if tools and (tools / name).is_file()), None)
    if base is None or tools is None or found is None:
        python = replace(own, argv=(PYTHON, "-q", "-i"))
        return Shell(command=python, told="the image has no shell: this is its Python")
    return Shell(
        command=replace(
            own,
            argv=(f"{TOOLS}/{found}", *(("--norc",) if found.endswith("bash") else ())),
            env={**own.env, **_paths(tools, image)},
            mounts=(*own.mounts, Mount(source=tools, target=TOOLS)),
        ),
        told=f"the image has no shell: the one of base {base.name} stands beside it in {TOOLS}",
    )


def _debug_base(resolved: Resolved, workshop: Workshop) -> ResolvedBase | None:
    """The base that extends the image's own with a shell, when the repository has one."""
    mine = resolved.base.chain
    for base in workshop.bases.values():
        links = chain(base, workshop.bases)
        if (
            [one.name for one in links[:-1]] == [link.base.name for link in mine]
            and {"bash", "dash", "busybox"} & set(base.packages)
            and "debug" in base.name
        ):
            return resolve_base(base, workshop.bases, resolved.recipe.target.platform)
    return None


def _tools(base: ResolvedBase, workshop: Workshop) -> Path:
    """What the base adds to the one that it extends, unpacked."""
    link = base.chain[-1]
    platform = base.target.platform
    record, _ = system_unit(link.base.name, link.lock, platform, workshop, foundation=False)
    layer = workshop.layer_of([workshop.at_hand([record])[record.unit.key].unit])
    with workshop.store.in_use():
        workshop.keep(layer)
        descriptor = oci.Descriptor(media_type=oci.LAYER_GZIP, digest=layer.digest, size=layer.size)
        folder = unpack_layer(workshop.store, descriptor, layer.diff_id, workshop.cache)
    return folder / "tree"


def _paths(tools: Path, image: UnpackedImage) -> dict[str, str]:
    """Where the shell finds its programs, their libraries and descriptions of terminals.

    Python and the image's own programs come first; the libraries are ones that the image has not.
    """
    programs = [f"{TOOLS}/{name}" for name in _FOLDERS if (tools / name).is_dir()]
    libraries = [
        f"{TOOLS}/{path.parent.relative_to(tools)}"
        for name in _LIBRARIES
        for path in sorted((tools / name).glob("*/*.so.*"))
    ]
    own = image.env.get("PATH", "/opt/env/bin:/usr/local/bin:/usr/bin:/bin")
    return {
        "PATH": ":".join([own, *programs]),
        "LD_LIBRARY_PATH": ":".join(dict.fromkeys(libraries)),
        "TERMINFO_DIRS": f"{TOOLS}/lib/terminfo:{TOOLS}/usr/share/terminfo:/usr/share/terminfo",
    }
