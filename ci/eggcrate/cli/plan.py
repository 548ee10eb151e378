"""``eggcrate plan``: which environments must be built, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.build.history import git_sentences
from eggcrate.build.plan import make_plan
from eggcrate.build.resolve import resolve_all
from eggcrate.cli.context import print_json
from eggcrate.errors import EXIT_FAILURE, EXIT_OK
from eggcrate.packages.target import Platform
from eggcrate.repo.git import Git
from eggcrate.repo.monorepo import pick
from eggcrate.report import plan as report

if TYPE_CHECKING:
    import argparse

    from eggcrate.build.plan import Plan, Registry
    from eggcrate.cli.context import Context


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


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Print the plan."""
    with context.open_registry(arguments.registry) as registry:
        return _run(arguments, context, registry)


def _run(arguments: argparse.Namespace, context: Context, registry: Registry) -> int:
    if arguments.explain:
        arguments.environments = [*arguments.environments, arguments.explain]
    plan = decide(arguments, context, registry)
    git = Git(root=context.root)
    told: dict[str, tuple[str, ...]] = {}
    if arguments.base:
        told = git_sentences(
            context.monorepo.environments.values(), git, arguments.base, root=context.root
        )
    if arguments.json:
        print_json("eggcrate.plan/1", {**report.document(plan), "git": told})
    elif arguments.explain:
        print(report.explain(plan, arguments.explain, told.get(arguments.explain, ())))
    else:
        print(report.summary(plan))
        for name, sentences in told.items():
            print(f"\n{name}\n" + "\n".join(sentences))
    return EXIT_FAILURE if plan.blocked else EXIT_OK


def decide(arguments: argparse.Namespace, context: Context, registry: Registry) -> Plan:
    """Read the repository and what is published, and decide."""
    monorepo = context.monorepo
    broken = {
        name.removeprefix("environments/"): error
        for name, error in monorepo.broken.items()
        if name.startswith("environments/")
    }
    known = frozenset({*monorepo.environments, *broken})
    deleted = Git(root=context.root).deleted_environments()
    names = pick("environment", arguments.environments, known | deleted)
    chosen = {name: monorepo.environments[name] for name in names if name in monorepo.environments}
    platforms = [Platform.parse(text) for text in arguments.platform or ()] or None
    resolved, failed = resolve_all(chosen, monorepo.bases, platforms)
    return make_plan(
        resolved,
        {**failed, **{name: broken[name] for name in names if name in broken}},
        registry,
        known=known,
        deleted=deleted,
        force=arguments.force,
    )
