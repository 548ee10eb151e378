"""Small OCI images made from plain values: what our own builder is not needed for."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eggcrate.registry import oci

if TYPE_CHECKING:
    from eggcrate.registry.layout import Layout


@dataclass(frozen=True, kw_only=True)
class Member:
    """One tar entry, hostile ones included."""

    path: str
    content: bytes = b""
    mode: int = 0o644
    kind: bytes = tarfile.REGTYPE
    link: str = ""


@dataclass(frozen=True, kw_only=True)
class Made:
    """An image in a store."""

    digest: str
    manifest: bytes
    layers: tuple[oci.Descriptor, ...]
    diff_ids: tuple[str, ...] = field(default=())


def file(path: str, content: bytes = b"", mode: int = 0o644) -> Member:
    return Member(path=path, content=content, mode=mode)


def folder(path: str, mode: int = 0o755) -> Member:
    return Member(path=path, mode=mode, kind=tarfile.DIRTYPE)


def symlink(path: str, link: str) -> Member:
    return Member(path=path, link=link, kind=tarfile.SYMTYPE)


def hard_link(path: str, link: str) -> Member:
    return Member(path=path, link=link, kind=tarfile.LNKTYPE)


def tar_of(members: list[Member]) -> bytes:
    """A tar of exactly these entries."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for member in members:
            info = tarfile.TarInfo(member.path)
            info.size = len(member.content)
            info.mode = member.mode
            info.type = member.kind
            info.linkname = member.link
            info.mtime = 315532800
            tar.addfile(info, io.BytesIO(member.content))
    return buffer.getvalue()


def gzip_members(content: bytes, size: int = 1000) -> bytes:
    """Gzip in many members, as our layers are."""
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    return b"".join(gzip.compress(part, 1, mtime=0) for part in parts)


def put_image(
    layout: Layout,
    ref: str,
    layers: list[list[Member] | bytes],
    *,
    env: dict[str, str] | None = None,
    media_type: str = oci.LAYER_GZIP,
    platform: str = "linux/amd64",
    step: int = 1 << 16,
) -> Made:
    """Store an image of these layers; a layer of bytes is a tar as it is."""
    descriptors, diff_ids = [], []
    for members in layers:
        tar = members if isinstance(members, bytes) else tar_of(members)
        blob = gzip_members(tar, step) if media_type == oci.LAYER_GZIP else tar
        descriptors.append(
            oci.Descriptor(media_type=media_type, digest=layout.add_blob(blob), size=len(blob))
        )
        diff_ids.append(f"sha256:{hashlib.sha256(tar).hexdigest()}")
    config = oci.Config(platform=platform, diff_ids=tuple(diff_ids), env=env or {}).encode()
    layout.add_blob(config)
    manifest = oci.Manifest(
        config=oci.describe(config, oci.CONFIG), layers=tuple(descriptors)
    ).encode()
    stored = layout.put_manifest(ref, manifest, platform=platform)
    return Made(
        digest=stored.digest,
        manifest=manifest,
        layers=tuple(descriptors),
        diff_ids=tuple(diff_ids),
    )
