"""Images from a registry into the user's cache: the read-only half of OCI distribution.

Specification: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md.
"""

from __future__ import annotations

import hashlib
import re
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2

from eggcrate.errors import IntegrityError, StoreError
from eggcrate.files import atomic_open, atomic_write, exclusive, sha256_file
from eggcrate.registry import oci
from eggcrate.registry.credentials import Session, credentials_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REFERENCE = re.compile(r"(?P<host>[^/@]+)/(?P<name>[^@:]+)@(?P<digest>sha256:[0-9a-f]{64})")
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_MANIFESTS = f"{oci.INDEX}, {oci.MANIFEST}, {oci.DOCKER_LIST}, {oci.DOCKER_MANIFEST}"
_LARGEST_MANIFEST = 4 << 20
_ATTEMPTS = 4
_PARALLEL = 3
_CHUNK = 1 << 20
_TIMEOUT = httpx2.Timeout(60, connect=15)
_RETRY = frozenset({408, 429, 500, 502, 503, 504})
_UNAUTHORISED = 401
_FORBIDDEN = 403
_NOT_FOUND = 404


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

    @property
    def url(self) -> str:
        """Where the registry's interface to this image is; plain HTTP on loopback only."""
        name = self.host if self.host.endswith("]") else self.host.rpartition(":")[0] or self.host
        scheme = "http" if name in _LOOPBACK else "https"
        return f"{scheme}://{self.host}/v2/{self.name}"

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
    reference: str, platform: str, cache: Path, *, docker_config: Path | None = None
) -> PulledImage:
    """Bring an image into the cache; nothing is asked of the registry that is there already.

    Args:
        reference: ``registry/name@sha256:...``, of a manifest or an index.
        platform: such as ``linux/amd64``.
        cache: the user's cache folder; blobs are in its ``blobs/sha256``.
        docker_config: Docker's ``config.json`` with credentials; by default where Docker
            looks for it.

    Raises:
        StoreError: the registry cannot be reached, does not let us in, or has no such image.
        IntegrityError: it repeatedly sends something else than the digest names.
    """
    pinned = Reference.parse(reference)
    session = Session(
        client=httpx2.Client(
            timeout=_TIMEOUT, follow_redirects=True, verify=ssl.create_default_context()
        ),
        credentials=credentials_for(pinned.host, docker_config),
    )
    with session.client:
        digest, parsed = pinned.digest, _manifest(session, pinned, pinned.digest, cache)
        if isinstance(parsed, oci.Index):
            digest = _choose(parsed, pinned, platform)
            parsed = _manifest(session, pinned, digest, cache)
        if isinstance(parsed, oci.Index):
            raise StoreError(f"{pinned} is an index of indexes", hint="pin one of its images")
        config = oci.parse_config(
            _blob(session, pinned, parsed.config, cache).read_bytes(), f"configuration of {pinned}"
        )
        if not oci.Descriptor(media_type="", digest=digest, size=0, platform=config.platform).fits(
            platform
        ):
            raise StoreError(f"{pinned} is for {config.platform}, not for {platform}")
        if len(config.diff_ids) != len(parsed.layers):
            raise StoreError(f"{pinned} has {len(parsed.layers)} layers and other DiffIDs")
        with ThreadPoolExecutor(_PARALLEL) as pool:
            paths = list(pool.map(lambda item: _blob(session, pinned, item, cache), parsed.layers))
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


def _path(cache: Path, digest: str) -> Path:
    return cache / "blobs" / "sha256" / digest.removeprefix("sha256:")


def _manifest(
    session: Session, pinned: Reference, digest: str, cache: Path
) -> oci.Manifest | oci.Index:
    path = _path(cache, digest)
    if not path.is_file() or f"sha256:{sha256_file(path)}" != digest:
        url = f"{pinned.url}/manifests/{digest}"
        for attempt in _attempts():
            content = b"".join(_get(session, url, pinned, attempt, accept=_MANIFESTS))
            if len(content) > _LARGEST_MANIFEST:
                raise StoreError(f"the manifest of {pinned} is larger than a manifest may be")
            if content and oci.digest_of(content) == digest:
                atomic_write(path, content)
                break
        else:
            raise _wrong(pinned, digest)
    return oci.parse(path.read_bytes(), f"the manifest of {pinned}")


def _blob(session: Session, pinned: Reference, item: oci.Descriptor, cache: Path) -> Path:
    path = _path(cache, item.digest)
    with exclusive(path.with_name(f"{path.name}.lock")):
        if path.is_file() and path.stat().st_size == item.size:
            return path
        for attempt in _attempts():
            try:
                with atomic_open(path) as file:
                    hashed = hashlib.sha256()
                    left = item.size
                    url = f"{pinned.url}/blobs/{item.digest}"
                    for data in _get(session, url, pinned, attempt):
                        hashed.update(data)
                        file.write(data)
                        left -= len(data)
                        if left < 0:
                            break
                    if f"sha256:{hashed.hexdigest()}" != item.digest:
                        raise _wrong(pinned, item.digest)
            except IntegrityError:
                continue
            return path
    raise _wrong(pinned, item.digest)


def _attempts() -> Iterator[int]:
    for attempt in range(1, _ATTEMPTS + 1):
        if attempt > 1:
            time.sleep(0.25 * 2**attempt)
        yield attempt


def _get(
    session: Session, url: str, pinned: Reference, attempt: int, *, accept: str = "*/*"
) -> Iterator[bytes]:
    """A response's bytes; none when it may go better next time."""
    last = attempt == _ATTEMPTS
    try:
        with session.stream(url, accept) as response:
            if response.status_code in _RETRY and not last:
                return
            if response.status_code != httpx2.codes.OK:
                raise _refused(pinned, response.status_code)
            yield from response.iter_raw(_CHUNK)
    except httpx2.HTTPError as error:
        if last:
            raise StoreError(
                f"registry {pinned.host} cannot be reached",
                why=str(error) or type(error).__name__,
                hint="check the address and the network, then try again",
            ) from error


def _refused(pinned: Reference, status: int) -> StoreError:
    if status in (_UNAUTHORISED, _FORBIDDEN):
        return StoreError(
            f"registry {pinned.host} does not let us read {pinned.name}",
            why=f"it answered {status}",
            hint=f"log in with `docker login {pinned.host}`",
        )
    if status == _NOT_FOUND:
        return StoreError(f"registry {pinned.host} has no {pinned.name}@{pinned.digest}")
    return StoreError(f"registry {pinned.host} answered {status} for {pinned.name}")


def _wrong(pinned: Reference, digest: str) -> IntegrityError:
    return IntegrityError(
        f"registry {pinned.host} does not send {digest}",
        why=f"{_ATTEMPTS} times its answer was something else, or nothing",
        hint="try again later; if it stays, the registry or a proxy before it is at fault",
    )
