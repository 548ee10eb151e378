"""The OCI image format as values: descriptors, manifests, indexes, configurations.

Specification: https://github.com/opencontainers/image-spec, version 1.1. Docker's own media
types (image manifest version 2, schema 2) are read, and written as their OCI equivalents.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

from eggcrate.errors import StoreError
from eggcrate.parsing import json_of

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_TAR = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
REF_NAME = "org.opencontainers.image.ref.name"

DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_OCI_NAMES = {
    DOCKER_LIST: INDEX,
    DOCKER_MANIFEST: MANIFEST,
    "application/vnd.docker.container.image.v1+json": CONFIG,
    "application/vnd.docker.image.rootfs.diff.tar": LAYER_TAR,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": LAYER_GZIP,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": LAYER_ZSTD,
}

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """What names content: its type, its digest and its size."""

    media_type: str
    digest: str
    """``sha256:...``."""
    size: int
    """Bytes."""
    annotations: dict[str, str] = field(default_factory=dict)
    platform: str = ""
    """``linux/amd64`` or ``linux/arm64/v8`` where an index says so."""

    def to_json(self) -> dict[str, Any]:
        """The descriptor as the specification writes it."""
        found: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.size,
        }
        if self.annotations:
            found["annotations"] = dict(sorted(self.annotations.items()))
        if self.platform:
            names = ("os", "architecture", "variant")
            found["platform"] = dict(zip(names, self.platform.split("/", 2), strict=False))
        return found

    @classmethod
    def from_json(cls, value: Any) -> Descriptor:
        """Read a descriptor.

        Raises:
            StoreError: it is not one, or its digest is not SHA-256.
        """
        try:
            platform = value.get("platform") or {}
            parts = [platform.get(name, "") for name in ("os", "architecture", "variant")]
            descriptor = cls(
                media_type=str(value.get("mediaType", "")),
                digest=check_digest(value["digest"]),
                size=int(value["size"]),
                annotations=_annotations(value),
                platform="/".join(part for part in parts if part),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StoreError(
                "a descriptor cannot be read", why=f"{error!r} in {value!r}"
            ) from error
        return descriptor

    def fits(self, platform: str) -> bool:
        """Whether this content is for ``platform``; a variant may be left unsaid."""
        return self.platform == platform or self.platform.startswith(f"{platform}/")


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One image for one platform."""

    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: dict[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The manifest's bytes, the same for equal values."""
        value: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.config.to_json(),
            "layers": [layer.to_json() for layer in self.layers],
        }
        if self.annotations:
            value["annotations"] = self.annotations
        return encode(value)


@dataclass(frozen=True, kw_only=True)
class Index:
    """Several manifests under one name, one for each platform."""

    manifests: tuple[Descriptor, ...]
    annotations: dict[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The index's bytes, the same for equal values."""
        value: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [manifest.to_json() for manifest in self.manifests],
        }
        if self.annotations:
            value["annotations"] = self.annotations
        return encode(value)


@dataclass(frozen=True, kw_only=True)
class Config:
    """How an image is run, and the inflated layers it is made of."""

    platform: str
    """``linux/amd64``; a variant may follow."""
    diff_ids: tuple[str, ...]
    """``sha256:...`` of each inflated layer, lowest first."""
    env: dict[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = ""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    created: str = ""
    """RFC 3339 time; a fixed one keeps images reproducible."""
    history: tuple[str, ...] = ()
    """One ``created_by`` line for each layer."""

    def encode(self) -> bytes:
        """The configuration's bytes, the same for equal values."""
        run: dict[str, Any] = {"Env": [f"{name}={text}" for name, text in self.env.items()]}
        optional = {
            "User": self.user,
            "WorkingDir": self.workdir,
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.cmd),
            "Labels": self.labels,
        }
        run.update({name: value for name, value in optional.items() if value})
        names = ("os", "architecture", "variant")
        value: dict[str, Any] = dict(zip(names, self.platform.split("/", 2), strict=False))
        value["config"] = run
        value["rootfs"] = {"type": "layers", "diff_ids": list(self.diff_ids)}
        created = {"created": self.created} if self.created else {}
        value.update(created)
        if self.history:
            value["history"] = [{"created_by": line, **created} for line in self.history]
        return encode(value)


