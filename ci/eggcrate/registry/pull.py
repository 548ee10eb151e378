"""Images from a registry into the user's cache: the read-only half of OCI distribution.

Specification: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.errors import StoreError
from eggcrate.files import atomic_write, sha256_file
from eggcrate.registry import oci
from eggcrate.registry.address import Address
from eggcrate.registry.download import blob_path, fetch_blob, get_manifest
from eggcrate.registry.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.retries import Retries

_REFERENCE = re.compile(r"(?P<host>[^/@]+)/(?P<name>[^@:]+)@(?P<digest>sha256:[0-9a-f]{64})")
_PARALLEL = 3


@dataclass(frozen=True, kw_only=True)
class Reference:
    """An image in a registry, pinned: ``registry/name@sha256:...``."""

    host: str
    name: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference.

        Raises:
            StoreError: it has no registry, or no digest.
        """
        match = _REFERENCE.fullmatch(text)
        if not match:
            raise StoreError(
                f"{text!r} is not a pinned image",
                hint="write it as registry/name@sha256:<64 digits>",
            )
        return cls(**match.groupdict())

    def __str__(self) -> str:
        return f"{self.host}/{self.name}@{self.digest}"


@dataclass(frozen=True, kw_only=True)
class PulledLayer:
    """A layer in the user's cache."""

    path: Path
    digest: str
    size: int
    diff_id: str
    media_type: str
    """In OCI's terms."""


@dataclass(frozen=True, kw_only=True)
class PulledImage:
    """An image of one platform in the user's cache."""

    digest: str
    """Of the manifest for the platform; the reference's own may be an index's."""
    manifest: oci.Manifest
    config: oci.Config
    layers: tuple[PulledLayer, ...]


def pull(
    reference: str,
    platform: str,
    cache: Path,
    *,
    docker_config: Path | None = None,
    retries: Retries | None = None,
) -> PulledImage:
    """Bring an image into the cache; nothing is asked of the registry that is there already.

    Args:
        reference: ``registry/name@sha256:...``, of a manifest or an index.
        platform: such as ``linux/amd64``.
        cache: the user's cache folder; blobs are in its ``blobs/sha256``.
        docker_config: Docker's ``config.json`` with credentials; by default where Docker
            looks for it.
        retries: how patient to be.

    Raises:
        StoreError: the registry cannot be reached, does not let us in, or has no such image.
        IntegrityError: it repeatedly sends something else than the digest names.
    """
    pinned = Reference.parse(reference)
    address = Address.parse(pinned.host)
    with Session(address, docker_config=docker_config, retries=retries) as session:
        digest, parsed = pinned.digest, _manifest(session, pinned, pinned.digest, cache)
        if isinstance(parsed, oci.Index):
            digest = _choose(parsed, pinned, platform)
            parsed = _manifest(session, pinned, digest, cache)
        if isinstance(parsed, oci.Index):
            raise StoreError(f"{pinned} is an index of indexes", hint="pin one of its images")
        config = oci.parse_config(
            fetch_blob(session, pinned.name, parsed.config, cache).read_bytes(),
            f"configuration of {pinned}",
        )
        if not oci.Descriptor(media_type="", digest=digest, size=0, platform=config.platform).fits(
            platform
        ):
            raise StoreError(f"{pinned} is for {config.platform}, not for {platform}")
        if len(config.diff_ids) != len(parsed.layers):
            raise StoreError(f"{pinned} has {len(parsed.layers)} layers and other DiffIDs")
        with ThreadPoolExecutor(_PARALLEL) as pool:
            paths = list(
                pool.map(lambda item: fetch_blob(session, pinned.name, item, cache), parsed.layers)
            )
    layers = tuple(
        PulledLayer(
            path=path,
            digest=layer.digest,
            size=layer.size,
            diff_id=diff_id,
            media_type=oci.oci_media_type(layer.media_type),
        )
        for path, layer, diff_id in zip(paths, parsed.layers, config.diff_ids, strict=True)
    )
    return PulledImage(digest=digest, manifest=parsed, config=config, layers=layers)


def _choose(index: oci.Index, pinned: Reference, platform: str) -> str:
    for item in index.manifests:
        if item.fits(platform):
            return item.digest
    known = ", ".join(item.platform for item in index.manifests if item.platform)
    raise StoreError(f"{pinned} has no image for {platform}", why=f"it has: {known}")


def _manifest(
    session: Session, pinned: Reference, digest: str, cache: Path
) -> oci.Manifest | oci.Index:
    path = blob_path(cache, digest)
    if not path.is_file() or f"sha256:{sha256_file(path)}" != digest:
        atomic_write(path, get_manifest(session, pinned.name, digest)[0])
    return oci.parse(path.read_bytes(), f"the manifest of {pinned}")
