"""The images under one prefix of a remote registry.

Specification: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md.
An image's name is the prefix and the environment's name. A manifest is pushed only after
everything it names is there, so that whoever finds a tag finds a whole image.
"""

from __future__ import annotations

import re
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

from eggcrate.errors import ImmutableTagError, IntegrityError, RegistryError
from eggcrate.parsing import json_of
from eggcrate.registry import download, oci, upload
from eggcrate.registry.address import Address, check_tag
from eggcrate.registry.push import Holders, push_image
from eggcrate.registry.session import Call, Session
from eggcrate.registry.upload import Uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path
    from typing import Self

    from eggcrate.registry.layout import Layout
    from eggcrate.registry.oci import Descriptor
    from eggcrate.registry.push import PushReport
    from eggcrate.registry.upload import Pushed
    from eggcrate.retries import Retries

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_OK, _CREATED, _ACCEPTED, _NOT_FOUND, _NOT_ALLOWED = 200, 201, 202, 404, 405
_PAGE = 1000
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')


class Remote:
    """A registry prefix such as ``localhost:5000/eggcrate``; a context manager.

    Every method may be called from any thread. What goes to the registry at once is bounded
    over all of them.

    Args:
        prefix: ``host[:port]/path``.
        docker_config: Docker's ``config.json``; by default where Docker looks for it.
        parallel: how many blobs are checked, fetched or uploaded at once.
        retries: how patient to be.
        uploads: how blobs are sent.
        tell: given a line when it is waited for another attempt.

    Raises:
        ConfigError: the prefix names no registry.
    """

    def __init__(
        self,
        prefix: str,
        *,
        docker_config: Path | None = None,
        parallel: int = 8,
        retries: Retries | None = None,
        uploads: Uploads = Uploads.AUTO,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.address = Address.parse(prefix)
        self.uploads = uploads
        self.session = Session(
            self.address, docker_config=docker_config, retries=retries, tell=tell
        )
        self._pool = ThreadPoolExecutor(parallel, thread_name_prefix="registry")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        return str(self.address)

    def close(self) -> None:
        """End every connection; what is under way in other threads fails."""
        self.session.close()
        self._pool.shutdown(cancel_futures=True)

    def image(self, name: str, reference: str = "") -> str:
        """What to give to ``docker pull``: with a tag, a digest, or neither."""
        joined = f"{self.address.host}/{self.address.repository(name)}"
        return f"{joined}{'@' if ':' in reference else ':'}{reference}" if reference else joined

    def resolve(self, name: str, reference: str) -> Descriptor | None:
        """What a tag or digest stands for; nothing when the registry does not have it.

        Raises:
            RegistryError: the registry does not tell.
        """
        return download.head_manifest(
            self.session, self.address.repository(name), _reference(reference)
        )

    def resolve_many(
        self, wanted: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], Descriptor | None]:
        """:meth:`resolve` for many names and references at once."""
        asked = list(dict.fromkeys(wanted))
        return dict(zip(asked, self.each(lambda item: self.resolve(*item), asked), strict=True))

    def get_manifest(self, name: str, reference: str) -> tuple[bytes, Descriptor]:
        """The manifest or index that a tag or digest stands for, verified.

        Raises:
            RegistryError: the registry does not have it.
            IntegrityError: it sends something else than the digest names.
        """
        return download.get_manifest(
            self.session, self.address.repository(name), _reference(reference)
        )

    def tags(self, name: str) -> tuple[str, ...]:
        """Every tag of an image, sorted; none for one that the registry does not have."""
        repository = self.address.repository(name)
        call = Call(
            method="GET",
            path=f"/v2/{repository}/tags/list?n={_PAGE}",
            repository=repository,
            what="its tags",
        )
        return tuple(sorted(self._listed(call, "tags") or ()))

    def names(self) -> tuple[str, ...] | None:
        """Every image under the prefix; ``None`` when the registry keeps no catalogue."""
        call = Call(method="GET", path=f"/v2/_catalog?n={_PAGE}", what="its catalogue")
        try:
            found = self._listed(call, "repositories")
        except RegistryError:
            return None
        start = f"{self.address.path}/" if self.address.path else ""
        if found is None:
            return None
        return tuple(sorted(item.removeprefix(start) for item in found if item.startswith(start)))

    def has_blob(self, name: str, digest: str, size: int) -> bool:
        """Whether an image's repository has a blob."""
        blob = oci.Descriptor(media_type="", digest=oci.check_digest(digest), size=size)
        return upload.has_blob(self.session, self.address.repository(name), blob)

    def missing_blobs(self, name: str, blobs: Iterable[Descriptor]) -> tuple[Descriptor, ...]:
        """Those of ``blobs`` that an image's repository does not have; asked in parallel."""
        unique = list({blob.digest: blob for blob in blobs}.values())
        found = self.each(lambda blob: self.has_blob(name, blob.digest, blob.size), unique)
        return tuple(blob for blob, there in zip(unique, found, strict=True) if not there)

    def fetch_blob(self, name: str, blob: Descriptor, cache: Path) -> Path:
        """Bring a blob into the user's cache: streamed, verified, continued after a cut."""
        return download.fetch_blob(self.session, self.address.repository(name), blob, cache)

    def push_blob(
        self, name: str, path: Path, blob: Descriptor, mount_from: Sequence[str] = ()
    ) -> Pushed:
        """Bring a blob into an image's repository.

        Args:
            name: the image.
            path: the blob.
            blob: its digest and size.
            mount_from: images under this prefix that may have it, likeliest first.
        """
        if self.has_blob(name, blob.digest, blob.size):
            return upload.Pushed(outcome=upload.Outcome.EXISTED, bytes=0)
        return self.push_new_blob(name, path, blob, mount_from)

    def push_new_blob(
        self,
        name: str,
        path: Path | Callable[[], Path],
        blob: Descriptor,
        mount_from: Sequence[str] = (),
    ) -> Pushed:
        """:meth:`push_blob` for one known to be missing; a function gives its path if needed."""
        return upload.push_blob(
            self.session,
            self.address.repository(name),
            path,
            blob,
            mount_from=[self.address.repository(item) for item in mount_from],
            uploads=self.uploads,
        )

    def push_manifest(
        self, name: str, reference: str, content: bytes, media_type: str
    ) -> Descriptor:
        """Publish a manifest or index under a tag or its own digest.

        A tag that stands for it already is left alone.

        Raises:
            RegistryError: something that it names is not in the repository.
            ImmutableTagError: the tag stands for another image and cannot be moved.
        """
        parsed = oci.parse(content, f"the manifest of {name}")
        if isinstance(parsed, oci.Index):
            wanted = [(name, item.digest) for item in parsed.manifests]
            found = self.resolve_many(wanted)
            missing = tuple(item for item in wanted if found[item] is None)
        else:
            blobs = self.missing_blobs(name, (parsed.config, *parsed.layers))
            missing = tuple((name, blob.digest) for blob in blobs)
        if missing:
            raise RegistryError(
                f"{self.image(name, reference)} cannot be published",
                why=f"{missing[0][1]} and {len(missing) - 1} more are not in the registry"
                if len(missing) > 1
                else f"{missing[0][1]} is not in the registry",
                hint="push it again",
            )
        return self.put_manifest(name, reference, content, media_type)

    def put_manifest(
        self, name: str, reference: str, content: bytes, media_type: str
    ) -> Descriptor:
        """:meth:`push_manifest` when all that it names is known to be there."""
        descriptor = oci.describe(content, media_type)
        if (found := self.resolve(name, reference)) and found.digest == descriptor.digest:
            return descriptor
        repository = self.address.repository(name)
        call = Call(
            method="PUT",
            path=f"/v2/{repository}/manifests/{_reference(reference)}",
            repository=repository,
            what=f"manifest {reference}",
            actions=("pull", "push"),
            headers={"content-type": media_type},
            body=content,
        )
        try:
            answer = self.session.send(call, _OK, _CREATED)
        except ImmutableTagError:
            # Another push may have been first, with the same image.
            now = self.resolve(name, reference)
            if now and now.digest == descriptor.digest:
                return descriptor
            raise
        told = answer.headers.get("docker-content-digest", descriptor.digest)
        if told != descriptor.digest:
            raise IntegrityError(
                f"{self.image(name, reference)} was stored as something else",
                why=f"the registry says {told}, it is {descriptor.digest}",
            )
        return descriptor

    def push_image(
        self,
        layout: Layout,
        digest: str,
        name: str,
        tags: Sequence[str] = (),
        holders: Holders | None = None,
        *,
        cache: Path | None = None,
        sure: bool = False,
    ) -> PushReport:
        """Publish an image of the local store: blobs, then manifests, then tags.

        Args:
            layout: the store that has it.
            digest: its manifest, or an index of several platforms.
            name: the image to be.
            tags: what it is to be found under besides its digest.
            holders: the images under this prefix that have blobs; added to.
            cache: takes blobs that those images have, the store has not and the registry does
                not mount; without one they cannot be pushed.
            sure: ask for every blob, also for those that the image is known to have.
        """
        known = Holders() if holders is None else holders
        return push_image(
            self, layout, digest, name, tags=tags, holders=known, cache=cache, sure=sure
        )

    def delete(self, name: str, digest: str) -> bool:
        """Delete a manifest and the tags that stand for it; false when there was none.

        Raises:
            RegistryError: the registry deletes nothing.
        """
        repository = self.address.repository(name)
        call = Call(
            method="DELETE",
            path=f"/v2/{repository}/manifests/{oci.check_digest(digest)}",
            repository=repository,
            what=f"manifest {digest}",
            actions=("delete",),
        )
        answer = self.session.send(call, _OK, _ACCEPTED, _NOT_FOUND, _NOT_ALLOWED)
        if answer.status_code == _NOT_ALLOWED:
            raise RegistryError(
                f"registry {self.address.host} deletes nothing",
                why="it answered 405",
                hint="deletion may be switched on in the registry's own configuration",
            )
        return answer.status_code != _NOT_FOUND

    def each(self, action: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
        """``action`` on every item, several at once; the first failure ends it.

        Never to be called from within an ``action``.
        """
        futures = [self._pool.submit(action, item) for item in items]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()

    def _listed(self, call: Call, key: str) -> list[str] | None:
        """Every page of a list; nothing when there is no such list."""
        found: list[str] = []
        while True:
            answer = self.session.send(call, _OK, _NOT_FOUND)
            if answer.status_code == _NOT_FOUND:
                self.session.prove()
                return found or None
            try:
                found += [str(item) for item in json_of(answer.content).get(key) or ()]
            except (AttributeError, TypeError, ValueError) as error:
                raise RegistryError(
                    f"registry {self.address.host} does not list {call.what}", why=repr(error)
                ) from error
            following = _NEXT.search(answer.headers.get("link", ""))
            if not following:
                return found
            call = Call(
                method="GET",
                path=following.group(1),
                repository=call.repository,
                what=call.what,
            )


def _reference(text: str) -> str:
    return oci.check_digest(text) if ":" in text else check_tag(text)
