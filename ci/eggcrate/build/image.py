"""Layers and a recipe into an image: configuration and manifest, the same bytes every time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from eggcrate.build.recipe import PREFIX, Recipe, canonical
from eggcrate.packages.debian import made
from eggcrate.registry import oci

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eggcrate.build.values import Layer, Unit

KEY = "dev.eggcrate.key"
BASE_KEY = "dev.eggcrate.base-key"
PACKAGES = "dev.eggcrate.packages"
PLATFORM = "dev.eggcrate.platform"
PYTHON = "dev.eggcrate.python"
UNITS = "dev.eggcrate.units"
DIFF_ID = "dev.eggcrate.diff-id"
CODE = "dev.eggcrate.code"
"""Hash of the code that is baked into an image, see :mod:`eggcrate.build.bake`."""
OWNER = "dev.eggcrate.owner"
SUPPORTED_UNTIL = "dev.eggcrate.supported-until"
USER = "dev.eggcrate.user"
CREATED = "1980-01-01T00:00:00Z"
"""The time of every file and image: they are functions of their locks, not of a day."""
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def config(recipe: Recipe, layers: Sequence[Layer], base_env: Mapping[str, str]) -> oci.Config:
    """How an image is run.

    Args:
        recipe: what it is made from.
        layers: its base's and its own, lowest first.
        base_env: the environment variables of its base, kept but for those set here.
    """
    return oci.Config(
        platform=str(recipe.target.platform),
        diff_ids=tuple(layer.diff_id for layer in layers),
        env={**variables(base_env), **_home(recipe)},
        user=f"{made.NONROOT}:{made.NONROOT}" if recipe.user else "",
        cmd=(f"{PREFIX}/bin/python",),
        labels=about(recipe),
        created=CREATED,
        history=tuple(_history(layer) for layer in layers),
    )


def _home(recipe: Recipe) -> dict[str, str]:
    """Where whoever runs it may write: a user without a name has no home in ``/etc/passwd``."""
    if not recipe.user:
        return {}
    return {"HOME": "/tmp" if recipe.base_digest else f"/{made.HOME}"}  # noqa: S108 - the image's


def variables(base_env: Mapping[str, str]) -> dict[str, str]:
    """The environment variables of an image on a base with these."""
    return {
        **base_env,
        "PATH": f"{PREFIX}/bin:{base_env.get('PATH', _SYSTEM_PATH)}",
        "LANG": base_env.get("LANG", "C.UTF-8"),
        "VIRTUAL_ENV": PREFIX,
    }


def about(recipe: Recipe) -> dict[str, str]:
    """What an image says of itself, as labels and as annotations of its manifest.

    A function of the recipe alone (docs/decisions/0008-registry-is-the-truth.md). Names that
    the OCI specification gives are its own:
    https://github.com/opencontainers/image-spec/blob/v1.1.0/annotations.md.
    """
    packages = {item.name: item.version for item in recipe.distributions}
    optional = {
        "org.opencontainers.image.base.digest": recipe.base_digest,
        "org.opencontainers.image.description": recipe.description,
        OWNER: recipe.owner,
        SUPPORTED_UNTIL: recipe.supported_until,
        USER: recipe.user,
    }
    return {
        **{name: value for name, value in optional.items() if value},
        "org.opencontainers.image.base.name": recipe.base,
        "org.opencontainers.image.created": CREATED,
        "org.opencontainers.image.title": recipe.environment,
        BASE_KEY: recipe.base_key,
        KEY: recipe.key,
        PLATFORM: str(recipe.target.platform),
        PYTHON: recipe.target.python,
        PACKAGES: json.dumps(packages, sort_keys=True, separators=(",", ":")),
    }


def manifest(recipe: Recipe, layers: Sequence[Layer], configuration: bytes) -> oci.Manifest:
    """The image's manifest; each layer says which units it holds."""
    return oci.Manifest(
        config=oci.describe(configuration, oci.CONFIG),
        layers=tuple(_descriptor(layer) for layer in layers),
        annotations=about(recipe),
    )


def code_tag(code: str) -> str:
    """The immutable tag of an image with this code in it."""
    return f"code-{code[:32]}"


def _descriptor(layer: Layer) -> oci.Descriptor:
    units = [_described(unit, alone=len(layer.units) == 1) for unit in layer.units]
    told = {UNITS: canonical(units).decode(), DIFF_ID: layer.diff_id}
    return oci.Descriptor(
        media_type=layer.media_type,
        digest=layer.digest,
        size=layer.size,
        annotations=told if units else {},
    )


def _described(unit: Unit, *, alone: bool) -> dict[str, object]:
    """All that another machine needs to share the unit, see :mod:`eggcrate.build.shelf`."""
    optional = {"claims": list(unit.claims), "digest": "" if alone else unit.digest}
    return {
        "key": unit.key,
        "kind": unit.kind.value,
        "name": unit.name,
        "version": unit.version,
        "source": unit.source,
        "size": unit.size,
        "files": unit.files,
        **{name: value for name, value in optional.items() if value},
    }


def _history(layer: Layer) -> str:
    held = ", ".join(f"{unit.name} {unit.version} ({unit.kind.value})" for unit in layer.units)
    return f"eggcrate: {held or 'base image'}"
