"""Images of a compiled pipeline: in the store, or brought there from the registry they name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.build.export import LOCAL
from eggcrate.build.pulled import pull
from eggcrate.errors import CompileError, StoreError
from eggcrate.packages.target import Platform
from eggcrate.registry.remote import Remote

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from eggcrate.progress import Progress
    from eggcrate.registry.layout import Layout


def bring(images: Iterable[str], store: Layout, cache: Path, progress: Progress) -> None:
    """Have images in the store.

    Args:
        images: ``NAME@sha256:…``.
        store: where they are to be.
        cache: the user's, which keeps layers.
        progress: told of what is pulled.

    Raises:
        CompileError: one is not pinned.
        StoreError: one is neither here nor in its registry.
    """
    for image in images:
        digest = digest_of(image)
        if store.has_blob(digest) and not store.missing(digest):
            continue
        name = image.partition("@")[0]
        prefix, _, last = name.rpartition("/")
        if name.startswith(f"{LOCAL}/") or not prefix:
            raise StoreError(
                f"the store does not hold {image}",
                hint="build it: eggcrate build; or compile the pipeline again",
            )
        progress.status(f"pulling {image}")
        platform = str(Platform.of_this_machine())
        with Remote(prefix, tell=progress.info) as remote, store.in_use():
            pull(remote, last, digest, platform=platform, store=store, cache=cache)
        progress.info(f"pulled {name}")


def digest_of(image: str) -> str:
    """The digest that an image is pinned by.

    Raises:
        CompileError: it is not.
    """
    name, mark, digest = image.partition("@")
    if not mark:
        raise CompileError(
            f"the image {name} is not pinned by a digest",
            why="a tag can be moved: what ran could not be told",
            hint="name it as NAME@sha256:…",
        )
    return digest
