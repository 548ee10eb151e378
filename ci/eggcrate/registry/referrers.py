"""What is attached to an image: artifacts whose manifest names it as their subject.

Specification: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md, "Listing
Referrers". A registry without that endpoint gets the index that stands in for it, under the tag
``sha256-<digits>``.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eggcrate.errors import RegistryError, StoreError
from eggcrate.registry import oci
from eggcrate.registry.session import Call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eggcrate.registry.oci import Descriptor
    from eggcrate.registry.remote import Remote

EMPTY = "application/vnd.oci.empty.v1+json"
_EMPTY_CONTENT = b"{}"
_OK, _NOT_FOUND, _NOT_ALLOWED = 200, 404, 405
_RACES = 5
"""How often the index is written anew when another process writes it at the same time."""


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """Something to attach: one file."""

    type: str
    """Media type that says what it is."""
    content: bytes
    media_type: str = ""
    """Of the content; by default the artifact's."""
    annotations: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Referrer:
    """An artifact that is attached."""

    type: str
    manifest: Descriptor
    """Its annotations are those of the artifact."""


def fallback_tag(digest: str) -> str:
    """The tag of the index that stands in for the endpoint."""
    return oci.check_digest(digest).replace(":", "-")


def attach(remote: Remote, name: str, subject: Descriptor, artifacts: Sequence[Artifact]) -> None:
    """Attach artifacts to a published image; those that are attached already are left alone.

    Args:
        remote: the registry.
        name: the image.
        subject: its manifest.
        artifacts: what to attach, all at once: where tags are immutable the index that names
            them can be written only once.

    Raises:
        RegistryError: the registry does not take them.
        ImmutableTagError: something is attached already, and nothing can be added.
    """
    described = [_push(remote, name, subject, artifact) for artifact in artifacts]
    for _ in range(_RACES):
        listed, native = _list(remote, name, subject.digest)
        known = {item["digest"] for item in listed if isinstance(item, dict)}
        new = [item for item in described if item["digest"] not in known]
        if native or not new:
            return
        index = {
            "schemaVersion": 2,
            "mediaType": oci.INDEX,
            "manifests": sorted([*listed, *new], key=lambda item: str(item["digest"])),
        }
        tag = fallback_tag(subject.digest)
        remote.put_manifest(name, tag, oci.encode(index), oci.INDEX)
    raise RegistryError(
        f"nothing can be attached to {remote.image(name, subject.digest)}",
        why="other processes attach to it all the time",
        hint="run it again",
    )


def referrers(remote: Remote, name: str, digest: str) -> tuple[Referrer, ...]:
    """What is attached to an image, by type and digest.

    Raises:
        RegistryError: the registry does not tell.
        StoreError: what it tells cannot be read.
    """
    listed, _ = _list(remote, name, digest)
    found = []
    for item in listed:
        descriptor = oci.Descriptor.from_json(item)
        kind = item.get("artifactType") or ""
        if not isinstance(kind, str):
            raise StoreError(f"what is attached to {name} has a type that is no text")
        found.append(Referrer(type=kind, manifest=descriptor))
    return tuple(sorted(found, key=lambda one: (one.type, one.manifest.digest)))


def read_artifact(remote: Remote, name: str, referrer: Referrer, cache: Path) -> bytes:
    """The content of an artifact, verified.

    Raises:
        RegistryError: the registry does not have it.
        StoreError: it is not one file.
    """
    content, _ = remote.get_manifest(name, referrer.manifest.digest)
    parsed = oci.parse(content, f"an artifact of {name}")
    if isinstance(parsed, oci.Index) or len(parsed.layers) != 1:
        raise StoreError(f"an artifact of {name} is not one file")
    return remote.fetch_blob(name, parsed.layers[0], cache).read_bytes()


def push_content(remote: Remote, name: str, content: bytes, media_type: str) -> Descriptor:
    """Bring some bytes into an image's repository."""
    blob = oci.describe(content, media_type)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "content")
        path.write_bytes(content)
        remote.push_blob(name, path, blob)
    return blob


def _push(remote: Remote, name: str, subject: Descriptor, artifact: Artifact) -> dict[str, Any]:
    """Publish an artifact, and tell how an index names it."""
    config = push_content(remote, name, _EMPTY_CONTENT, EMPTY)
    layer = push_content(remote, name, artifact.content, artifact.media_type or artifact.type)
    named = oci.Descriptor(
        media_type=subject.media_type or oci.MANIFEST, digest=subject.digest, size=subject.size
    )
    content = oci.encode(
        {
            "schemaVersion": 2,
            "mediaType": oci.MANIFEST,
            "artifactType": artifact.type,
            "config": config.to_json(),
            "layers": [layer.to_json()],
            "subject": named.to_json(),
            "annotations": artifact.annotations,
        }
    )
    described = remote.put_manifest(name, oci.digest_of(content), content, oci.MANIFEST)
    return {
        **described.to_json(),
        "artifactType": artifact.type,
        "annotations": artifact.annotations,
    }


def _list(remote: Remote, name: str, digest: str) -> tuple[list[Any], bool]:
    """The descriptors as they are listed, and whether the registry keeps the list itself."""
    repository = remote.address.repository(name)
    call = Call(
        method="GET",
        path=f"/v2/{repository}/referrers/{oci.check_digest(digest)}",
        repository=repository,
        what="what is attached to it",
    )
    answer = remote.session.send(call, _OK, _NOT_FOUND, _NOT_ALLOWED)
    if answer.status_code == _OK:
        return _manifests(answer.content, name), True
    tag = fallback_tag(digest)
    if remote.resolve(name, tag) is None:
        return [], False
    return _manifests(remote.get_manifest(name, tag)[0], name), False


def _manifests(content: bytes, name: str) -> list[Any]:
    what = f"the list of what is attached to {name}"
    if not isinstance(oci.parse(content, what), oci.Index):
        raise StoreError(f"{what} is not an index")
    listed = oci.parse_object(content, what)["manifests"]
    return list(listed) if isinstance(listed, list) else []
