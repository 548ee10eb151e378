"""What is in an image, package by package: the values that it was built from.

A bill is a function of the recipe: what a bill of materials, a vulnerability check and a
statement of provenance say of an image is what it was really made from.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eggcrate.build.resolve import base_key
from eggcrate.errors import BuildError, PackageIndexError
from eggcrate.packages.debian.facts import RELEASES, deb_facts
from eggcrate.packages.debian.fetch import fetch_debs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.bases import BuiltBase
    from eggcrate.build.recipe import Recipe
    from eggcrate.build.resolve import Resolved
    from eggcrate.packages.debian.values import BaseLock, FetchedDeb, LockedDeb
    from eggcrate.packages.distribution import Distribution
    from eggcrate.progress import Progress

    Licences = Callable[[Iterable[Distribution]], Mapping[Distribution, str | None]]


class PartKind(enum.Enum):
    """What kind of thing a part is."""

    DEBIAN = "debian"
    PYTHON = "python"
    IMAGE = "image"
    """The registry image that the base is: what is in it is not known here."""
    OTHER = "other"
    """Something that only a scanner of finished images finds, such as a program in a wheel."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One package of an image."""

    kind: PartKind
    name: str
    version: str
    sha256: str
    """Of the file it came in; of an image its manifest."""
    licences: tuple[str, ...] = ()
    """SPDX expressions or names; several of a Debian package are all in it somewhere."""
    filename: str = ""
    architecture: str = ""
    """Debian's name of it."""
    suite: str = ""
    """Debian's release, such as ``bookworm``."""
    source: str = ""
    """Debian's source package."""
    source_version: str = ""
    url: str = ""
    """Where the lock says that its file is."""

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def release(self) -> str:
        """Debian's release by its number, such as ``12``, or by its name."""
        return RELEASES.get(self.suite, self.suite)


@dataclass(frozen=True, kw_only=True)
class Bill:
    """All packages of an image."""

    environment: str
    key: str
    """Of the recipe."""
    platform: str
    python: str
    description: str
    whole: bool
    """Whether nothing else was installed: a ``Dockerfile`` or a foreign base may have."""
    parts: tuple[Part, ...]


def system_locks(resolved: Resolved, built: BuiltBase | None = None) -> tuple[BaseLock, ...]:
    """The Debian locks under an image, as they are or as they were really used."""
    links = built.links if built else resolved.base.chain
    return (*(link.lock for link in links), *((resolved.system,) if resolved.system else ()))


def used_recipe(resolved: Resolved, built: BuiltBase | None = None) -> Recipe:
    """The recipe of what was really used: another when a Debian package was succeeded."""
    if built is None or resolved.base.chain[0].base.image:
        return resolved.recipe
    return replace(
        resolved.recipe, base_key=base_key(built.links, resolved.recipe.target.platform)
    )


def read_bill(
    resolved: Resolved,
    *,
    cache: Path,
    licences: Licences | None,
    progress: Progress,
    built: BuiltBase | None = None,
    tag: str = "",
) -> Bill:
    """Everything in the image of a resolved environment.

    Args:
        resolved: the environment on a platform.
        cache: the user's.
        licences: tells the licences of files; without it Python's are left out.
        progress: told of what is fetched.
        built: the base as it was made in this run, if it was.
        tag: of the image; what the locks and the run know must give it.

    Raises:
        BuildError: the image was made from other packages than the locks name.
        PackageIndexError: the licence of a package cannot be had.
        EggcrateError: a Debian package cannot be had.
    """
    recipe = used_recipe(resolved, built)
    if tag and recipe.tag != tag:
        raise BuildError(
            f"what is in the image of {recipe.environment} is not what its locks say",
            why="a Debian package of its own has left the mirror and was succeeded",
            hint=f"run: eggcrate lock {recipe.environment}",
        )
    return Bill(
        environment=recipe.environment,
        key=recipe.key,
        platform=str(recipe.target.platform),
        python=recipe.target.python,
        description=recipe.description,
        whole=not (recipe.dockerfile_key or recipe.base_digest),
        parts=(
            *_base_image(recipe, resolved),
            *_debian(system_locks(resolved, built), recipe, cache, progress),
            *_python(recipe, licences),
        ),
    )


def _base_image(recipe: Recipe, resolved: Resolved) -> list[Part]:
    if not recipe.base_digest:
        return []
    name = resolved.base.chain[0].base.image.partition("@")[0]
    digest = recipe.base_digest.removeprefix("sha256:")
    return [Part(kind=PartKind.IMAGE, name=name, version=recipe.base_digest, sha256=digest)]


def _debian(
    locks: Sequence[BaseLock], recipe: Recipe, cache: Path, progress: Progress
) -> list[Part]:
    parts: dict[str, Part] = {}
    for lock in locks:
        debs = lock.packages.get(str(recipe.target.platform), ())

        def fetch(wanted: Sequence[LockedDeb], lock: BaseLock = lock) -> Sequence[FetchedDeb]:
            return fetch_debs(wanted, lock=lock, cache=cache, locked=True, progress=progress).debs

        for deb, facts in deb_facts(debs, fetch, cache=cache).items():
            parts[deb.name] = Part(
                kind=PartKind.DEBIAN,
                name=deb.name,
                version=deb.version,
                sha256=deb.sha256,
                licences=facts.licences,
                filename=deb.path.rpartition("/")[2],
                architecture=deb.architecture,
                suite=lock.suite,
                source=facts.source,
                source_version=facts.source_version,
            )
    return [parts[name] for name in sorted(parts)]


def _python(recipe: Recipe, licences: Licences | None) -> list[Part]:
    told = licences(recipe.distributions) if licences else dict.fromkeys(recipe.distributions, "")
    if unknown := sorted(str(item) for item in recipe.distributions if told.get(item) is None):
        raise PackageIndexError(
            f"the licences of {', '.join(unknown[:3])}"
            f"{f' and {len(unknown) - 3} more' if len(unknown) > 3 else ''} cannot be had",
            why="their files are not in the cache, and no index gave them",
            hint="build the environment first, or check what pip is configured with",
        )
    return [
        Part(
            kind=PartKind.PYTHON,
            name=item.name,
            version=item.version,
            sha256=item.sha256,
            licences=tuple(filter(None, (told[item],))),
            filename=item.filename,
            url=item.url or "",
        )
        for item in sorted(recipe.distributions)
    ]
