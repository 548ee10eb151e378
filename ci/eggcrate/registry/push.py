"""An image of the local store into a remote registry: blobs, manifests, tags, in this order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.registry import oci
from eggcrate.registry.upload import Outcome, Pushed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from eggcrate.registry.layout import Layout
    from eggcrate.registry.oci import Descriptor
    from eggcrate.registry.remote import Remote


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
    mount_from: Mapping[str, Sequence[str]]
    cache: Path | None
    done: dict[str, Pushed]

    def path(self, blob: Descriptor) -> Path:
        """Where a blob is on this machine; one that only another image has comes from there."""
        path = self.layout.blob_path(blob.digest)
        if self.cache and not path.is_file():
            for other in self.mount_from.get(blob.digest, ())[:1]:
                return self.remote.fetch_blob(other, blob, self.cache)
        return path


def push_image(
    remote: Remote,
    layout: Layout,
    digest: str,
    name: str,
    *,
    tags: Sequence[str],
    mount_from: Mapping[str, Sequence[str]],
    cache: Path | None,
) -> PushReport:
    """See :meth:`eggcrate.registry.remote.Remote.push_image`."""
    push = _Push(
        remote=remote, layout=layout, name=name, mount_from=mount_from, cache=cache, done={}
    )
    content, media_type = _push_tree(push, digest)
    for tag in tags:
        remote.put_manifest(name, tag, content, media_type)
    outcomes = [blob.outcome for blob in push.done.values()]
    return PushReport(
        digest=digest,
        tags=tuple(tags),
        new_bytes=sum(blob.bytes for blob in push.done.values()),
        uploaded=outcomes.count(Outcome.UPLOADED),
        mounted=outcomes.count(Outcome.MOUNTED),
        existed=outcomes.count(Outcome.EXISTED),
    )


def _push_tree(push: _Push, digest: str) -> tuple[bytes, str]:
    """Publish a manifest by its digest; of an index first what it consists of."""
    content = push.layout.read_blob(digest)
    parsed = oci.parse(content, f"the manifest of {push.name}")
    media_type = oci.media_type_of(content)
    if isinstance(parsed, oci.Index):
        for child in parsed.manifests:
            _push_tree(push, child.digest)
    else:
        _push_blobs(push, (parsed.config, *parsed.layers))
    push.remote.put_manifest(push.name, digest, content, media_type)
    return content, media_type


def _push_blobs(push: _Push, blobs: Sequence[Descriptor]) -> None:
    remote, name = push.remote, push.name
    unique = {blob.digest: blob for blob in blobs if blob.digest not in push.done}
    missing = {blob.digest for blob in remote.missing_blobs(name, unique.values())}
    existed = Pushed(outcome=Outcome.EXISTED, bytes=0)
    push.done.update({digest: existed for digest in unique if digest not in missing})
    # The largest first: what is uploaded last should not be what takes longest.
    wanted = sorted(
        (unique[digest] for digest in missing), key=lambda blob: (-blob.size, blob.digest)
    )
    outcomes = remote.each(
        lambda blob: remote.push_new_blob(
            name,
            lambda: push.path(blob),
            blob,
            push.mount_from.get(blob.digest, ()),
        ),
        wanted,
    )
    push.done.update({blob.digest: done for blob, done in zip(wanted, outcomes, strict=True)})
