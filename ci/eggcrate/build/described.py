"""Images by what their manifests say, wherever they are: published, or in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.build.pulled import read_image
from eggcrate.errors import RegistryUnreachableError, StoreError
from eggcrate.registry import oci

if TYPE_CHECKING:
    from collections.abc import Callable

    from eggcrate.registry.layout import Layout
    from eggcrate.registry.remote import Remote

IN_STORE = "store"
"""Stands for the newest image of an environment in the checkout's store."""


def image_reader(
    remote: Remote | None, store: Layout
) -> Callable[[str, str, str], tuple[str, oci.Manifest]]:
    """Gives the digest and manifest of an image by environment, tag or digest, and platform.

    Args:
        remote: where images are published, if anywhere: it is asked first.
        store: the checkout's.
    """

    def read(environment: str, reference: str, platform: str) -> tuple[str, oci.Manifest]:
        if remote is None or reference == IN_STORE:
            return _stored(store, environment, reference, platform)
        try:
            content, manifest = read_image(remote, environment, reference, platform=platform)
        except RegistryUnreachableError:
            raise
        except StoreError as error:
            try:
                return _stored(store, environment, reference, platform)
            except StoreError:
                raise error from None
        return oci.digest_of(content), manifest

    return read


def _stored(
    store: Layout, environment: str, reference: str, platform: str
) -> tuple[str, oci.Manifest]:
    if reference == IN_STORE:
        name = environment
    elif reference.startswith("sha256:"):
        name = reference
    else:
        name = f"{environment}.{reference}"
    item = store.resolve(name, platform)
    parsed = oci.parse(store.read_blob(item.digest), name)
    if isinstance(parsed, oci.Index):
        raise StoreError(f"{name} in the store is an index of several images")
    return item.digest, parsed
