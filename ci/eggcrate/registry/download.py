"""Reading from a registry: manifests, and blobs into the user's cache.

A blob is streamed to a partial file that a later try, or a later process, continues by
``Range``; it takes its name only when it has the SHA-256 that names it.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from eggcrate.errors import IntegrityError, RegistryError
from eggcrate.files import exclusive, sha256_file
from eggcrate.packages.resumed import fetch_rest
from eggcrate.registry import oci
from eggcrate.registry.refusals import not_a_registry
from eggcrate.registry.session import Call
from eggcrate.retries import TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import httpx2

    from eggcrate.registry.session import Session

_TYPES = (oci.INDEX, oci.MANIFEST, oci.DOCKER_LIST, oci.DOCKER_MANIFEST)
MANIFESTS = ", ".join(_TYPES)
PROGRESS = 1 << 20
"""Bytes that must have moved for a failed attempt to count as the first one again."""
_LARGEST_MANIFEST = 4 << 20
_WRONG_ANSWERS = 4
_OK, _PARTIAL, _NOT_FOUND, _BAD_RANGE = 200, 206, 404, 416


def blob_path(cache: Path, digest: str) -> Path:
    """Where a blob from any registry is, or would be, in the user's cache."""
    return cache / "blobs" / "sha256" / oci.check_digest(digest).removeprefix("sha256:")


def head_manifest(session: Session, repository: str, reference: str) -> oci.Descriptor | None:
    """What a tag or digest stands for; nothing when the registry does not have it.

    Raises:
        RegistryError: the registry does not tell.
        NotARegistryError: what it answers is no image, such as a log-in page.
    """
    call = _manifest_call("HEAD", repository, reference)
    answer = session.send(call, _OK, _NOT_FOUND)
    if answer.status_code == _NOT_FOUND:
        session.prove()
        return None
    media_type = _media_type(session, repository, reference, answer)
    digest = answer.headers.get("docker-content-digest", "")
    size = answer.headers.get("content-length", "")
    if not digest or not size.isdigit():
        return get_manifest(session, repository, reference)[1]
    session.proven = True
    return oci.Descriptor(media_type=media_type, digest=oci.check_digest(digest), size=int(size))


def get_manifest(session: Session, repository: str, reference: str) -> tuple[bytes, oci.Descriptor]:
    """The manifest or index that a tag or digest stands for, verified.

    Raises:
        RegistryError: the registry does not have it or does not give it.
        NotARegistryError: what it answers is no image, such as a log-in page.
        IntegrityError: it repeatedly sends something else than the digest names.
    """
    call = _manifest_call("GET", repository, reference)
    host = session.address.host

    def attempt() -> tuple[bytes, oci.Descriptor]:
        answer = session.send(call, _OK, patient=False)
        content = answer.content
        if len(content) > _LARGEST_MANIFEST:
            raise RegistryError(
                f"the manifest {host}/{repository} {reference} is larger than one may be"
            )
        digest = oci.digest_of(content)
        named = reference if ":" in reference else answer.headers.get("docker-content-digest")
        if named and named.startswith("sha256:") and named != digest:
            raise _Wrong(f"it does not send {named}")
        media_type = _media_type(session, repository, reference, answer)
        return content, oci.Descriptor(media_type=media_type, digest=digest, size=len(content))

    try:
        return session.patiently(call, attempt)
    except RegistryError as error:
        if isinstance(error.__cause__, _Wrong):
            raise _not_sent(host, reference) from error
        raise


def _media_type(session: Session, repository: str, reference: str, answer: httpx2.Response) -> str:
    """What an answer says that it is: an image, or by registries that do not tell nothing."""
    told: str = answer.headers.get("content-type", "").partition(";")[0].strip()
    if told in ("", "application/json"):
        return ""
    if told not in _TYPES:
        host, joint = session.address.host, "@" if ":" in reference else ":"
        raise not_a_registry(host, f"{host}/{repository}{joint}{reference} is {told}")
    return told


def fetch_blob(session: Session, repository: str, blob: oci.Descriptor, cache: Path) -> Path:
    """Bring a blob into the user's cache, unless it is there and undamaged.

    Raises:
        RegistryError: the registry does not have it or does not give it.
        IntegrityError: it repeatedly sends something else than the digest names.
    """
    path = blob_path(cache, blob.digest)
    partial = path.with_name(f".{path.name}.partial")
    call = Call(
        method="GET",
        path=f"/v2/{repository}/blobs/{blob.digest}",
        repository=repository,
        what=f"blob {blob.digest}",
    )

    @contextlib.contextmanager
    def ask(headers: Mapping[str, str]) -> Iterator[httpx2.Response]:
        ranged = replace(call, headers=headers)
        with (
            session.network(call),
            session.stream(ranged, _OK, _PARTIAL, _BAD_RANGE) as answer,
        ):
            yield answer

    sha256 = blob.digest.removeprefix("sha256:")
    with exclusive(path.with_name(f"{path.name}.lock")):
        if _holds(path, blob):
            return path
        failures = wrong = 0
        while True:
            before = _size(partial)
            try:
                found = fetch_rest(partial, sha256, ask=ask, check=_asked_well, size=blob.size)
                if found == sha256:
                    _keep(partial, path)
                    return path
                partial.unlink(missing_ok=True)
                wrong += 1
                if wrong >= _WRONG_ANSWERS:
                    raise _not_sent(session.address.host, blob.digest)
                raise _Wrong(f"it does not send {blob.digest}")
            except TransientError as error:
                grown = _size(partial) - before
                failures = 1 if grown >= PROGRESS else failures + 1
                session.pause(call, error, failures)


def _asked_well(answer: httpx2.Response) -> None:
    """Refuse what is no success where nothing but the whole was asked for."""
    if answer.status_code == _BAD_RANGE:
        raise TransientError("it answered 416 to a request for all of it")


def _keep(partial: Path, path: Path) -> None:
    partial.chmod(0o644)
    partial.replace(path)


def _holds(path: Path, blob: oci.Descriptor) -> bool:
    try:
        return path.stat().st_size == blob.size and f"sha256:{sha256_file(path)}" == blob.digest
    except FileNotFoundError:
        return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _manifest_call(method: str, repository: str, reference: str) -> Call:
    return Call(
        method=method,
        path=f"/v2/{repository}/manifests/{reference}",
        repository=repository,
        what=f"manifest {reference}",
        headers={"accept": MANIFESTS},
    )


class _Wrong(TransientError):  # noqa: N818 - an answer, not an error of ours
    """Bytes that are not those the digest names."""


def _not_sent(host: str, digest: str) -> IntegrityError:
    return IntegrityError(
        f"registry {host} does not send {digest}",
        why="each time its answer was something else",
        hint="try again later; if it stays, the registry or a proxy before it is at fault",
    )