def encode(value: dict[str, Any]) -> bytes:
    """JSON with sorted names and no spaces: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(content: bytes) -> str:
    """The digest that names ``content``, ``sha256:...``."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def check_digest(digest: str) -> str:
    """The digest itself, when it is a SHA-256 one; it becomes a file name.

    Raises:
        StoreError: it is anything else.
    """
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise StoreError(
            f"{digest!r} is not a SHA-256 digest", hint="write sha256: and 64 hexadecimal digits"
        )
    return digest


def describe(content: bytes, media_type: str, *, platform: str = "") -> Descriptor:
    """The descriptor of ``content``."""
    return Descriptor(
        media_type=media_type, digest=digest_of(content), size=len(content), platform=platform
    )


def oci_media_type(media_type: str) -> str:
    """The OCI name of a media type that Docker may have named its own way."""
    return _OCI_NAMES.get(media_type, media_type)


def media_type_of(content: bytes) -> str:
    """The media type of a manifest or index: the one it names itself, else OCI's.

    Raises:
        StoreError: it is neither.
    """
    named = parse_object(content, "a manifest").get("mediaType")
    if isinstance(named, str) and named:
        return named
    return INDEX if isinstance(parse(content), Index) else MANIFEST


def parse(content: bytes, what: str = "a manifest") -> Manifest | Index:
    """Read a manifest or an index, OCI's or Docker's.

    Raises:
        StoreError: it is neither.
    """
    value = parse_object(content, what)
    try:
        annotations = _annotations(value)
    except TypeError as error:
        raise StoreError(f"{what} cannot be read", why=str(error)) from error
    if isinstance(value.get("manifests"), list):
        children = tuple(Descriptor.from_json(item) for item in value["manifests"])
        return Index(manifests=children, annotations=annotations)
    if isinstance(value.get("layers"), list) and "config" in value:
        layers = tuple(Descriptor.from_json(item) for item in value["layers"])
        config = Descriptor.from_json(value["config"])
        return Manifest(config=config, layers=layers, annotations=annotations)
    raise StoreError(f"{what} is neither an image manifest nor an image index")


def parse_config(content: bytes, what: str = "an image configuration") -> Config:
    """Read an image configuration.

    Raises:
        StoreError: it is not one.
    """
    value = parse_object(content, what)
    run = value.get("config") or {}
    try:
        parts = [value["os"], value["architecture"], value.get("variant", "")]
        env = dict(line.split("=", 1) for line in run.get("Env") or ())
        return Config(
            platform="/".join(part for part in parts if part),
            diff_ids=tuple(check_digest(item) for item in value["rootfs"]["diff_ids"]),
            env=env,
            user=run.get("User") or "",
            workdir=run.get("WorkingDir") or "",
            entrypoint=tuple(run.get("Entrypoint") or ()),
            cmd=tuple(run.get("Cmd") or ()),
            labels=dict(run.get("Labels") or {}),
            created=value.get("created") or "",
            history=tuple(str(item.get("created_by", "")) for item in value.get("history") or ()),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{what} cannot be read", why=repr(error)) from error


def _annotations(value: dict[str, Any]) -> dict[str, str]:
    told = value.get("annotations") or {}
    if not isinstance(told, dict) or not all(isinstance(text, str) for text in told.values()):
        raise TypeError("its annotations are not texts")
    return dict(told)


def parse_object(content: bytes, what: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        StoreError: it is not one.
    """
    try:
        value = json_of(content)
    except ValueError as error:
        raise StoreError(f"{what} is not JSON", why=str(error)) from error
    if not isinstance(value, dict):
        raise StoreError(f"{what} is not a JSON object")
    return value
