"""``eggcrate verify``: signature, provenance, and a second build of published images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.build.pulled import read_image
from eggcrate.build.verify import Verifier, rebuilt
from eggcrate.cli.build import workshop
from eggcrate.cli.plan import add_registry, no_registry, read_locks
from eggcrate.cli.trust_parts import open_signatures, trusted_keys
from eggcrate.errors import EXIT_FAILURE, EXIT_OK
from eggcrate.packages.target import Platform
from eggcrate.registry import oci
from eggcrate.repo.git import Git
from eggcrate.report import verify as report

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from eggcrate.cli.context import Context


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the command line."""
    verb = verbs.add_parser(
        "verify",
        help="check an image's signature and provenance, and rebuild it to compare",
        description="Check that published images are signed by a key that is trusted and that "
        "their provenance is about them; with --rebuild make them again from their locks, at the "
        "commit that the provenance names, and compare digests.",
    )
    verb.add_argument(
        "images",
        nargs="+",
        metavar="ENV[@TAG]",
        help="a published image: by tag or sha256:..., or the one that the locks name now",
    )
    verb.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="FILE",
        help="public key, a file, env:NAME or gcpkms://...; may be repeated (default: the "
        "setting trust)",
    )
    verb.add_argument("--platform", metavar="OS/ARCH", help="default: the environment's first")
    verb.add_argument("--rebuild", action="store_true", help="build it again and compare")
    add_registry(verb)
    verb.add_argument("--json", action="store_true", help="print eggcrate.verify/1")
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Read, check, rebuild, print."""
    named = arguments.key or context.settings.trusted
    keys = trusted_keys(context, arguments.key) if named or not arguments.rebuild else ()
    with context.open_remote(arguments.registry) as remote:
        if remote is None:
            raise no_registry("read from")
        with open_signatures(context, remote) as signatures:
            verifier = Verifier(signatures=signatures, keys=keys, cache=context.settings.cache)
            found = []
            for name, reference, platform in _asked(arguments, context):
                content, _ = read_image(remote, name, reference, platform=platform)
                digest = oci.digest_of(content)
                context.progress.status(f"checking {name}")
                found.append(verifier.verify(name, digest, content, platform))
    if arguments.rebuild:
        shop, git = workshop(context, locked=True), Git(root=context.root)
        found = [rebuilt(one, shop, git, context.root) for one in found]
    if arguments.json:
        context.show_json("eggcrate.verify/1", report.document(found))
    else:
        context.show(report.text(found))
    return EXIT_OK if all(one.good for one in found) else EXIT_FAILURE


def _asked(arguments: argparse.Namespace, context: Context) -> Iterator[tuple[str, str, str]]:
    """Environment, tag or digest, and platform of each image."""
    for word in arguments.images:
        name, at, reference = word.partition("@")
        if not at:
            platforms = [arguments.platform] if arguments.platform else []
            resolved, failed = read_locks(context, [name], platforms=platforms)
            for error in failed.values():
                raise error
            recipe = resolved[0].recipe
            yield name, recipe.tag, str(recipe.target.platform)
            continue
        environment = context.monorepo.environments.get(name)
        first = environment.platforms[0] if environment else str(Platform.of_this_machine())
        yield name, reference, arguments.platform or first
