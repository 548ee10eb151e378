"""What ``eggcrate matrix`` is put together from: selection, memory, limits."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.cli.build import workshop
from eggcrate.cli.plan import no_registry
from eggcrate.errors import UsageError
from eggcrate.matrix.cells import Outcome
from eggcrate.matrix.memory import LocalMemory, Memories, NoMemory
from eggcrate.matrix.proving import Options, unproven
from eggcrate.matrix.released import InUse, in_use
from eggcrate.matrix.selection import explain, failed_cells, missing
from eggcrate.matrix.session import Limits, Selection
from eggcrate.matrix.shard import (
    Shard,
    divide,
    durations_of,
    durations_path,
    fingerprint,
    read_durations,
    write_durations,
)
from eggcrate.matrix.shared import Link, SharedMemory
from eggcrate.packages.target import Platform
from eggcrate.repo.git import Git
from eggcrate.repo.monorepo import pick
from eggcrate.report import matrix as report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Mapping

    from eggcrate.build.verify import Verifier
    from eggcrate.cli.context import Context
    from eggcrate.matrix.cells import Cell, CellResult
    from eggcrate.matrix.session import Matrix
    from eggcrate.registry.remote import Remote
    from eggcrate.runtimes.protocol import Runtime


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a run works with."""

    limits: Limits
    memory: Memories
    link: Link
    options: Options
    runtime: Callable[..., Runtime]
    """Gives what runs cells, ready; tells its name to ``tell``."""

    @classmethod
    def of(
        cls,
        arguments: argparse.Namespace,
        context: Context,
        remote: Remote | None,
        verifier: Verifier | None = None,
    ) -> Parts:
        """From a command line.

        Raises:
            UsageError: its arguments contradict each other.
        """
        if arguments.prove < 0 or (arguments.prove and (arguments.rerun or arguments.no_memory)):
            raise UsageError(
                "--prove runs some of what is remembered once more",
                hint="give it a number, and neither --rerun nor --no-memory",
            )
        afresh = arguments.no_memory or arguments.coverage
        if arguments.prove and arguments.coverage:
            raise UsageError("--coverage runs every cell", hint="leave --prove out")
        if arguments.base and not arguments.affected:
            raise UsageError("--base explains what is affected", hint="add --affected")
        settings = context.settings
        link = Link(remote, context.progress.warn, verifier)
        far = SharedMemory(link, context.root / ".eggcrate" / "scratch") if remote else None
        seed = arguments.seed if arguments.seed is not None else random.randrange(1 << 31)  # noqa: S311 - no secret
        if arguments.prove:
            context.progress.info(f"running {arguments.prove} again, chosen with --seed {seed}")

        def runtime(tell: Callable[[str], None]) -> Runtime:
            from eggcrate.runtimes.choose import choose  # noqa: PLC0415 - slow, rarely not needed

            found = choose(
                arguments.runtime or settings.runtime,
                store=context.store,
                cache=settings.cache,
                progress=context.progress,
            )
            tell(found.name)
            return found

        return cls(
            limits=Limits(
                memory=settings.memory,
                seconds=settings.timeout,
                workers=settings.workers,
                arguments=arguments.rest,
            ),
            memory=Memories(NoMemory())
            if afresh  # what was measured is another run than what is remembered
            else Memories(LocalMemory(settings.cache), far),
            link=link,
            options=Options(
                recall=not (arguments.rerun or afresh),
                affected=arguments.affected,
                prove=arguments.prove,
                seed=seed,
                coverage=arguments.coverage,
                durations=_durations(arguments, context),
            ),
            runtime=runtime,
        )


def _durations(arguments: argparse.Namespace, context: Context) -> Mapping[str, float]:
    if arguments.durations:
        return durations_of(arguments.durations)
    return read_durations(durations_path(context.settings.cache, context.root))


def seconds_of(results: Iterable[CellResult]) -> dict[str, float]:
    """How long cells took, by the cell as text."""
    return {
        str(result.cell): result.seconds
        for result in results
        if result.seconds and result.outcome is not Outcome.INCOMPATIBLE
    }


def tell_durations(results: Iterable[CellResult], context: Context) -> None:
    """Remember how long cells took, to begin with the longest the next time."""
    write_durations(durations_path(context.settings.cache, context.root), seconds_of(results))


def part_of(
    matrix: Matrix, arguments: argparse.Namespace, context: Context, parts: Parts
) -> Matrix:
    """A matrix of the cells and of the shard that are asked for; without them all of it.

    Of what machines may differ in nothing counts: so this comes before the cells are left out
    that one of them remembers, as passed or as failed, and durations are those it is given.
    """
    matrix = only_named(matrix, arguments)
    if not arguments.shard:
        return matrix
    shard = Shard.parse(arguments.shard)
    durations = parts.options.durations if arguments.durations else {}
    divided = divide(matrix.cells, durations, shard.count)
    mine = divided[shard.number - 1]
    context.progress.info(
        f"shard {shard}: {len(mine)} of {len(matrix.cells)} cells, division "
        f"{fingerprint(divided)} (the same for each part of one whole)"
    )
    return replace(matrix, cells=mine)


