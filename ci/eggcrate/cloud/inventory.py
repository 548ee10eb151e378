"""What a registry holds under its prefix, and what of it something uses."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eggcrate.build.plan import STABLE
from eggcrate.errors import RegistryError
from eggcrate.matrix.released import pinned, pinned_in
from eggcrate.registry import oci

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from eggcrate.registry.remote import Remote

_OWN = re.compile(r"key-[0-9a-f]+|code-[0-9a-f]+|proof-[0-9a-f]+|results-[0-9a-f-]+")
"""Tags that Eggcrate makes: they name something, and use nothing."""
_ABOUT = re.compile(r"sha256-([0-9a-f]{64})(?:\..+)?")
"""Tags of signatures and other referrers, where a registry keeps no list of them."""
Name = tuple[str, str]
"""Image and digest."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a registry's own listing tells, beside what its manifests do."""

    tags: tuple[str, ...] = ()
    uploaded: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Held:
    """One manifest or index in a registry."""

    name: str
    digest: str
    tags: tuple[str, ...] = ()
    size: int = 0
    """Bytes that it and its blobs take, however many share them."""
    uploaded: datetime | None = None
    """When it came; ``None`` where the registry does not tell. What an image says of itself is no
    answer: ours are the same bytes whenever they are made."""
    parts: tuple[str, ...] = ()
    """Digests of the manifests that an index names."""
    about: tuple[str, ...] = ()
    """Digests that it is a signature, a list of packages or another word about."""

    @property
    def named(self) -> Name:
        """What it is known by."""
        return (self.name, self.digest)

    @property
    def kind(self) -> str:
        """``image``, ``index``, ``proof``, ``results`` or ``referrer``."""
        if self.about:
            return "referrer"
        if self.tags and all(tag.startswith("proof-") for tag in self.tags):
            return "proof"
        if self.tags and all(tag.startswith("results-") for tag in self.tags):
            return "results"
        return "index" if self.parts else "image"


def read_inventory(remote: Remote, listed: Mapping[Name, Seen] | None = None) -> tuple[Held, ...]:
    """Everything under a registry's prefix that can be found.

    Without a listing of the registry's own, manifests are found by their tags and by the indexes
    that name them.

    Args:
        remote: the registry.
        listed: what Artifact Registry lists, manifests without tags among it.

    Raises:
        RegistryError: it keeps no catalogue, or does not answer.
        StoreError: something in it is no manifest that anybody here can read.
    """
    tags: dict[Name, set[str]] = {}
    times: dict[Name, datetime | None] = {}
    for named, seen in (listed or {}).items():
        tags.setdefault(named, set()).update(seen.tags)
        times[named] = seen.uploaded
    names = remote.names() if listed is None else tuple(sorted({name for name, _ in listed}))
    if names is None:
        raise RegistryError(
            f"registry {remote.address.host} does not list its images",
            hint="for Artifact Registry install eggcrate[cloud]: it is asked by its own API",
        )
    asked = [(name, tag) for name in names for tag in remote.tags(name)]
    for (name, tag), found in remote.resolve_many(asked).items():
        if found:
            tags.setdefault((name, found.digest), set()).add(tag)
    known: dict[Name, Held | None] = {}
    while waiting := sorted(_reached(tags, known.values()) - set(known)):
        read = remote.each(lambda named: _read(remote, *named), waiting)
        known |= dict(zip(waiting, read, strict=True))
    return tuple(
        _completed(held, tags.get(named, set()), times.get(named))
        for named, held in sorted(known.items())
        if held
    )


def _reached(tags: Iterable[Name], known: Iterable[Held | None]) -> set[Name]:
    return {*tags, *((one.name, part) for one in known if one for part in one.parts)}


def _read(remote: Remote, name: str, digest: str) -> Held | None:
    """One of them; nothing when it is gone. What cannot be read lets nothing be decided."""
    try:
        content, _ = remote.get_manifest(name, digest)
    except RegistryError:
        if remote.resolve(name, digest) is None:
            return None
        raise
    parsed = oci.parse(content, remote.image(name, digest))
    document: Any = json.loads(content)
    subject = document.get("subject") or {}
    about = (str(subject["digest"]),) if "digest" in subject else ()
    if isinstance(parsed, oci.Index):
        parts = tuple(item.digest for item in parsed.manifests)
        size = len(content)
        return Held(name=name, digest=digest, size=size, parts=parts, about=about)
    size = len(content) + sum(blob.size for blob in (parsed.config, *parsed.layers))
    return Held(name=name, digest=digest, size=size, about=about)


def _completed(held: Held, tags: set[str], uploaded: datetime | None) -> Held:
    subjects = [f"sha256:{match[1]}" for tag in tags if (match := _ABOUT.fullmatch(tag))]
    return Held(
        name=held.name,
        digest=held.digest,
        tags=tuple(sorted(tags)),
        size=held.size,
        uploaded=uploaded,
        parts=held.parts,
        about=tuple(dict.fromkeys((*held.about, *subjects))),
    )


def uses(
    items: Iterable[Held],
    *,
    keys: Mapping[str, Collection[str]],
    unread: Collection[str] = (),
    root: Path,
    prefix: str,
    more: Iterable[Path] = (),
) -> dict[Name, tuple[str, ...]]:
    """What of it something uses, and who.

    Args:
        items: what there is.
        keys: tags of the images of each environment, as the working tree locks it.
        unread: environments whose locks cannot be read: all of their images may be used.
        root: the repository, whose compiled pipelines pin digests.
        prefix: ``host/path`` of the registry.
        more: other files and folders of compiled pipelines, such as those that were uploaded.
    """
    found: dict[Name, list[str]] = {}
    for item in items:
        if item.name in unread:
            found.setdefault(item.named, []).append("the lock, which cannot be read")
        for tag in item.tags:
            if tag == STABLE or not (_OWN.fullmatch(tag) or _ABOUT.fullmatch(tag)):
                found.setdefault(item.named, []).append(f"tag {tag}")
            elif tag in keys.get(item.name, ()):
                found.setdefault(item.named, []).append("the lock")
    for named, users in pinned(root, prefix).items():
        found.setdefault(named, []).extend(users)
    for path in more:
        for named, users in pinned_in(path, prefix).items():
            found.setdefault(named, []).extend(users)
    return {named: tuple(dict.fromkeys(users)) for named, users in found.items()}
