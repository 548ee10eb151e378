"""Code baked into images: one layer on top of an environment's image, in a second.

The base's and the packages' layers stay what they are and where they are: a registry is sent the
code, a configuration and a manifest.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from eggcrate.build import image
from eggcrate.build.archive import write_unit
from eggcrate.build.pulled import read_image
from eggcrate.build.recipe import canonical
from eggcrate.files import atomic_open
from eggcrate.packages.entries import Entry
from eggcrate.registry import oci

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eggcrate.registry.layout import Layout
    from eggcrate.registry.remote import Remote


@dataclass(frozen=True, kw_only=True)
class Baked:
    """An image with code in it, not stored anywhere yet."""

    code: str
    """Hash of the files, in hexadecimal."""
    layer: oci.Descriptor
    config: bytes
    manifest: bytes

    @property
    def tag(self) -> str:
        """The immutable tag that it is published under."""
        return image.code_tag(self.code)


def bake(config: bytes, manifest: oci.Manifest, files: Mapping[str, bytes], blob: Path) -> Baked:
    """Put files on top of an image.

    Args:
        config: the image's configuration.
        manifest: its manifest.
        files: by absolute path; the same files give the same image, on any machine.
        blob: where the layer is written.
    """
    code = hashlib.sha256(canonical(sorted(_told(files)))).hexdigest()
    with atomic_open(blob) as file:
        written, _ = write_unit(
            [Entry(path=path.lstrip("/"), content=content) for path, content in files.items()], file
        )
    told: dict[str, Any] = json.loads(config)
    told["rootfs"]["diff_ids"].append(written.diff_id)
    told["config"].setdefault("Labels", {})[image.CODE] = code
    if "history" in told:
        told["history"].append({"created_by": "eggcrate: code", "created": image.CREATED})
    layer = oci.Descriptor(
        media_type=oci.LAYER_GZIP,
        digest=written.digest,
        size=written.size,
        annotations={image.DIFF_ID: written.diff_id},
    )
    configuration = oci.encode(told)
    made = replace(
        manifest,
        config=oci.describe(configuration, oci.CONFIG),
        layers=(*manifest.layers, layer),
        annotations={**manifest.annotations, image.CODE: code},
    )
    return Baked(code=code, layer=layer, config=configuration, manifest=made.encode())


def bake_into_store(
    store: Layout, environment: str, digest: str, files: Mapping[str, bytes], *, cache: Path
) -> str:
    """Put files on top of an image of the store, beside it.

    Returns:
        The digest of the image with them.

    Raises:
        StoreError: the store does not hold the image.
    """
    manifest = oci.parse(store.read_blob(digest), environment)
    assert isinstance(manifest, oci.Manifest)  # noqa: S101 - environments' images are single
    blob = _scratch(cache, digest, files)
    baked = bake(store.read_blob(manifest.config.digest), manifest, files, blob)
    store.add_blob_file(blob, baked.layer.digest, baked.layer.size)
    store.add_blob(baked.config)
    platform = manifest.annotations.get(image.PLATFORM, "")
    stored = store.put_manifest(f"{environment}.{baked.tag}", baked.manifest, platform=platform)
    blob.unlink()
    return stored.digest


def bake_into_registry(
    remote: Remote, environment: str, digest: str, files: Mapping[str, bytes], *, cache: Path
) -> str:
    """Put files on top of a published image, beside it in the registry; run again, it does nothing.

    Returns:
        The digest of the image with them.

    Raises:
        StoreError: the registry does not hold the image, or does not take what is new.
    """
    _, manifest = read_image(remote, environment, digest, platform="")
    config = remote.fetch_blob(environment, manifest.config, cache).read_bytes()
    blob = _scratch(cache, digest, files)
    baked = bake(config, manifest, files, blob)
    wanted = oci.digest_of(baked.manifest)
    found = remote.resolve(environment, baked.tag)
    if found is None or found.digest != wanted:
        remote.push_blob(environment, blob, baked.layer)
        configuration = _scratch(cache, baked.code, {})
        configuration.write_bytes(baked.config)
        remote.push_blob(environment, configuration, oci.describe(baked.config, oci.CONFIG))
        configuration.unlink()
        remote.push_manifest(environment, baked.tag, baked.manifest, oci.MANIFEST)
    blob.unlink()
    return wanted


def _told(files: Mapping[str, bytes]) -> list[list[str]]:
    return [[path, hashlib.sha256(content).hexdigest()] for path, content in files.items()]


def _scratch(cache: Path, digest: str, files: Mapping[str, bytes]) -> Path:
    name = hashlib.sha256(canonical([digest, sorted(_told(files))])).hexdigest()
    folder = cache / "baked"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name[:32]
