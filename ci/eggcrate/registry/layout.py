"""The local store: an OCI image layout that any number of processes may use at once.

Specification: https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md.
Blobs are added first, whole and verified; a manifest is added only when everything it names
is there; names change under a lock, by replacing ``index.json``. So a process killed at any
moment leaves at most blobs that nothing names, which :meth:`Layout.prune` removes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from eggcrate.errors import IntegrityError, StoreError
from eggcrate.files import atomic_write, exclusive, sha256_file
from eggcrate.parsing import json_of
from eggcrate.registry import oci
from eggcrate.registry.oci import Descriptor, Index, Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# What skopeo, umoci and the specification's own grammar all accept, and no folder separator.
_REF = re.compile(r"[A-Za-z0-9]+(?:(?:--|[-._+])[A-Za-z0-9]+)*")
_LAYOUT_FILE = b'{"imageLayoutVersion":"1.0.0"}'


class Layout:
    """An image layout in the folder ``root``, made on first write.

    Args:
        root: the folder; it need not exist.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        # As last read or written; it counts while the file has these very bytes.
        self._index: tuple[bytes | None, list[Descriptor]] = (None, [])

    def blob_path(self, digest: str) -> Path:
        """Where the blob is, or would be."""
        return self.root / "blobs" / "sha256" / oci.check_digest(digest).removeprefix("sha256:")

    def has_blob(self, digest: str, size: int | None = None) -> bool:
        """Whether the blob is there, with the right size where one is given."""
        try:
            found = self.blob_path(digest).stat().st_size
        except FileNotFoundError:
            return False
        return size is None or found == size

    def read_blob(self, digest: str) -> bytes:
        """A blob's content, verified: for manifests and configurations.

        Raises:
            StoreError: it is not there.
            IntegrityError: it is not what its digest says.
        """
        try:
            content = self.blob_path(digest).read_bytes()
        except FileNotFoundError:
            raise _missing(self.root, digest) from None
        if oci.digest_of(content) != digest:
            raise damaged(self.root, digest)
        return content

    def add_blob(self, content: bytes) -> str:
        """Add a blob from memory and tell its digest; a damaged one is written again."""
        digest = oci.digest_of(content)
        path = self.blob_path(digest)
        if not (self.has_blob(digest, len(content)) and path.read_bytes() == content):
            atomic_write(path, content)
        return digest

    def add_blob_file(self, path: Path, digest: str, size: int) -> None:
        """Add a blob that is a file, as a hard link where the file systems allow it.

        Raises:
            IntegrityError: the file does not have this digest and size.
        """
        target = self.blob_path(digest)
        if self.has_blob(digest, size):
            return
        if path.stat().st_size != size or f"sha256:{sha256_file(path)}" != digest:
            raise IntegrityError(
                f"{path} is not the blob {digest}",
                why="its size or its SHA-256 differs: it was damaged after it was written",
                hint="delete it; it will be made again",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_name(f".{target.name}.{os.getpid()}.{os.urandom(4).hex()}")
        try:
            try:
                os.link(path, scratch)
            except OSError:
                shutil.copyfile(path, scratch)
            scratch.replace(target)
        finally:
            # Renaming one hard link over another of the same file leaves both in place.
            scratch.unlink(missing_ok=True)

    def remove_blob(self, digest: str) -> None:
        """Remove a blob found damaged, so that the next build makes it again."""
        self.blob_path(digest).unlink(missing_ok=True)

    def put_manifest(
        self,
        ref: str,
        content: bytes,
        *,
        annotations: Mapping[str, str] | None = None,
        platform: str = "",
        media_type: str = "",
    ) -> Descriptor:
        """Add a manifest or an index and give it a name; what had the name loses it.

        Args:
            ref: the name, such as ``sklearn-1-5``; ASCII letters and digits, joined by
                single ``-``, ``.``, ``_`` or ``+`` (or ``--``).
            content: the manifest's bytes.
            annotations: added to its descriptor in ``index.json``.
            platform: such as ``linux/amd64``.
            media_type: by default what the content is in OCI's terms.

        Raises:
            StoreError: a blob it names is missing or has another size, or the name is bad.
        """
        if not _REF.fullmatch(ref):
            raise StoreError(
                f"{ref!r} cannot name an image in the store",
                hint="use ASCII letters and digits, with single - . _ or + between them",
            )
        parsed = oci.parse(content, f"the manifest of {ref}")
        kind = media_type or (oci.INDEX if isinstance(parsed, Index) else oci.MANIFEST)
        for named in self._missing_from(parsed):
            raise StoreError(
                f"{ref} cannot be stored: blob {named.digest} is not in {self.root}",
                why=f"a manifest is stored only after its blobs ({named.size} bytes expected)",
            )
        digest = self.add_blob(content)
        descriptor = Descriptor(
            media_type=kind,
            digest=digest,
            size=len(content),
            annotations={**(annotations or {}), oci.REF_NAME: ref},
            platform=platform,
        )
        self.name({ref: descriptor})
        return descriptor

    def name(self, named: Mapping[str, Descriptor]) -> None:
        """Give names to manifests that are stored, all at once; what had a name loses it.

        Args:
            named: for each name what it is to stand for; one that it stands for already is left.
        """
        wanted = {
            ref: replace(item, annotations={**item.annotations, oci.REF_NAME: ref})
            for ref, item in named.items()
        }
        with exclusive(self.root / "index.lock"):
            before = self._read_index()
            kept = [item for item in before if _ref_of(item) not in wanted]
            after = [*kept, *wanted.values()]
            if sorted(map(repr, after)) != sorted(map(repr, before)):
                self._write_index(after)

    def put_index(
        self, ref: str, manifests: tuple[Descriptor, ...], annotations: Mapping[str, str]
    ) -> Descriptor:
        """Name several manifests, each with its platform, as one multi-platform image."""
        children = tuple(replace(item, annotations={}) for item in manifests)
        content = Index(manifests=children, annotations=dict(annotations)).encode()
        return self.put_manifest(ref, content, annotations=annotations)

    def resolve(self, ref: str, platform: str = "") -> Descriptor:
        """What a name, or a digest that has a name, stands for.

        Args:
            ref: a name or ``sha256:...``.
            platform: when what is named is an index, the manifest in it for this platform.

        Raises:
            StoreError: nothing has this name, or not for this platform.
        """
        for item in self._read_index():
            if ref in (_ref_of(item), item.digest):
                return self._for_platform(item, ref, platform) if platform else item
        known = ", ".join(sorted(self.refs())) or "none"
        raise StoreError(
            f"the store {self.root} has no image {ref!r}", why=f"images in it: {known}"
        )

    def refs(self) -> dict[str, Descriptor]:
        """Every name with what it stands for."""
        return {ref: item for item in self._read_index() if (ref := _ref_of(item))}

    def missing(self, digest: str) -> tuple[Descriptor, ...]:
        """What a stored manifest or index names that is not there or has another size."""
        return tuple(self._missing_from(oci.parse(self.read_blob(digest), digest)))

    def remove(self, ref: str) -> bool:
        """Take a name away; its blobs stay until :meth:`prune`. False if there was none."""
        with exclusive(self.root / "index.lock"):
            before = self._read_index()
            kept = [item for item in before if _ref_of(item) != ref]
            if len(kept) != len(before):
                self._write_index(kept)
        return len(kept) != len(before)

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep :meth:`prune` away while blobs are added that nothing names yet."""
        with self._use_lock(fcntl.LOCK_SH):
            yield

    def prune(self) -> int:
        """Remove blobs that no name reaches and tell how many bytes they had.

        Raises:
            StoreError: a build is adding to the store.
        """
        freed = 0
        with self._use_lock(fcntl.LOCK_EX | fcntl.LOCK_NB), exclusive(self.root / "index.lock"):
            named = {item.digest for item in self._reachable(self._read_index())}
            folder = self.root / "blobs" / "sha256"
            for path in list(folder.iterdir()) if folder.is_dir() else []:
                if f"sha256:{path.name}" not in named:
                    freed += path.stat().st_size
                    path.unlink()
        return freed

    def verify(self, ref: str) -> tuple[str, ...]:
        """Hash everything under a name again; each problem found, as a sentence."""
        problems = []
        for item in self._reachable([self.resolve(ref)]):
            path = self.blob_path(item.digest)
            if not path.exists():
                problems.append(f"blob {item.digest} is missing")
            elif path.stat().st_size != item.size or f"sha256:{sha256_file(path)}" != item.digest:
                problems.append(f"blob {item.digest} is damaged")
        return tuple(problems)

    def _for_platform(self, item: Descriptor, ref: str, platform: str) -> Descriptor:
        parsed = oci.parse(self.read_blob(item.digest), f"the manifest of {ref}")
        if isinstance(parsed, Manifest):
            return item
        for child in parsed.manifests:
            if child.fits(platform):
                return child
        known = ", ".join(child.platform for child in parsed.manifests)
        raise StoreError(f"image {ref!r} is not in the store for {platform}", why=f"it has {known}")

    def _missing_from(self, parsed: Manifest | Index) -> Iterator[Descriptor]:
        for item in _children(parsed):
            if not self.has_blob(item.digest, item.size):
                yield item

    def _reachable(self, roots: list[Descriptor]) -> Iterator[Descriptor]:
        for item in roots:
            yield item
            if oci.oci_media_type(item.media_type) not in (oci.INDEX, oci.MANIFEST):
                continue
            with contextlib.suppress(StoreError, IntegrityError):
                parsed = oci.parse(self.read_blob(item.digest))
                yield from self._reachable(list(_children(parsed)))

    def _read_index(self) -> list[Descriptor]:
        path = self.root / "index.json"
        try:
            content = path.read_bytes()
            known, items = self._index
            if content != known:
                items = [Descriptor.from_json(item) for item in json_of(content)["manifests"]]
                self._index = (content, items)
            return list(items)
        except FileNotFoundError:
            return []
        except (StoreError, KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"{path} cannot be read",
                why=f"it is not an image index: {error}",
                hint=f"delete the folder {self.root}; `eggcrate build` makes it again",
            ) from error

    def _write_index(self, items: list[Descriptor]) -> None:
        if not (self.root / "oci-layout").exists():
            atomic_write(self.root / "oci-layout", _LAYOUT_FILE)
        ordered = sorted(items, key=lambda item: (_ref_of(item), item.digest))
        content = Index(manifests=tuple(ordered)).encode()
        atomic_write(self.root / "index.json", content)
        self._index = (content, ordered)

    @contextlib.contextmanager
    def _use_lock(self, how: int) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root / "use.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, how)
            except BlockingIOError:
                raise StoreError(
                    f"the store {self.root} is in use by a build",
                    hint="try again when it has ended",
                ) from None
            yield
        finally:
            os.close(descriptor)


def damaged(root: Path, digest: str) -> IntegrityError:
    """The error for a blob that is not what its digest says."""
    return IntegrityError(
        f"blob {digest} in the store {root} is damaged",
        why="its content no longer has the SHA-256 that names it",
        hint="run `eggcrate build` again; if that does not help, delete the store folder first",
    )


def _missing(root: Path, digest: str) -> StoreError:
    return StoreError(
        f"blob {digest} is missing from the store {root}", hint="run `eggcrate build` again"
    )


def _children(parsed: Manifest | Index) -> tuple[Descriptor, ...]:
    return parsed.manifests if isinstance(parsed, Index) else (parsed.config, *parsed.layers)


def _ref_of(item: Descriptor) -> str:
    return item.annotations.get(oci.REF_NAME, "")
