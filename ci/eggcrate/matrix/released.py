"""Image versions that are published and in use: what a change is proven against beside the tree.

In use is what the tag ``stable`` stands for, and every digest that a compiled pipeline in the
repository pins.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eggcrate.build import image
from eggcrate.build.plan import STABLE
from eggcrate.build.pulled import read_image
from eggcrate.errors import EggcrateError, IntegrityError, RegistryUnreachableError, StoreError
from eggcrate.matrix.cells import Column
from eggcrate.packages.target import Target
from eggcrate.parsing import json_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from eggcrate.packages.target import Platform
    from eggcrate.registry import oci
    from eggcrate.registry.remote import Remote

_FOLDERS = ("pipelines", "build/pipelines")
_COMPILED = (".yaml", ".yml", ".json")
_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Released:
    """A published image in use, as a column of the grid."""

    environment: str
    digest: str
    """What it is published as: an image, or an index of several platforms."""
    key: str
    column: Column
    used_by: tuple[str, ...]
    """``stable``, and the compiled pipelines that pin it, relative to the repository."""


@dataclass(frozen=True, kw_only=True)
class InUse:
    """All of them, and those that cannot be proven because nobody can read them."""

    images: tuple[Released, ...]
    errors: Mapping[str, EggcrateError] = field(default_factory=dict)


def in_use(
    remote: Remote,
    environments: Iterable[str],
    root: Path,
    platform: Platform,
    *,
    keys: Mapping[str, str] | None = None,
    only: Collection[str] = (),
) -> InUse:
    """The published images in use that are others than those of the working tree.

    Args:
        remote: where they are published.
        environments: names of the environments.
        root: the repository, whose compiled pipelines are searched for digests.
        platform: which image is taken of several.
        keys: the key of each environment's image in the working tree, where one key is one
            image: it is a column already.
        only: leave out other environments; empty for all.

    Raises:
        RegistryUnreachableError: the registry does not answer.
    """
    users = pinned(root, str(remote))
    asked = [(name, STABLE) for name in environments]
    for (name, _), item in remote.resolve_many(asked).items():
        if item:
            users.setdefault((name, item.digest), []).insert(0, STABLE)

    def read(named: tuple[str, str]) -> Released | EggcrateError:
        used_by = tuple(users[named])
        try:
            manifest = read_image(remote, *named, platform=str(platform))[1]
            return _released(*named, manifest, platform, used_by)
        except RegistryUnreachableError:
            raise
        except (IntegrityError, StoreError) as error:
            return StoreError(
                f"{remote.image(*named)} is in use and cannot be proven",
                why=f"{error.what}; used by {', '.join(used_by)}",
                hint="compile these pipelines with an image that is published, or promote one",
            )

    wanted = sorted(named for named in users if not only or named[0] in only)
    images: list[Released] = []
    errors: dict[str, EggcrateError] = {}
    for named, found in zip(wanted, remote.each(read, wanted), strict=True):
        if isinstance(found, EggcrateError):
            errors[f"images/{named[0]}@{named[1]}"] = found
        elif (keys or {}).get(found.environment) != found.key:
            images.append(found)
    return InUse(images=tuple(images), errors=errors)


def pinned(root: Path, prefix: str) -> dict[tuple[str, str], list[str]]:
    """Environment and digest of every image under a prefix that compiled pipelines pin.

    Args:
        root: the repository.
        prefix: ``host[:port]/path`` of the registry.

    Returns:
        For each the files that pin it, relative to the root.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for folder in _FOLDERS:
        for named, users in pinned_in(root / folder, prefix, root=root).items():
            found.setdefault(named, []).extend(users)
    return found


def pinned_in(
    place: Path, prefix: str, *, root: Path | None = None
) -> dict[tuple[str, str], list[str]]:
    """The same of one file or folder; files are told relative to ``root``, where it is given."""
    pattern = re.compile(
        rf"(?<![\w./-]){re.escape(prefix)}/(?P<name>[a-z0-9][a-z0-9._-]*)@(?P<digest>sha256:[0-9a-f]{{64}})"
    )
    found: dict[tuple[str, str], list[str]] = {}
    for path in [place] if place.is_file() else sorted(place.rglob("*")):
        if path.suffix not in _COMPILED or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        for match in pattern.finditer(text):
            users = found.setdefault((match["name"], match["digest"]), [])
            name = path.relative_to(root).as_posix() if root else str(path)
            if name not in users:
                users.append(name)
    return found


def _released(
    name: str, digest: str, manifest: oci.Manifest, platform: Platform, used_by: tuple[str, ...]
) -> Released:
    told = manifest.annotations
    try:
        packages = {str(k): str(v) for k, v in json_of(told[image.PACKAGES]).items()}
        target = Target(python=told[image.PYTHON], platform=platform, glibc=(0, 0))
        key = told[image.KEY]
    except (KeyError, ValueError, AttributeError) as error:
        raise StoreError("its manifest does not say what is in it") from error
    version = STABLE if STABLE in used_by else digest[: len("sha256:") + _SHOWN]
    column = Column(environment=f"{name}@{version}", target=target, packages=packages)
    return Released(environment=name, digest=digest, key=key, column=column, used_by=used_by)
