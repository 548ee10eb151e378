"""``eggcrate matrix --on cloud-build``: cells divided among machines, results as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.build.published import held
from eggcrate.build.recipe import tag_of
from eggcrate.cli.build import workshop
from eggcrate.cli.matrix_parts import seconds_of
from eggcrate.cli.others import bounds, durations, others, remember, show
from eggcrate.cli.plan import no_registry
from eggcrate.cloud.division import cell_jobs, divide
from eggcrate.cloud.scaled import WORKER, merged
from eggcrate.errors import UsageError
from eggcrate.matrix.proving import unproven
from eggcrate.packages.target import Platform

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from eggcrate.cli.context import Context
    from eggcrate.cli.matrix_parts import Parts
    from eggcrate.cloud.division import Division, Share
    from eggcrate.matrix.cells import Cell
    from eggcrate.matrix.session import Matrix, Session
    from eggcrate.registry.remote import Remote

    Carry = Callable[[Matrix, Sequence[Cell]], Session]

_ALONE = ("shard", "coverage", "prove", "seed")
_PASSED_ON = ("released", "rerun", "no_memory", "locked", "verified")


def _divided(
    matrix: Matrix,
    arguments: argparse.Namespace,
    context: Context,
    parts: Parts,
    remote: Remote,
) -> Division:
    """Who proves which cells: of those that are not remembered."""
    if given := [name for name in _ALONE if getattr(arguments, name)]:
        raise UsageError(f"--{given[0]} is for one machine", hint="leave --on out")
    platform = Platform.of_this_machine()
    if str(platform) != WORKER:
        raise UsageError(
            f"Cloud Build's machines are {WORKER}, and this one is {platform}: their cells are "
            "others",
            hint="run it in a step of Cloud Build, or without --on",
        )
    limits = bounds(arguments)
    cells: Sequence[Cell] = matrix.cells
    if parts.options.recall:
        cells = unproven(
            matrix,
            cells,
            root=context.root,
            workshop=workshop(context, locked=arguments.locked),
            limits=parts.limits,
            memory=parts.memory,
            link=parts.link,
        )
    docker = {
        item.environment.name: (item.environment.name, tag_of(item.recipe.key))
        for item in matrix.resolved
        if item.environment.dockerfile
    }
    published = held(remote, list(docker.values()))
    jobs = cell_jobs(
        cells,
        durations(context, remote),
        limits,
        platform=WORKER,
        alone=[name for name, image in docker.items() if image not in published],
    )
    return divide(jobs, limits)


def prove_elsewhere(
    matrix: Matrix,
    arguments: argparse.Namespace,
    context: Context,
    parts: Parts,
    *,
    remote: Remote | None,
    carry: Carry,
) -> Session | None:
    """Prove all cells, some of them here; the session is that of one machine.

    Args:
        matrix: what to prove.
        arguments: the command line.
        context: the checkout.
        parts: what a run works with.
        remote: where results are handed over.
        carry: proves cells here.

    Returns:
        Nothing when it is only shown who would do what.

    Raises:
        UsageError: results would not come back, or would not be of these cells.
    """
    if remote is None:
        raise no_registry("hand results over in")
    division = _divided(matrix, arguments, context, parts, remote)
    if arguments.dry_run:
        show(division, arguments, context)
        return None
    return _proven(division, matrix, arguments, context, remote=remote, carry=carry)


def _proven(
    division: Division,
    matrix: Matrix,
    arguments: argparse.Namespace,
    context: Context,
    *,
    remote: Remote,
    carry: Carry,
) -> Session:
    theirs = {cell for share in division.children for cell in share.cells}
    flags = [f"--{name.replace('_', '-')}" for name in _PASSED_ON if getattr(arguments, name)]
    if arguments.runtime:
        flags += ["--runtime", arguments.runtime]
    rest = ("--", *arguments.rest) if arguments.rest else ()

    def command(_: Share) -> Sequence[str]:
        return ("matrix", "--cells", "-", *flags, *rest)

    def stdin(share: Share) -> str:
        return "".join(f"{cell}\n" for cell in share.cells)

    with others(division, arguments, context, remote, command, stdin=stdin) as collect:
        session = carry(matrix, [cell for cell in matrix.cells if cell not in theirs])
        told, lost = collect()
    session = merged(session, told, lost)
    if not arguments.no_memory:
        remember(seconds_of(session.results), context, remote)
    return session
