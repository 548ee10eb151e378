"""One blob into a registry: mounted from another repository where possible, else uploaded.

Specification: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pushing-blobs.
"""

from __future__ import annotations

import contextlib
import enum
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import IntegrityError, RegistryError
from eggcrate.files import sha256_file
from eggcrate.registry.download import PROGRESS
from eggcrate.registry.refusals import Wanted, explain
from eggcrate.registry.session import Call
from eggcrate.retries import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import httpx2

    from eggcrate.registry.oci import Descriptor
    from eggcrate.registry.session import Session

_OK, _CREATED, _ACCEPTED, _NO_CONTENT = 200, 201, 202, 204
_BAD, _NOT_FOUND, _NOT_ALLOWED, _BAD_RANGE, _NOT_IMPLEMENTED = 400, 404, 405, 416, 501
_LOST = frozenset({_BAD, _NOT_FOUND, _NOT_ALLOWED, _BAD_RANGE, _NOT_IMPLEMENTED})
"""Answers to a part of an upload after which a new upload may go well."""
_READ = 1 << 18
_CHUNK = 32 << 20
_RANGE = re.compile(r"(?:bytes=)?0-(\d+)")
_BINARY = {"content-type": "application/octet-stream"}


class Uploads(enum.Enum):
    """How a blob's bytes are sent."""

    AUTO = "auto"
    """In one request; after a cut, the rest alone where the registry can continue."""
    MONOLITHIC = "monolithic"
    """In one request; after a cut, all again. Artifact Registry knows nothing else."""
    CHUNKED = "chunked"
    """In requests of 32 MiB: for registries behind proxies that limit a request's size."""


class Outcome(enum.Enum):
    """What became of a blob."""

    EXISTED = "existed"
    MOUNTED = "mounted"
    UPLOADED = "uploaded"


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """A blob that is in the repository now."""

    outcome: Outcome
    bytes: int
    """Uploaded for it, repeats after a cut not counted; 0 when it was there or was mounted."""


@dataclass(frozen=True, kw_only=True)
class _Upload:
    """An upload that the registry has opened."""

    location: str
    offset: int = 0
    """Bytes that the registry has already."""


@dataclass(frozen=True, kw_only=True)
class _Job:
    """A blob on its way into a repository."""

    session: Session
    repository: str
    blob: Descriptor
    uploads: Uploads
    path: Path = Path()
    """Known once it cannot be mounted."""

    def call(self, method: str, path: str) -> Call:
        return Call(
            method=method,
            path=path,
            repository=self.repository,
            what=f"blob {self.blob.digest}",
            actions=("pull", "push"),
        )

    @property
    def start(self) -> Call:
        return self.call("POST", f"/v2/{self.repository}/blobs/uploads/")


def has_blob(session: Session, repository: str, blob: Descriptor, *, patient: bool = True) -> bool:
    """Whether the repository has the blob, with the right size where the registry tells it."""
    call = Call(
        method="HEAD",
        path=f"/v2/{repository}/blobs/{blob.digest}",
        repository=repository,
        what=f"blob {blob.digest}",
    )
    answer = session.send(call, _OK, _NOT_FOUND, patient=patient)
    if answer.status_code == _NOT_FOUND:
        return False
    size = answer.headers.get("content-length", "")
    return not size.isdigit() or int(size) == blob.size


def push_blob(
    session: Session,
    repository: str,
    path: Path | Callable[[], Path],
    blob: Descriptor,
    *,
    mount_from: Sequence[str] = (),
    uploads: Uploads = Uploads.AUTO,
) -> Pushed:
    """Bring a blob that is not there yet into a repository.

    Args:
        session: the registry.
        repository: the registry's own name of it.
        path: the blob, or a function that gives it, called when it cannot be mounted.
        blob: its digest and size.
        mount_from: repositories of the same registry that may have it, likeliest first.
        uploads: how its bytes are sent.

    Raises:
        RegistryError: the registry does not take it.
        IntegrityError: the file is not what its digest says.
    """
    job = _Job(session=session, repository=repository, blob=blob, uploads=uploads)
    opened: _Upload | None = None
    for source in mount_from:
        if source == repository:
            continue
        answer = _mount(job, source)
        if opened and answer:
            _cancel(job, opened)
            opened = None
        if answer and answer.status_code == _CREATED:
            return Pushed(outcome=Outcome.MOUNTED, bytes=0)
        if answer and "location" in answer.headers:
            opened = _Upload(location=answer.headers["location"])
    job = replace(job, path=path() if callable(path) else path)
    if _size(job.path) != blob.size:
        raise _damaged(job.path, blob)
    _upload(job, opened)
    return Pushed(outcome=Outcome.UPLOADED, bytes=blob.size)


def _mount(job: _Job, source: str) -> httpx2.Response | None:
    path = f"{job.start.path}?mount={job.blob.digest}&from={source}"
    # Not allowed to read the source, or no such source: an upload works all the same, and
    # says by itself when this repository is the one that cannot be written.
    with contextlib.suppress(RegistryError):
        call = replace(job.call("POST", path), mount_from=source)
        return job.session.send(call, _CREATED, _ACCEPTED)
    return None


