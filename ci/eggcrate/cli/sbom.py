"""``eggcrate sbom``: the bill of materials of an image, CycloneDX 1.6."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.build import cyclonedx
from eggcrate.build.bill import read_bill
from eggcrate.cli.plan import add_registry, no_registry, read_locks
from eggcrate.cli.trust_parts import attached_bill, licence_asker
from eggcrate.errors import EXIT_OK
from eggcrate.files import atomic_write
from eggcrate.packages.target import Platform

if TYPE_CHECKING:
    import argparse

    from eggcrate.cli.context import Context


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "sbom",
        help="write the bill of materials of an image (CycloneDX)",
        description="Every Debian and Python package of an image with hash, licence and package "
        "URL: of ENV from its locks, which are all that its image is made from; of ENV@TAG or "
        "ENV@sha256:... what is attached to the published image.",
    )
    verb.add_argument(
        "image", metavar="ENV[@TAG]", help="from the locks; with a tag or digest, what is published"
    )
    verb.add_argument("--platform", metavar="OS/ARCH", help="default: the environment's first")
    verb.add_argument("--output", type=Path, metavar="FILE", help="write it to a file")
    add_registry(verb)
    verb.add_argument("--json", action="store_true", help="print eggcrate.sbom/1")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Read or make it, print."""
    name, published, _ = arguments.image.partition("@")
    if published:
        content, about = _attached(arguments, context, name)
    else:
        content, about = _from_locks(arguments, context)
    if arguments.output:
        atomic_write(arguments.output, content)
    if arguments.json:
        context.show_json("eggcrate.sbom/1", {**about, "bom": json.loads(content)})
    elif not arguments.output:
        context.show(content.decode().rstrip("\n"))
    return EXIT_OK


def _from_locks(arguments: argparse.Namespace, context: Context) -> tuple[bytes, dict[str, str]]:
    platforms = [arguments.platform] if arguments.platform else []
    resolved, failed = read_locks(context, [arguments.image], platforms=platforms)
    for error in failed.values():
        raise error
    bill = read_bill(
        resolved[0],
        cache=context.settings.cache,
        licences=licence_asker(context),
        progress=context.progress,
    )
    about = {"environment": bill.environment, "platform": bill.platform, "key": bill.key}
    return cyclonedx.encode(bill), about


def _attached(
    arguments: argparse.Namespace, context: Context, name: str
) -> tuple[bytes, dict[str, str]]:
    environment = context.monorepo.environments.get(name)
    platform = arguments.platform or (
        environment.platforms[0] if environment else str(Platform.of_this_machine())
    )
    with context.open_remote(arguments.registry) as remote:
        if remote is None:
            raise no_registry("read from")
        content, digest = attached_bill(context, remote, arguments.image, platform)
    return content, {"environment": name, "platform": platform, "digest": digest}
