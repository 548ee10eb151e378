"""An image of the local store into a remote registry: blobs, manifests, tags, in this order."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eggcrate.errors import RegistryError
from eggcrate.registry import oci
from eggcrate.registry.upload import Outcome, Pushed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.registry.layout import Layout
    from eggcrate.registry.oci import Descriptor
    from eggcrate.registry.remote import Remote


class Holders:
    """Which images under a prefix have a blob, kept up to date while several are pushed at once.

    Args:
        known: for a blob's digest the images that have it.
    """

    def __init__(self, known: Mapping[str, Iterable[str]] | None = None) -> None:
        self._images = {digest: set(names) for digest, names in (known or {}).items()}
        self._turns: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def __contains__(self, digest: str) -> bool:
        return bool(self._images.get(digest))

    def of(self, digest: str) -> tuple[str, ...]:
        """The images that have a blob, sorted."""
        with self._lock:
            return tuple(sorted(self._images.get(digest, ())))

    def add(self, digest: str, image: str) -> None:
        """An image has a blob now."""
        with self._lock:
            self._images.setdefault(digest, set()).add(image)

    def forget(self, digest: str) -> None:
        """Nobody is known to have a blob."""
        with self._lock:
            self._images.pop(digest, None)

    def turn(self, digest: str) -> threading.Lock:
        """One upload of a blob at a time: who waits can mount it then."""
        with self._lock:
            return self._turns.setdefault(digest, threading.Lock())


@dataclass(frozen=True, kw_only=True)
class PushReport:
    """An image that is in the registry now, and what it took; blobs are counted once."""

    digest: str
    tags: tuple[str, ...]
    new_bytes: int
    """Uploaded, manifests apart."""
    uploaded: int
    mounted: int
    existed: int


@dataclass(frozen=True, kw_only=True)
class _Push:
    """One image on its way."""

    remote: Remote
    layout: Layout
    name: str
    holders: Holders
    cache: Path | None
    sure: bool
    """Ask for every blob, also for those that the image is known to have."""
    done: dict[str, Pushed]

    def path(self, blob: Descriptor) -> Path:
        """Where a blob is on this machine; one that only another image has comes from there."""
        path = self.layout.blob_path(blob.digest)
        if self.cache and not path.is_file():
            for other in self.holders.of(blob.digest)[:1]:
                return self.remote.fetch_blob(other, blob, self.cache)
        return path

    def has(self, blob: Descriptor) -> bool:
        """Whether the image is known to have a blob; publishing the manifest is the proof."""
        return not self.sure and self.name in self.holders.of(blob.digest)

    def bring(self, blob: Descriptor) -> Pushed:
        """Bring a missing blob into the repository."""
        with self.holders.turn(blob.digest):
            others = [name for name in self.holders.of(blob.digest) if name != self.name]
            pushed = self.remote.push_new_blob(self.name, lambda: self.path(blob), blob, others)
            self.holders.add(blob.digest, self.name)
        return pushed


def push_image(
    remote: Remote,
    layout: Layout,
    digest: str,
    name: str,
    *,
    tags: Sequence[str],
    holders: Holders,
    cache: Path | None,
    sure: bool,
) -> PushReport:
    """See :meth:`eggcrate.registry.remote.Remote.push_image`."""
    push = _Push(
        remote=remote, layout=layout, name=name, holders=holders, cache=cache, sure=sure, done={}
    )
    _push_tree(push, digest, tags or (digest,))
    outcomes = [blob.outcome for blob in push.done.values()]
    return PushReport(
        digest=digest,
        tags=tuple(tags),
        new_bytes=sum(blob.bytes for blob in push.done.values()),
        uploaded=outcomes.count(Outcome.UPLOADED),
        mounted=outcomes.count(Outcome.MOUNTED),
        existed=outcomes.count(Outcome.EXISTED),
    )


def _push_tree(push: _Push, digest: str, references: Sequence[str]) -> None:
    """Publish a manifest under its tags or digest; of an index first what it consists of."""
    content = push.layout.read_blob(digest)
    parsed = oci.parse(content, f"the manifest of {push.name}")
    media_type = oci.media_type_of(content)
    if isinstance(parsed, oci.Index):
        for child in parsed.manifests:
            _push_tree(push, child.digest, (child.digest,))
        blobs: tuple[Descriptor, ...] = ()
    else:
        blobs = (parsed.config, *parsed.layers)
    trusted = _push_blobs(push, blobs)

    def publish() -> None:
        for reference in references:
            push.remote.put_manifest(push.name, reference, content, media_type)

    try:
        publish()
    except RegistryError as error:
        if not trusted or type(error) is not RegistryError:
            raise
        # The registry may have lost a blob that an earlier manifest names.
        for blob in trusted:
            del push.done[blob.digest]
        _push_blobs(replace(push, sure=True), trusted)
        publish()


def _push_blobs(push: _Push, blobs: Sequence[Descriptor]) -> list[Descriptor]:
    """Bring what is missing; the blobs that were taken to be there without asking."""
    remote, name = push.remote, push.name
    unique = {blob.digest: blob for blob in blobs if blob.digest not in push.done}
    trusted = [blob for blob in unique.values() if push.has(blob)]
    asked = [blob for blob in unique.values() if blob not in trusted]
    missing = {blob.digest for blob in remote.missing_blobs(name, asked)}
    existed = Pushed(outcome=Outcome.EXISTED, bytes=0)
    push.done.update({digest: existed for digest in unique if digest not in missing})
    # The largest first: what is uploaded last should not be what takes longest.
    wanted = sorted(
        (unique[digest] for digest in missing), key=lambda blob: (-blob.size, blob.digest)
    )
    outcomes = remote.each(push.bring, wanted)
    push.done.update({blob.digest: done for blob, done in zip(wanted, outcomes, strict=True)})
    return trusted
