"""``eggcrate ci-local``: run the repository's ``cloudbuild.yaml`` on this machine's Docker."""

from __future__ import annotations

import contextlib
import os
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.cloud.build_file import read_build
from eggcrate.cloud.given import REGISTRY, Trigger, mounts, pairs, prepared, variables
from eggcrate.cloud.local_build import network, run_build, secrets_of
from eggcrate.cloud.local_registry import reachable
from eggcrate.cloud.outcomes import Status
from eggcrate.cloud.step_container import Surroundings
from eggcrate.cloud.workspace import read_source
from eggcrate.errors import EXIT_FAILURE, EXIT_OK
from eggcrate.report import ci_local as report

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "ci-local",
        help="run cloudbuild.yaml on this machine's Docker",
        description="Run the build file as Cloud Build would, changes that are not committed "
        "included: so that a change to CI is tried before it is pushed. Secrets (secretEnv) are "
        "taken from the environment.",
    )
    verb.add_argument("--config", type=Path, metavar="FILE", help="default: cloudbuild.yaml")
    trigger = verb.add_mutually_exclusive_group()
    trigger.add_argument(
        "--pull-request",
        dest="trigger",
        action="store_const",
        const=Trigger.PULL_REQUEST,
        help="as the trigger of pull requests runs it: nothing is published (default)",
    )
    trigger.add_argument(
        "--main",
        dest="trigger",
        action="store_const",
        const=Trigger.MAIN,
        help="as the trigger of the main branch runs it: it publishes",
    )
    verb.add_argument(
        "--registry",
        metavar="HOST/PATH",
        help="the substitution _REGISTRY; may be on this machine's loopback (default: a registry "
        "of this checkout, which is started)",
    )
    verb.add_argument(
        "--substitution",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="give a substitution another value; may be repeated",
    )
    verb.add_argument("--base-branch", default="main", metavar="NAME", help="default: main")
    verb.add_argument(
        "--project", default="ci-local", metavar="ID", help="what PROJECT_ID is (default: ci-local)"
    )
    verb.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="a variable of every step, such as pip's; may be repeated",
    )
    verb.add_argument(
        "--mount",
        action="append",
        default=[],
        metavar="HERE:INSIDE[:ro]",
        help="a file or folder of this machine in every step; may be repeated",
    )
    verb.add_argument(
        "--dry-run", action="store_true", help="check the file, show its steps, run nothing"
    )
    verb.add_argument("--json", action="store_true", help=f"print {report.SCHEMA}")
    verb.set_defaults(run=run, trigger=Trigger.PULL_REQUEST)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Read, clone, run, report."""
    build = read_build(arguments.config or context.root / "cloudbuild.yaml")
    given = pairs(arguments.substitution, "substitution")
    build_id = str(uuid.uuid4())
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eggcrate-ci-")))
        source = read_source(context.root, scratch)
        gateway = ""
        if not arguments.dry_run:
            gateway = stack.enter_context(network())
        if REGISTRY in build.substitutions and REGISTRY not in given and gateway:
            folder = context.root / ".eggcrate" / "ci-local" / "registry"
            registry = stack.enter_context(reachable(arguments.registry or "", folder, gateway))
            given[REGISTRY] = registry.inside
        done = prepared(
            build,
            source,
            arguments.trigger,
            given,
            build_id=build_id,
            project=arguments.project,
            base=arguments.base_branch,
        )
        for name in build.not_imitated:
            context.progress.warn(f"{name} is not imitated here")
        if arguments.dry_run:
            if arguments.json:
                context.show_json(report.SCHEMA, report.planned_document(done.build))
            else:
                context.show(report.planned(done.build))
            return EXIT_OK
        around = Surroundings(
            name=f"eggcrate-ci-{build_id[:8]}",
            owner=str(os.getpid()),
            gateway=gateway,
            environment=variables(arguments.env, os.environ),
            secrets=secrets_of(done.build, os.environ),
            substitutions=done.values,
            mounts=mounts(arguments.mount),
        )
        result = run_build(done.build, around, source, context.progress.info, build_id=build_id)
    if arguments.json:
        context.show_json(report.SCHEMA, report.document(result))
    else:
        context.show(f"\n{report.summary(result)}")
    return EXIT_OK if result.status is Status.SUCCESS else EXIT_FAILURE
