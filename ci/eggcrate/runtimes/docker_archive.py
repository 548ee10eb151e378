"""An image of the store as the stream that ``docker load`` reads, made on the fly.

Format: the ``docker save`` archive: ``manifest.json``, the configuration and the layers, which
may be compressed (https://github.com/moby/docker-image-spec, version 1.2, "Combined Image
JSON + Filesystem Changeset Format").
"""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING

from eggcrate.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eggcrate.registry import oci
    from eggcrate.registry.layout import Layout

_CHUNK = 1 << 20


def archive(layout: Layout, manifest: oci.Manifest, tag: str) -> Iterator[bytes]:
    """The archive's bytes, piece by piece.

    Args:
        layout: the store.
        manifest: the image's.
        tag: the name it gets in the daemon.

    Raises:
        StoreError: a blob is missing.
    """
    names = [f"{layer.digest.removeprefix('sha256:')}.tar" for layer in manifest.layers]
    config = f"{manifest.config.digest.removeprefix('sha256:')}.json"
    listing = [{"Config": config, "RepoTags": [tag], "Layers": names}]
    yield from _file("manifest.json", json.dumps(listing).encode())
    yield from _file(config, layout.read_blob(manifest.config.digest))
    for name, layer in dict(zip(names, manifest.layers, strict=True)).items():
        yield from _blob(layout, name, layer)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _file(name: str, content: bytes) -> Iterator[bytes]:
    yield _header(name, len(content)) + content + bytes(-len(content) % tarfile.BLOCKSIZE)


def _blob(layout: Layout, name: str, layer: oci.Descriptor) -> Iterator[bytes]:
    if not layout.has_blob(layer.digest, layer.size):
        raise StoreError(
            f"layer {layer.digest} is missing from the store {layout.root}",
            hint="run `eggcrate build` again",
        )
    yield _header(name, layer.size)
    with layout.blob_path(layer.digest).open("rb") as file:
        while data := file.read(_CHUNK):
            yield data
    yield bytes(-layer.size % tarfile.BLOCKSIZE)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    # GNU format: a layer of 8 GiB or more needs its size in base 256.
    return info.tobuf(tarfile.GNU_FORMAT)
