"""``eggcrate compile``: pipelines into what KFP's backends run."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from eggcrate.cli.build import add_locked, workshop
from eggcrate.cli.plan import add_registry, read_locks
from eggcrate.cli.trust_parts import add_verified, open_verifier
from eggcrate.errors import EXIT_FAILURE, EXIT_OK, EggcrateError
from eggcrate.matrix.sites import Sites
from eggcrate.repo.monorepo import pick
from eggcrate.repo.pipelines import pipeline_names, read_config

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from eggcrate.build.verify import Verifier
    from eggcrate.cli.context import Context
    from eggcrate.pipelines.compile_pipelines import CompileResult
    from eggcrate.registry.remote import Remote


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "compile",
        help="compile pipelines into what KFP's backends run",
        description="Compile pipelines/<name>/pipeline.py into build/pipelines/<name>.yaml: "
        "images pinned by digest, the code of components in their commands, the same bytes on "
        "every machine.",
    )
    verb.add_argument("pipelines", nargs="*", metavar="PIPELINE", help="default: all of them")
    verb.add_argument(
        "--local",
        action="store_true",
        help="pin images of the local store, and build those that are missing (the default "
        "without a registry)",
    )
    verb.add_argument(
        "--for",
        dest="target",
        choices=("any", "vertex", "kubeflow"),
        default="any",
        help="the backend whose limits hold (default: any, which is all of them)",
    )
    verb.add_argument(
        "--share",
        choices=("image", "package", "config-map", "volume", "pickle"),
        default="",
        help="how code travels that would be in a command (default: as components and pipelines "
        "say)",
    )
    add_registry(verb)
    add_verified(verb)
    add_locked(verb)
    verb.add_argument("--dry-run", action="store_true", help="compile and check, write nothing")
    verb.add_argument("--json", action="store_true", help="print eggcrate.compile/1")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Read, place, write, report."""
    from eggcrate.report import compiled as report  # noqa: PLC0415 - slow, like what it tells of

    prefix = "" if arguments.local else arguments.registry
    with (
        context.open_remote(prefix) as remote,
        open_verifier(arguments, context, remote) as verifier,
    ):
        results = _compile(arguments, context, remote, verifier)
    for result in results:
        for warning in result.warnings:
            context.progress.warn(warning)
    if not arguments.dry_run:
        for result in results:
            report.write(result, context.root / report.FOLDER)
    if arguments.json:
        context.show_json("eggcrate.compile/1", report.document(results, context.root))
    else:
        for result in results:
            if result.error:
                context.progress.info(f"error: {result.error}")
        context.show(report.summary(results))
    return EXIT_OK if all(result.placed for result in results) else EXIT_FAILURE


def _compile(
    arguments: argparse.Namespace,
    context: Context,
    remote: Remote | None,
    verifier: Verifier | None,
) -> list[CompileResult]:
    names = pick("pipeline", arguments.pipelines, pipeline_names(context.root))
    return compile_named(names, arguments, context, remote, verifier, share=arguments.share)


def compile_named(
    names: Sequence[str],
    arguments: argparse.Namespace,
    context: Context,
    remote: Remote | None,
    verifier: Verifier | None = None,
    *,
    share: str = "",
) -> list[CompileResult]:
    """Compile pipelines in memory, having the images that they need.

    Args:
        names: folders in ``pipelines/``.
        arguments: with ``target``, ``locked`` and ``dry_run``.
        context: the checkout.
        remote: where images are published; without it they are in the store, built if need be.
        verifier: lets through images that are verified, and no others; without it, all.
        share: how code travels that would be injected.
    """
    from eggcrate.pipelines.compile_pipelines import (  # noqa: PLC0415 - slow, for this verb alone
        Repository,
        compile_pipelines,
    )
    from eggcrate.pipelines.open_task import Share  # noqa: PLC0415 - as above
    from eggcrate.pipelines.sharing import Ways  # noqa: PLC0415 - as above

    settings = context.settings
    sites = Sites(
        resolve=functools.partial(read_locks, context),
        workshop=workshop(context, locked=arguments.locked),
        remote=remote,
        verifier=verifier,
        known=frozenset(context.monorepo.environment_folders),
        dry_run=arguments.dry_run,
        pip=lambda: context.pip,
    )
    repository = Repository(
        root=context.root,
        components=context.monorepo.components,
        broken=context.monorepo.broken,
        ways=Ways(volume=settings.volume, wheel=settings.wheel),
    )
    way = Share(share) if share else None
    results = compile_pipelines(names, repository, sites, target=arguments.target, share=way)
    return [_configured(result, context) for result in results]


def _configured(result: CompileResult, context: Context) -> CompileResult:
    """The result, or the error of a configuration that does not fit its pipeline."""
    from eggcrate.pipelines.parameters import check_config  # noqa: PLC0415 - as above

    if not result.placed:
        return result
    try:
        check_config(result.placed.pipeline, read_config(context.root, result.name))
    except EggcrateError as error:
        return result.failed(error)
    return result
