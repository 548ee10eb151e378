"""Who holds a package: environments of the working tree and published images, and through what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement
from packaging.utils import canonicalize_name

from eggcrate.errors import UsageError
from eggcrate.packages.chains import chains
from eggcrate.packages.poetry_lock import read_lock
from eggcrate.packages.selection import allows
from eggcrate.packages.wanted import read_wanted
from eggcrate.repo.environments import requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from eggcrate.build.resolve import Resolved


@dataclass(frozen=True, kw_only=True)
class Query:
    """A package, and which versions of it."""

    name: str
    """Normalised."""
    specifier: str
    """PEP 440; empty for any version."""

    @classmethod
    def parse(cls, text: str) -> Query:
        """Read ``protobuf``, ``protobuf<4`` or ``numpy==2.0.*``.

        Raises:
            UsageError: it is none.
        """
        try:
            asked = requirement(text)
        except InvalidRequirement as error:
            raise UsageError(
                f"{text!r} is not a package with versions",
                why=str(error).splitlines()[0],
                hint="write for example 'protobuf<4' (in quotes: the shell reads < itself)",
            ) from error
        return cls(name=canonicalize_name(asked.name), specifier=str(asked.specifier))

    def matches(self, packages: Mapping[str, str]) -> str:
        """The version of it among packages; empty when there is none that matches."""
        version = packages.get(self.name, "")
        return version if version and allows(self.specifier, version) else ""

    def __str__(self) -> str:
        return f"{self.name}{self.specifier}"


@dataclass(frozen=True, kw_only=True)
class Holder:
    """An environment or image that holds it."""

    name: str
    """``sklearn-1-5``, or ``sklearn-1-5@stable`` for an image."""
    version: str
    platforms: tuple[str, ...] = ()
    """Of an environment: those where it does."""
    chain: tuple[str, ...] | None = None
    """Who requires it, itself last; one name for a direct dependency; ``None`` for an image of
    another lock than the working tree's: an image tells what it holds, and not why."""
    digest: str = ""
    used_by: tuple[str, ...] = ()
    """Of an image: ``stable``, and the compiled pipelines that pin it."""


def holding(query: Query, resolved: Iterable[Resolved]) -> tuple[Holder, ...]:
    """Environments of the working tree that hold it, each with the shortest way to it."""
    found: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for one in resolved:
        if version := query.matches(one.packages):
            chain = chain_to(query.name, one)
            platforms = found.setdefault((one.environment.name, version, chain), [])
            platforms.append(str(one.recipe.target.platform))
    return tuple(
        Holder(name=name, version=version, chain=chain, platforms=tuple(platforms))
        for (name, version, chain), platforms in found.items()
    )


def chain_in_image(query: Query, key: str, resolved: Iterable[Resolved]) -> tuple[str, ...] | None:
    """The way to it in an image, known where the working tree's lock makes that very image.

    Args:
        query: what is looked for.
        key: of the image.
        resolved: the environments of the working tree.
    """
    same = next((one for one in resolved if key and one.recipe.key == key), None)
    return chain_to(query.name, same) if same else None


def chain_to(name: str, one: Resolved) -> tuple[str, ...]:
    """The shortest way to a package from what an environment asks for, itself last."""
    return all_chains(one).get(name, (name,))


def all_chains(one: Resolved) -> dict[str, tuple[str, ...]]:
    """For each package that an environment holds the shortest way to it, itself last."""
    environment = one.environment
    wanted = read_wanted(
        environment.pyproject_path, groups=environment.groups, extras=environment.extras
    )
    lock = read_lock(environment.lock_path)
    return chains(lock, wanted, one.recipe.target, one.packages)