def failed_before(arguments: argparse.Namespace, context: Context) -> frozenset[Cell]:
    """The cells that were not good when they were last proven, when they are asked for."""
    if not arguments.failed:
        return frozenset()
    return failed_cells(context.root / report.FOLDER / "matrix.json")


def only_failed(matrix: Matrix, failed: frozenset[Cell], asked: Selection) -> Matrix:
    """A matrix of cells that failed; that one is not there any more is an error."""
    gone = missing({cell for cell in failed if asked.covers(cell)}, matrix)
    cells = tuple(cell for cell in matrix.cells if cell in failed)
    return replace(matrix, cells=cells, errors={**matrix.errors, **gone})


def only_named(matrix: Matrix, arguments: argparse.Namespace) -> Matrix:
    """A matrix of the cells that a file lists, where one is given.

    Raises:
        UsageError: it cannot be read, or lists what is no cell.
    """
    if not arguments.cells:
        return matrix
    try:
        text = sys.stdin.read() if arguments.cells == "-" else Path(arguments.cells).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{arguments.cells} cannot be read", why=str(error)) from error
    wanted = {line.strip() for line in text.splitlines() if line.strip()}
    known = {str(cell): cell for cell in matrix.cells}
    if unknown := sorted(wanted - set(known)):
        raise UsageError(
            f"there is no cell {unknown[0]!r}"
            + f", nor {len(unknown) - 1} more" * (unknown[1:] != []),
            hint="write COMPONENT in ENV or COMPONENT[FLAVOUR] in ENV, as reports do; published "
            "images are there with --released",
        )
    return replace(matrix, cells=tuple(known[name] for name in sorted(wanted)))


def unasked(
    matrix: Matrix, arguments: argparse.Namespace, asked: Selection
) -> Callable[[Cell], bool]:
    """Tells of a cell that is not in the matrix whether that is only for what was asked."""
    # What could not be looked at may have held it.
    unsure = bool(matrix.errors or matrix.warnings)
    return lambda cell: (
        unsure or not asked.covers(cell) or ("@" in cell.environment and not arguments.released)
    )


def selection(arguments: argparse.Namespace, context: Context) -> Selection:
    """What the command line asks for, each name checked.

    Raises:
        UsageError: one does not exist.
    """
    monorepo = context.monorepo
    unreadable = [name.partition("/") for name in monorepo.broken]
    components = [*monorepo.components, *(n for kind, _, n in unreadable if kind == "components")]
    environments = [
        *monorepo.environments,
        *(n for kind, _, n in unreadable if kind == "environments"),
    ]
    flavours = {name for item in monorepo.components.values() for name in item.flavours}
    for kind, names, known in (
        ("component", arguments.component, components),
        ("environment", arguments.environment, environments),
        ("flavour", arguments.flavour, flavours),
    ):
        pick(kind, names, known)
    return Selection(
        components=tuple(arguments.component),
        environments=tuple(arguments.environment),
        flavours=tuple(arguments.flavour),
    )


def released(
    arguments: argparse.Namespace, context: Context, remote: Remote | None
) -> Callable[[Mapping[str, str]], InUse] | None:
    """What finds the published images in use, when they are asked for.

    Raises:
        UsageError: there is no registry.
    """
    if not arguments.released:
        return None
    if remote is None:
        raise no_registry("find published images in")
    platform = Platform.of_this_machine()
    only = frozenset(arguments.environment)
    return lambda keys: in_use(remote, keys, context.root, platform, keys=keys, only=only)


def only_affected(
    matrix: Matrix, arguments: argparse.Namespace, context: Context, parts: Parts
) -> Matrix:
    """A matrix of the cells that are not remembered; says of each what git knows about it."""
    cells = unproven(
        matrix,
        matrix.cells,
        root=context.root,
        workshop=workshop(context, locked=arguments.locked),
        limits=parts.limits,
        memory=parts.memory,
        link=parts.link,
    )
    if arguments.base:
        git = Git(root=context.root)
        commit = git.resolve(arguments.base)
        start = (git.merge_base(commit) or commit) if commit else None
        changed = git.changed(start) if start else None
        if changed is None:
            context.progress.warn(
                f"git does not tell what changed since {arguments.base}; what is affected does "
                "not depend on it"
            )
        elif cells:
            context.progress.info(f"affected, by what changed since {arguments.base}:")
            for line in explain(cells, matrix, changed):
                context.progress.info(line)
    return replace(matrix, cells=cells)
