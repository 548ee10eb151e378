"""What ``eggcrate report --site`` tells beside the catalogue: images, history, cells, sizes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from eggcrate.build.holders import all_chains
from eggcrate.build.local import LocalRegistry
from eggcrate.build.published import RemoteRegistry
from eggcrate.build.versions import image_versions, lock_history
from eggcrate.cli.diff import size_asker
from eggcrate.errors import RegistryError
from eggcrate.matrix.catalogue import near_duplicates
from eggcrate.matrix.standing import read_last_run
from eggcrate.repo.git import Git
from eggcrate.report.document import FOLDER as MATRIX
from eggcrate.report.site_pages import Site

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from eggcrate.build.plan import Registry
    from eggcrate.build.versions import ImageVersion
    from eggcrate.cli.context import Context
    from eggcrate.matrix.catalogue import Catalogue


def read_site(catalogue: Catalogue, arguments: argparse.Namespace, context: Context) -> Site:
    """Read all that the site tells."""
    git = Git(root=context.root)
    everything = [one.resolved for one in catalogue.environments.values()]
    with context.open_remote(arguments.registry) as remote:
        registry = RemoteRegistry(remote) if remote else LocalRegistry(context.store)
        images = _images(catalogue, registry, context)
    commits = git.history(".")
    return Site(
        catalogue=catalogue,
        today=datetime.now(UTC).date(),
        alike=near_duplicates(catalogue),
        sizes=size_asker(context, arguments.offline)(
            {file for one in everything for file in one.recipe.distributions}
        ),
        chains={one.environment.name: all_chains(one) for one in everything},
        images=images,
        history=lock_history(git, list(catalogue.environments)),
        registry=str(remote) if remote else "",
        last=read_last_run(context.root / MATRIX / "matrix.json"),
        commit=f"{commits[0].short} of {commits[0].date}" if commits else "",
    )


def _images(
    catalogue: Catalogue, registry: Registry, context: Context
) -> Mapping[str, Sequence[ImageVersion]]:
    found = {}
    for name, one in catalogue.environments.items():
        try:
            found[name] = image_versions(one.resolved, registry.published(name))
        except RegistryError as error:
            context.progress.warn(f"the images of {name} are not told: {error.what}")
    return found
