"""Images from the registry into the store, where pulling is all that is left to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.build import image
from eggcrate.build.recipe import tag_of
from eggcrate.errors import StoreError
from eggcrate.registry import oci

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.registry.layout import Layout
    from eggcrate.registry.remote import Remote


def pull(
    remote: Remote, name: str, reference: str, *, platform: str, store: Layout, cache: Path
) -> oci.Descriptor:
    """Pull an image of ours into the store, under the name that a build would give it.

    Args:
        remote: where it is published.
        name: the environment.
        reference: its tag or digest; of an index the platform's image is taken.
        platform: such as ``linux/amd64``.
        store: where it goes; layers that are there are not asked for.
        cache: the user's, which keeps its layers.

    Raises:
        StoreError: it is not published, not for this platform, or not ours.
        IntegrityError: the registry sends something else than it names.
    """
    content, parsed = read_image(remote, name, reference, platform=platform)
    key = parsed.annotations.get(image.KEY, "")
    if not key:
        raise StoreError(
            f"{remote.image(name, reference)} was not made by Eggcrate",
            why="its manifest does not say what it was made from",
        )
    needed = {blob.digest: blob for blob in (parsed.config, *parsed.layers)}.values()
    missing = [blob for blob in needed if not store.has_blob(blob.digest, blob.size)]

    def fetch(blob: oci.Descriptor) -> None:
        store.add_blob_file(remote.fetch_blob(name, blob, cache), blob.digest, blob.size)

    remote.each(fetch, missing)
    code = parsed.annotations.get(image.CODE)
    tag = image.code_tag(code) if code else tag_of(key)
    return store.put_manifest(f"{name}.{tag}", content, platform=platform)


def read_image(
    remote: Remote, name: str, reference: str, *, platform: str
) -> tuple[bytes, oci.Manifest]:
    """The manifest of a published image; of an index the platform's.

    Raises:
        StoreError: it is not published, or not for this platform.
    """
    content, _ = remote.get_manifest(name, reference)
    parsed = oci.parse(content, remote.image(name, reference))
    if isinstance(parsed, oci.Index):
        fitting = [item.digest for item in parsed.manifests if item.fits(platform)]
        if not fitting:
            raise StoreError(f"{remote.image(name, reference)} has no image for {platform}")
        content, _ = remote.get_manifest(name, fitting[0])
        parsed = oci.parse(content, remote.image(name, fitting[0]))
    if isinstance(parsed, oci.Index):
        raise StoreError(f"{remote.image(name, reference)} is an index of indexes")
    return content, parsed