def _upload(job: _Job, upload: _Upload | None) -> None:
    failures = 0
    while True:
        try:
            if upload is None:
                answer = job.session.send(job.start, _ACCEPTED, patient=False)
                upload = _Upload(location=_location(answer))
            whole = job.uploads is not Uploads.CHUNKED and not upload.offset
            if not whole:
                upload = _send_chunks(job, upload)
            _close(job, upload, whole=whole)
        except TransientError as error:
            before = upload.offset if upload else 0
            failures += 1
            job.session.pause(job.start, error, failures)
            if _arrived(job):
                return
            restart = isinstance(error, _LostError) or job.uploads is Uploads.MONOLITHIC
            upload = None if restart or upload is None else _resumed(job, upload)
            if upload and upload.offset - before >= PROGRESS:
                failures = 0
        else:
            return


def _send_chunks(job: _Job, upload: _Upload) -> _Upload:
    """Send what the registry has not got, in one request or, when CHUNKED, in several."""
    size = job.blob.size
    step = _CHUNK if job.uploads is Uploads.CHUNKED else size
    while upload.offset < size:
        length = min(step, size - upload.offset)
        end = upload.offset + length
        call = replace(
            job.call("PATCH", upload.location),
            headers={**_BINARY, "content-range": f"{upload.offset}-{end - 1}"},
            body=_Part(job.path, upload.offset, length),
            length=length,
        )
        answer = job.session.send(call, _CREATED, _ACCEPTED, _NO_CONTENT, *_LOST, patient=False)
        if answer.status_code in _LOST:
            raise _lost(job, answer)
        location = answer.headers.get("location") or upload.location
        upload = _Upload(location=location, offset=end)
    return upload


def _close(job: _Job, upload: _Upload, *, whole: bool) -> None:
    """End an upload, with all of the blob or with nothing more."""
    separator = "&" if "?" in upload.location else "?"
    call = replace(
        job.call("PUT", f"{upload.location}{separator}digest={job.blob.digest}"),
        headers=_BINARY,
        body=_Part(job.path, 0, job.blob.size) if whole else b"",
        length=job.blob.size if whole else 0,
    )
    answer = job.session.send(call, _OK, _CREATED, _NO_CONTENT, *_LOST, patient=False)
    if answer.status_code in _LOST:
        if f"sha256:{sha256_file(job.path)}" != job.blob.digest:
            raise _damaged(job.path, job.blob)
        raise _lost(job, answer)


def _resumed(job: _Job, upload: _Upload) -> _Upload | None:
    """How far a broken upload has come; nothing when a new one is needed."""
    try:
        call = job.call("GET", upload.location)
        answer = job.session.send(call, _OK, _NO_CONTENT, *_LOST, patient=False)
    except (RegistryError, TransientError):
        return None
    match = _RANGE.fullmatch(answer.headers.get("range", ""))
    if answer.status_code not in (_OK, _NO_CONTENT) or not match:
        return None
    last = int(match.group(1))
    # Registries write 0-0 for nothing at all as well.
    location = answer.headers.get("location") or upload.location
    return _Upload(location=location, offset=last + 1) if last else None


def _arrived(job: _Job) -> bool:
    """Whether the blob is there though the answer that said so was lost."""
    try:
        return has_blob(job.session, job.repository, job.blob, patient=False)
    except TransientError:
        return False


def _cancel(job: _Job, upload: _Upload) -> None:
    # A registry forgets an upload by itself; not every one can be told to.
    with contextlib.suppress(RegistryError, TransientError):
        call = job.call("DELETE", upload.location)
        job.session.send(call, _OK, _NO_CONTENT, *_LOST, patient=False)


def _location(answer: httpx2.Response) -> str:
    location: str = answer.headers.get("location", "")
    if not location:
        raise RegistryError(
            f"{answer.request.url.host} does not say where to upload to",
            why="its answer has no Location",
        )
    return location


class _Part:
    """A part of a file, read anew for each attempt and never all at once."""

    def __init__(self, path: Path, offset: int, length: int) -> None:
        self._path, self._offset, self._length = path, offset, length

    def __call__(self) -> Iterator[bytes]:
        left = self._length
        with self._path.open("rb") as file:
            file.seek(self._offset)
            while left and (data := file.read(min(_READ, left))):
                left -= len(data)
                yield data


class _LostError(TransientError):
    """An upload that cannot be continued; a new one may go well."""


def _lost(job: _Job, answer: httpx2.Response) -> _LostError:
    wanted = Wanted(
        host=job.session.address.host,
        repository=job.repository,
        what=job.start.what,
        write=True,
    )
    error = _LostError(f"the upload ended with {answer.status_code}")
    error.__cause__ = explain(wanted, answer.status_code, answer.content, answer.headers)
    return error


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1


def _damaged(path: Path, blob: Descriptor) -> IntegrityError:
    return IntegrityError(
        f"{path} is not the blob {blob.digest}",
        why="it is missing, or was damaged after it was written",
        hint="delete it and run `eggcrate build` again",
    )
