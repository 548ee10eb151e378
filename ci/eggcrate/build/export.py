"""Images of the store elsewhere: an OCI layout as a folder or an archive, a Docker daemon.

Specification: https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md. The
same images give the same bytes; every blob is hashed as it is copied.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING

from eggcrate.build import tar
from eggcrate.build.recipe import tag_of
from eggcrate.errors import EggcrateError, StoreError, UsageError
from eggcrate.files import atomic_directory, atomic_open, disk_error
from eggcrate.packages.entries import EntryKind
from eggcrate.registry import oci
from eggcrate.registry.layout import damaged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from eggcrate.build.engine import BuildResult
    from eggcrate.registry.layout import Layout
    from eggcrate.registry.oci import Descriptor
    from eggcrate.registry.remote import Remote

ARCHIVE = ".tar"
_OTHER_ARCHIVES = frozenset({".tgz", ".gz", ".bz2", ".xz", ".zst", ".zip"})
_MARK = b'{"imageLayoutVersion":"1.0.0"}'
_BLOBS = "blobs/sha256"
_CHUNK = 1 << 20
# A name without a registry would be looked for at Docker's own hub when it is not there.
LOCAL = "localhost/eggcrate"


@dataclass(frozen=True, kw_only=True)
class Export:
    """A layout to be written."""

    layout: Layout
    index: bytes
    """Its ``index.json``."""
    made: dict[str, bytes]
    """Blobs that the store does not have: indexes of several platforms."""
    blobs: tuple[Descriptor, ...]
    """Blobs of the store, sorted by digest, each once."""

    @property
    def files(self) -> Iterator[tuple[str, bytes | Descriptor]]:
        """Path and content of every file, sorted."""
        every: dict[str, bytes | Descriptor] = {
            **{_path(blob.digest): blob for blob in self.blobs},
            **{_path(digest): content for digest, content in self.made.items()},
            "index.json": self.index,
            "oci-layout": _MARK,
        }
        yield from sorted(every.items())


def check_output(output: Path) -> None:
    """Refuse to write into what is there already; an archive is replaced.

    Raises:
        UsageError: a folder that is not empty, or a file that is not an archive's name.
    """
    if output.suffix in _OTHER_ARCHIVES:
        raise UsageError(
            f"{output} would be a folder",
            why=f"an archive ends with {ARCHIVE}; layers are compressed already",
            hint=f"name an archive that ends with {ARCHIVE}",
        )
    if output.suffix == ARCHIVE:
        if output.is_dir():
            raise UsageError(f"{output} is a folder", hint="name an archive that is none")
    elif output.is_dir() and any(output.iterdir()):
        raise UsageError(
            f"{output} is not empty",
            why="an image layout is written into a new folder",
            hint="name another folder, or delete this one",
        )
    elif output.exists() and not output.is_dir():
        raise UsageError(
            f"{output} is a file",
            hint=f"name a folder, or an archive that ends with {ARCHIVE}",
        )


def write_output(layout: Layout, results: Sequence[BuildResult], output: Path) -> tuple[str, ...]:
    """Write images as an OCI layout, each under its environment's name.

    Args:
        layout: the store.
        results: the images; those of one environment become one of several platforms.
        output: a new folder, or an archive when it ends with ``.tar``. It appears whole.

    Returns:
        What skopeo calls each image.

    Raises:
        StoreError: a blob is missing.
        IntegrityError: a blob is damaged.
    """
    check_output(output)
    export = _plan(layout, results)
    if output.suffix == ARCHIVE:
        with atomic_open(output) as file:
            _write_archive(export, file)
    else:
        if output.is_dir():
            output.rmdir()
        with atomic_directory(output) as folder:
            _write_folder(export, folder)
            folder.chmod(0o755)
    kind = "oci-archive" if output.suffix == ARCHIVE else "oci"
    names = sorted({result.environment for result in results})
    return tuple(f"{kind}:{output}:{name}" for name in names)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """Where images went besides the store."""

    loaded: tuple[str, ...] = ()
    """Names in the Docker daemon, for ``docker run``."""
    written: tuple[str, ...] = ()
    """What skopeo calls each image of the output."""
    error: EggcrateError | None = None


def send(
    layout: Layout,
    results: Sequence[BuildResult],
    *,
    output: Path | None,
    load: bool,
    remote: Remote | None,
) -> Sent:
    """Write and load images; an environment that failed on one platform stays away.

    Args:
        layout: the store.
        results: of building.
        output: where to write to, if anywhere.
        load: whether to load into the Docker daemon.
        remote: the registry after which images are named in the daemon.
    """
    failed = {result.environment for result in results if not result.good}
    whole = [result for result in results if result.environment not in failed]
    sent = Sent()
    if not whole:
        return sent
    try:
        if output:
            sent = replace(sent, written=write_output(layout, whole, output))
        if load:
            sent = replace(sent, loaded=load_images(layout, whole, remote))
    except (EggcrateError, OSError) as raised:
        error = raised if isinstance(raised, EggcrateError) else disk_error(raised)
        if error is None:
            raise
        sent = replace(sent, error=error)
    return sent


def _plan(layout: Layout, results: Sequence[BuildResult]) -> Export:
    mine: dict[str, list[BuildResult]] = {}
    for result in sorted(results, key=lambda one: (one.environment, one.platform)):
        mine.setdefault(result.environment, []).append(result)
    blobs: dict[str, Descriptor] = {}
    made: dict[str, bytes] = {}
    named = []
    for name, images in mine.items():
        described = []
        for image in images:
            content = layout.read_blob(image.digest)
            manifest = oci.parse(content)
            if isinstance(manifest, oci.Index):
                raise StoreError(f"{image.digest} is an index, not an image")
            one = oci.describe(content, oci.media_type_of(content), platform=image.platform)
            described.append(one)
            blobs.update((blob.digest, blob) for blob in (one, manifest.config, *manifest.layers))
        if len(described) > 1:
            content = oci.Index(manifests=tuple(described)).encode()
            described = [oci.describe(content, oci.INDEX)]
            made[described[0].digest] = content
        named.append(
            oci.Descriptor(
                media_type=described[0].media_type,
                digest=described[0].digest,
                size=described[0].size,
                platform=described[0].platform,
                annotations={oci.REF_NAME: name},
            )
        )
    return Export(
        layout=layout,
        index=oci.Index(manifests=tuple(named)).encode(),
        made=made,
        blobs=tuple(blobs[digest] for digest in sorted(blobs)),
    )


def _write_folder(export: Export, folder: Path) -> None:
    (folder / _BLOBS).mkdir(parents=True)
    for path, content in export.files:
        with (folder / path).open("wb") as file:
            _copy(export.layout, content, file)


def _write_archive(export: Export, file: IO[bytes]) -> None:
    for path in ("blobs", _BLOBS):
        file.write(tar.header(path, kind=EntryKind.DIRECTORY, mode=0o755))
    for path, content in export.files:
        size = len(content) if isinstance(content, bytes) else content.size
        file.write(tar.header(path, size=size))
        _copy(export.layout, content, file)
        file.write(tar.padding(size))
    file.write(tar.END)


def _copy(layout: Layout, content: bytes | Descriptor, file: IO[bytes]) -> None:
    if isinstance(content, bytes):
        file.write(content)
        return
    found = hashlib.sha256()
    if layout.has_blob(content.digest, content.size):
        with layout.blob_path(content.digest).open("rb") as blob:
            while piece := blob.read(_CHUNK):
                found.update(piece)
                file.write(piece)
    if f"sha256:{found.hexdigest()}" != content.digest:
        layout.remove_blob(content.digest)  # the next build makes it again
        raise damaged(layout.root, content.digest)


def _path(digest: str) -> str:
    return f"{_BLOBS}/{digest.removeprefix('sha256:')}"


def name_in_daemon(result: BuildResult, remote: Remote | None) -> str:
    """What ``docker run`` knows a loaded image by: as it is, or would be, published."""
    tag = tag_of(result.key)
    if remote is None:
        return f"{LOCAL}/{result.environment}:{tag}"
    return remote.image(result.environment, tag)


def load_images(
    layout: Layout, results: Sequence[BuildResult], remote: Remote | None
) -> tuple[str, ...]:
    """Put images into the Docker daemon of this machine and tell their names there.

    Raises:
        RuntimeUnavailableError: no daemon answers.
        StoreError: a blob is missing, or the daemon refuses an image.
    """
    from eggcrate.runtimes import docker  # noqa: PLC0415 - its SDK is slow to import

    names = []
    for result in results:
        names.append(name := name_in_daemon(result, remote))
        docker.load(layout, result.digest, name)
    return tuple(names)
