"""What ``docker save`` writes, as layers of the store.

Format: ``manifest.json``, the configuration and the layers
(https://github.com/moby/docker-image-spec, version 1.2). Layers are plain tars, or in daemons
with containerd's image store compressed ones.
"""

from __future__ import annotations

from eggcrate.parsing import json_of
import gzip
import hashlib
import json
import re
import shutil
import tarfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from eggcrate.build.values import Layer
from eggcrate.errors import BuildError
from eggcrate.files import atomic_open, sha256_file
from eggcrate.registry import oci

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
_LEVEL = 6
_EMPTY = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
"""DiffID of a tar without entries: image streaming refuses such layers."""
_METADATA = re.compile(r"(?:^|/)(?:site|dist)-packages/([^/]+)-([^/-]+)\.dist-info(?:/|$)")


@dataclass(frozen=True, kw_only=True)
class SavedImage:
    """An image out of a daemon."""

    config: oci.Config
    layers: tuple[Layer, ...]
    history: tuple[str, ...]
    """What made each layer."""
    packages: Mapping[str, frozenset[str]]
    """Normalised name and versions of each Python package in its layers."""
    paths: frozenset[str]
    """Of the files that were asked for, those that it has."""


def read_saved(
    archive: Path, base: Mapping[str, Layer], scratch: Path, look_for: frozenset[str]
) -> tuple[SavedImage, dict[str, Path]]:
    """Read an archive.

    Args:
        archive: what ``docker save`` wrote, of one image.
        base: layers whose blobs are known already, by DiffID.
        scratch: folder for compressed layers.
        look_for: paths (without a first ``/``) to be told of.

    Returns:
        The image, and where the blob of each new layer is, by digest.

    Raises:
        BuildError: it is not such an archive.
    """
    packages: dict[str, set[str]] = {}
    paths: set[str] = set()
    blobs: dict[str, Path] = {}
    layers: list[Layer] = []
    history: list[str] = []
    try:
        with tarfile.open(archive) as tar:
            listing = json.load(_member(tar, "manifest.json"))[0]
            raw = _member(tar, listing["Config"]).read()
            config = oci.parse_config(raw, "the configuration that docker saved")
            made_by = _made_by(json_of(raw), len(config.diff_ids))
            for name, diff_id, line in zip(
                listing["Layers"], config.diff_ids, made_by, strict=True
            ):
                if diff_id == _EMPTY:
                    continue
                for entry in _entries(_member(tar, name)):
                    _note(entry, packages, paths, look_for)
                layer = base.get(diff_id)
                if layer is None:
                    blob = scratch / diff_id.removeprefix("sha256:")
                    layer = _compress(_member(tar, name), diff_id, blob)
                    blobs[layer.digest] = blob
                layers.append(layer)
                history.append(line)
    except (tarfile.TarError, KeyError, IndexError, TypeError, ValueError) as error:
        raise BuildError("what docker saved cannot be read", why=repr(error)) from error
    image = SavedImage(
        config=config,
        layers=tuple(layers),
        history=tuple(history),
        packages={name: frozenset(versions) for name, versions in packages.items()},
        paths=frozenset(paths),
    )
    return image, blobs


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    # Docker 20.10 writes a layer that it has written before as a link: followed here.
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file


def _made_by(config: dict[str, Any], count: int) -> list[str]:
    entries = config.get("history") or []
    lines = [str(one.get("created_by", "")) for one in entries if not one.get("empty_layer")]
    return lines if len(lines) == count else ["docker build"] * count


def _entries(layer: IO[bytes]) -> Iterator[str]:
    with tarfile.open(fileobj=layer, mode="r:*") as tar:
        for entry in tar:
            yield entry.name.removeprefix("./")


def _note(
    path: str, packages: dict[str, set[str]], paths: set[str], look_for: frozenset[str]
) -> None:
    if path in look_for:
        paths.add(path)
    if found := _METADATA.search(path):
        packages.setdefault(canonicalize_name(found[1]), set()).add(found[2])


def _compress(layer: IO[bytes], diff_id: str, blob: Path) -> Layer:
    compressed = layer.read(len(_GZIP)) == _GZIP
    layer.seek(0)
    found = hashlib.sha256()
    with atomic_open(blob) as file:
        if compressed:
            shutil.copyfileobj(layer, file, _CHUNK)
        else:
            with gzip.GzipFile("", "wb", compresslevel=_LEVEL, fileobj=file, mtime=0) as writer:
                while piece := layer.read(_CHUNK):
                    found.update(piece)
                    writer.write(piece)
    if not compressed and f"sha256:{found.hexdigest()}" != diff_id:
        raise ValueError(f"layer {diff_id} has other bytes")
    return Layer(
        digest=f"sha256:{sha256_file(blob)}",
        size=blob.stat().st_size,
        diff_id=diff_id,
        units=(),
    )
