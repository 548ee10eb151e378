"""``eggcrate plan``: which environments must be built, and why."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from eggcrate.build.history import deleted_environments, git_sentences
from eggcrate.build.keys import find_keys
from eggcrate.build.local import LocalRegistry
from eggcrate.build.plan import make_plan
from eggcrate.errors import EXIT_FAILURE, EXIT_OK, UsageError
from eggcrate.repo.git import Git
from eggcrate.repo.monorepo import pick
from eggcrate.report import plan as report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from eggcrate.build.keys import Keyed
    from eggcrate.build.plan import Plan, Registry
    from eggcrate.build.resolve import Resolved
    from eggcrate.cli.context import Context
    from eggcrate.errors import EggcrateError


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "plan",
        help="show which environments must be built, and why",
        description="For every environment a verdict and its reasons. An environment must be "
        "built if, and only if, the tag that its locks name is not published; what is published "
        "and git only explain.",
    )
    verb.add_argument("environments", nargs="*", metavar="ENV", help="default: all of them")
    verb.add_argument("--explain", metavar="ENV", help="say it in sentences")
    verb.add_argument("--base", metavar="REF", help="explain against this git revision as well")
    add_platform(verb)
    add_registry(verb)
    verb.add_argument("--force", action="store_true", help="build even what is up to date")
    verb.add_argument("--json", action="store_true", help="print eggcrate.plan/1")
    verb.set_defaults(run=run)


def add_platform(verb: argparse.ArgumentParser) -> None:
    """Add ``--platform``."""
    verb.add_argument(
        "--platform",
        action="append",
        metavar="OS/ARCH",
        help="instead of the environments' own platforms, such as linux/arm64; may be repeated",
    )


def add_registry(verb: argparse.ArgumentParser) -> None:
    """Add ``--registry``."""
    verb.add_argument(
        "--registry",
        metavar="HOST/PATH",
        help="where images are published (default: the setting; without one, the local store)",
    )


def no_registry(purpose: str) -> UsageError:
    """The error when a verb needs a registry and none is set."""
    return UsageError(
        f"there is no registry to {purpose}",
        hint="set registry under [tool.eggcrate] in pyproject.toml, EGGCRATE_REGISTRY, "
        "or --registry HOST/PATH",
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Print the plan."""
    with context.open_registry(arguments.registry) as registry:
        return _run(arguments, context, registry)


def _run(arguments: argparse.Namespace, context: Context, registry: Registry) -> int:
    if arguments.explain:
        arguments.environments = [*arguments.environments, arguments.explain]
    plan = decide(arguments, context, registry, retired=True)
    told: dict[str, tuple[str, ...]] = {}
    if arguments.base:
        told = git_sentences(
            context.monorepo.environments.values(),
            Git(root=context.root),
            arguments.base,
            root=context.root,
        )
    if arguments.json:
        context.show_json("eggcrate.plan/1", {**report.document(plan), "git": told})
    elif arguments.explain:
        sentences = told.get(arguments.explain, ()) or told.get("git", ())
        where = "in the store" if isinstance(registry, LocalRegistry) else "published"
        print(report.explain(plan, arguments.explain, sentences, where=where))
    else:
        print(report.summary(plan))
        for name, sentences in told.items():
            print(f"\n{name}\n" + "\n".join(sentences))
    return EXIT_FAILURE if plan.blocked else EXIT_OK


def decide(
    arguments: argparse.Namespace, context: Context, registry: Registry, *, retired: bool = False
) -> Plan:
    """Read the repository and what is published, and decide.

    Args:
        arguments: names of environments, ``platform`` and ``force``.
        context: the checkout.
        registry: what is published.
        retired: whether environments may be named that have no folder any more.
    """
    known = frozenset(context.monorepo.environment_folders)

    @functools.cache
    def deleted() -> frozenset[str]:
        if isinstance(registry, LocalRegistry):
            return frozenset()  # it lists all that it holds
        git = Git(root=context.root)
        return deleted_environments(git, cache=context.settings.cache)

    gone: frozenset[str] = frozenset()
    if retired and not known.issuperset(arguments.environments):
        gone = deleted() | registry.environments()
    names = arguments.environments or by_default(context)
    keyed, failed = _keys(context, names, arguments.platform or (), gone)
    return make_plan(keyed, failed, registry, known=known, deleted=deleted, force=arguments.force)


def by_default(context: Context) -> tuple[str, ...]:
    """The environments that are built when none is named; tells which are left out."""
    left_out = tell_on_request(context)
    return tuple(name for name in context.monorepo.environment_folders if name not in left_out)


def tell_on_request(context: Context) -> tuple[str, ...]:
    """The environments that are built only when they are named, told in a line."""
    names = context.monorepo.on_request
    if names:
        context.progress.info(f"left out, built on request only: {', '.join(names)}")
    return names


def read_locks(
    context: Context,
    names: Sequence[str],
    *,
    platforms: Sequence[str] = (),
) -> tuple[list[Resolved], dict[str, EggcrateError]]:
    """Resolve the environments named, or all; what cannot be read or resolved is told beside.

    Args:
        context: the checkout.
        names: of environments; none for all of them.
        platforms: instead of the environments' own.

    Raises:
        UsageError: there is no environment of a name.
    """
    keyed, failed = _keys(context, names, platforms)
    return [item.resolved for item in keyed], failed


def _keys(
    context: Context,
    names: Sequence[str],
    platforms: Sequence[str],
    gone: frozenset[str] = frozenset(),
) -> tuple[list[Keyed], dict[str, EggcrateError]]:
    """The keys of the environments named, or all; ``gone`` may be named, and have none."""
    folders = context.monorepo.environment_folders
    chosen = pick("environment", names, gone.union(folders)) if names else tuple(folders)
    there = [name for name in chosen if name in folders]
    return find_keys(context.monorepo, there, platforms, cache=context.settings.cache)
