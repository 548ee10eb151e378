"""``eggcrate doctor``: each setting with where it came from, this machine, and the plugins."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from eggcrate.packages.pip_config import redacted
from eggcrate.plugins import GROUPS, plugins
from eggcrate.report.table import table
from eggcrate.runtimes import docker, sandbox

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser("doctor", help="show settings, their origin, and this machine")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:  # noqa: ARG001 - same for all
    """Print what is set and what works here."""
    settings = context.settings
    rows = [(item.name, item.value or "-", item.origin) for item in settings.origins]
    context.show(table(("setting", "value", "from"), rows))
    indexes = [redacted(url) for url in context.pip.index_urls]
    facts = [
        ("python", platform.python_version()),
        ("processors", str(settings.workers)),
        ("sandbox", sandbox.available() or "works"),
        ("docker", docker.available() or "works"),
        ("package index", ", ".join(indexes)),
    ]
    context.show("\n" + table(("machine", ""), facts))
    active = [
        (group, one.name, one.distribution, one.problem() or "works")
        for group in GROUPS
        for one in plugins(group)
    ]
    if active:
        context.show("\n" + table(("plugins of", "name", "distribution", ""), active))
    return 0
