"""Images unpacked into folders: each layer once, each image as hard links to its layers.

``<cache>/unpacked/<DiffID>/`` holds a layer: its files in ``tree`` and what it removes from
the layers below in ``layer.json``. ``<cache>/roots/<manifest digest>/`` holds an image. Both
appear whole or not at all (:mod:`eggcrate.once`), and are read only: what runs inside gets them
mounted read-only.
Changesets: https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from eggcrate.errors import IntegrityError, StoreError
from eggcrate.files import sha256_file
from eggcrate.once import is_whole, made_once
from eggcrate.registry import oci
from eggcrate.registry.layout import damaged
from eggcrate.runtimes.inflate import LayerStream
from eggcrate.runtimes.merge import merge
from eggcrate.runtimes.protocol import UnpackedImage
from eggcrate.runtimes.untar import extract

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.registry.layout import Layout
    from eggcrate.registry.oci import Descriptor

_WORKERS = 2


def root_path(cache: Path, digest: str) -> Path:
    """Where the image with this manifest digest is unpacked, or would be."""
    return cache / "roots" / oci.check_digest(digest).removeprefix("sha256:")


def unpack(layout: Layout, digest: str, cache: Path) -> UnpackedImage:
    """Unpack an image; only what is not unpacked already.

    Args:
        layout: the store.
        digest: the manifest's.
        cache: the user's cache folder.

    Raises:
        StoreError: the store lacks it, or it is not an image this can unpack.
        IntegrityError: a blob is damaged; it has been removed from the store.
    """
    manifest = oci.parse(layout.read_blob(digest), f"manifest {digest}")
    if isinstance(manifest, oci.Index):
        raise StoreError(f"{digest} is an index of several images", hint="choose a platform")
    config = oci.parse_config(layout.read_blob(manifest.config.digest))
    if len(config.diff_ids) != len(manifest.layers):
        raise StoreError(
            f"image {digest} cannot be unpacked",
            why=f"{len(manifest.layers)} layers, but {len(config.diff_ids)} DiffIDs",
        )
    root = root_path(cache, digest)
    if not is_whole(root):
        with ThreadPoolExecutor(_WORKERS) as pool:
            unpacked = pool.map(
                lambda pair: unpack_layer(layout, pair[0], pair[1], cache),
                zip(manifest.layers, config.diff_ids, strict=True),
            )
            layers = list(unpacked)
        with made_once(root) as scratch:
            if scratch:
                merge(layers, scratch)
    return UnpackedImage(
        name=_name_of(layout, digest), digest=digest, platform=config.platform, env=config.env
    )


def unpack_layer(layout: Layout, layer: Descriptor, diff_id: str, cache: Path) -> Path:
    """Unpack one layer, checking the digest of the blob and of the tar in it.

    Raises:
        StoreError: the store lacks it, or it holds entries that are refused.
        IntegrityError: it is damaged; it has been removed from the store.
    """
    folder = cache / "unpacked" / oci.check_digest(diff_id).removeprefix("sha256:")
    with made_once(folder) as scratch:
        if scratch:
            _extract(layout, layer, diff_id, scratch)
    return folder


def _extract(layout: Layout, layer: Descriptor, diff_id: str, scratch: Path) -> None:
    if not layout.has_blob(layer.digest):
        raise StoreError(
            f"layer {layer.digest} is missing from the store {layout.root}",
            hint="run `eggcrate build` again",
        )
    tree = scratch / "tree"
    tree.mkdir(mode=0o755)
    with layout.blob_path(layer.digest).open("rb") as blob:
        stream = LayerStream(blob, layer.media_type, layer.digest)
        try:
            changes = extract(stream, tree, layer.digest)
            digests = stream.finish()
        except StoreError:
            _check_blob(layout, layer)
            raise
    if digests[0] != layer.digest:
        layout.remove_blob(layer.digest)
        raise damaged(layout.root, layer.digest)
    if digests[1] != diff_id:
        raise IntegrityError(
            f"layer {layer.digest} is not what the image's configuration says",
            why=f"its DiffID is {digests[1]}, the configuration says {diff_id}",
        )
    (scratch / "layer.json").write_text(json.dumps(changes.to_json()))


def _check_blob(layout: Layout, layer: Descriptor) -> None:
    """Tell damage from a layer that was made wrong: the first is healed by removing it."""
    if f"sha256:{sha256_file(layout.blob_path(layer.digest))}" != layer.digest:
        layout.remove_blob(layer.digest)
        raise damaged(layout.root, layer.digest)


def _name_of(layout: Layout, digest: str) -> str:
    for ref, item in layout.refs().items():
        if item.digest == digest:
            return ref
    return digest
