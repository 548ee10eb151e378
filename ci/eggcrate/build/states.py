"""An environment in one of its states: as it is here, as it was at a commit, or as an image.

How a state is written on a command line (``ENV`` is the environment that the command is about):

=============================  ==========================================================
``.``                          the working tree
``@stable``, ``@sha256:…``     its image of this tag or digest: published, or in the store
``NAME@stable``                an image of another environment
``NAME``                       another environment, in the working tree
``REVISION``                   a commit, as git writes it: ``HEAD~3``, ``main``
``REVISION:NAME``              another environment at a commit
=============================  ==========================================================

A name of an environment wins over a branch of the same name: that is ``refs/heads/NAME``.
"""

from __future__ import annotations

from eggcrate.parsing import json_of
import difflib
import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eggcrate.build import image
from eggcrate.build.resolve import resolve
from eggcrate.build.shelf import read_layer
from eggcrate.build.values import UnitKind
from eggcrate.errors import EggcrateError, StoreError, UsageError
from eggcrate.packages.difference import EMPTY, Contents
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.selection import applies
from eggcrate.packages.target import Platform
from eggcrate.packages.wanted import read_wanted
from eggcrate.repo.environments import read_environment
from eggcrate.repo.monorepo import read_monorepo
from eggcrate.repo.revision import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.resolve import Resolved
    from eggcrate.registry import oci
    from eggcrate.repo.git import Git
    from eggcrate.repo.monorepo import Monorepo

TREE = "."
_DEPTH = 2
"""Slashes in ``environments/NAME/poetry.lock``."""


class Where(enum.Enum):
    """Where a state is to be found."""

    TREE = "tree"
    REVISION = "revision"
    IMAGE = "image"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A state as it was asked for."""

    environment: str
    where: Where
    reference: str = ""
    """Of a revision or an image."""

    def __str__(self) -> str:
        if self.where is Where.IMAGE:
            return f"{self.environment}@{self.reference}"
        return f"{self.environment} at {self.reference}" if self.reference else self.environment


@dataclass(frozen=True, kw_only=True)
class State:
    """What an environment holds in a state."""

    name: str
    contents: Contents
    there: bool = True
    """Whether the environment exists in this state."""
    renamed: bool = False
    """Whether it has another name in this state than in the one it is compared with."""
    key: str = ""
    """Of its image."""
    digest: str = ""
    """Of the image that was looked at."""
    layers: Mapping[str, int] | None = None
    """Digest and compressed bytes of each layer of that image."""


def parse_asked(environment: str, word: str, known: Collection[str]) -> Asked:
    """Understand how a state is written.

    Args:
        environment: that the command is about.
        word: as in the table above.
        known: names of the environments in the working tree.
    """
    if word == TREE:
        return Asked(environment=environment, where=Where.TREE)
    if word in known:
        return Asked(environment=word, where=Where.TREE)
    name, at, reference = word.partition("@")
    if at and reference and not reference.startswith("{"):  # main@{yesterday} is git's
        return Asked(environment=name or environment, where=Where.IMAGE, reference=reference)
    revision, colon, other = word.rpartition(":")
    if colon and revision:
        return Asked(environment=other, where=Where.REVISION, reference=revision)
    return Asked(environment=environment, where=Where.REVISION, reference=word)


def pair(environment: str, words: Sequence[str], known: Collection[str]) -> tuple[Asked, Asked]:
    """The two states that one or two words name.

    One word is compared with the working tree, which is newer than it; another environment is
    what ``environment`` is compared with.
    """
    here = Asked(environment=environment, where=Where.TREE)
    asked = [parse_asked(environment, word, known) for word in words]
    if len(asked) > 1:
        return asked[0], asked[1]
    other = asked[0].environment != environment
    return (here, asked[0]) if other else (asked[0], here)


def contents_of(resolved: Resolved) -> Contents:
    """What a resolved environment holds."""
    environment, target = resolved.environment, resolved.recipe.target
    wanted = read_wanted(
        environment.pyproject_path, groups=environment.groups, extras=environment.extras
    )
    marked = target.marker_environment()
    return Contents(
        packages=resolved.packages,
        direct=frozenset(item.name for item in wanted if applies(item.marker, marked)),
        files={item.name: item for item in resolved.recipe.distributions},
    )


@dataclass(frozen=True, kw_only=True)
class States:
    """Reads states.

    Args:
        monorepo: the working tree.
        git: of the checkout.
        platform: which of an environment's platforms; empty for its first.
        cache: the user's.
        image: gives the digest and manifest of an image by environment, tag or digest, and
            platform.
    """

    monorepo: Monorepo
    git: Git
    platform: str
    cache: Path
    image: Callable[[str, str, str], tuple[str, oci.Manifest]]

    def read(self, asked: Asked) -> State:
        """Read a state; an environment that is not there then is an empty one.

        Raises:
            EggcrateError: git does not know the revision, the image is not to be had, or the
                environment cannot be resolved.
        """
        if asked.where is Where.IMAGE:
            return self._of_image(asked)
        if asked.where is Where.TREE:
            return self._of_tree(asked, self.monorepo)
        with opened(self.git, asked.reference, environments=[asked.environment]) as revision:
            name = f"{asked.environment} at {asked.reference}"
            if asked.reference not in revision.commit:
                name += f" ({revision.commit[:10]})"
            try:
                return self._of_tree(asked, read_monorepo(revision.root), name)
            except EggcrateError as error:
                raise revision.told(error) from error

    def read_both(self, before: Asked, after: Asked) -> tuple[State, State]:
        """Read two states; an environment that one lacks may be there under another name.

        It is known by its lock, which is that of an environment that the other state lacks.

        Raises:
            EggcrateError: as :meth:`read`.
        """
        found = self.read(before), self.read(after)
        if found[0].there == found[1].there:
            return found
        lacking, there = (after, before) if found[0].there else (before, after)
        name = self._other_name(there, lacking)
        if not name:
            return found
        other = replace(self.read(replace(lacking, environment=name)), renamed=True)
        return (found[0], other) if found[0].there else (other, found[1])

    def _other_name(self, there: Asked, lacking: Asked) -> str:
        """The name that an environment has where its own is not known; empty when it has none."""
        if Where.IMAGE in (there.where, lacking.where):
            return ""
        known, others = self._locks(there), self._locks(lacking)
        mine = known.get(there.environment)
        same = (name for name, lock in others.items() if lock == mine and name not in known)
        return next(same, "") if mine else ""

    def _locks(self, asked: Asked) -> dict[str, bytes]:
        """The locks of all environments in a place, by name."""
        if asked.where is Where.TREE:
            folders = self.monorepo.environment_folders.items()
            paths = {name: folder / "poetry.lock" for name, folder in folders}
            return {name: path.read_bytes() for name, path in paths.items() if path.is_file()}
        commit = self.git.resolve(asked.reference) or ""
        files = self.git.files(commit, "environments") or {}
        ids = {
            path.split("/")[1]: blob
            for path, blob in files.items()
            if path.count("/") == _DEPTH and path.endswith("/poetry.lock")
        }
        contents = self.git.blobs(ids.values())
        return {name: contents[blob] for name, blob in sorted(ids.items()) if blob in contents}

    def _of_tree(self, asked: Asked, monorepo: Monorepo, name: str = "") -> State:
        told = name or f"{asked.environment} (working tree)"
        folder = monorepo.environment_folders.get(asked.environment)
        if folder is None:
            return State(name=told, contents=EMPTY, there=False)
        environment = read_environment(folder)
        platform = Platform.parse(self.platform or environment.platforms[0])
        resolved = resolve(environment, monorepo.bases, platform, cache=self.cache)
        return State(name=told, contents=contents_of(resolved), key=resolved.recipe.key)

    def _of_image(self, asked: Asked) -> State:
        environment = self.monorepo.environments.get(asked.environment)
        platform = self.platform or (environment.platforms[0] if environment else "linux/amd64")
        digest, manifest = self.image(asked.environment, asked.reference, platform)
        return state_of_image(str(asked), digest, manifest)


def state_of_image(name: str, digest: str, manifest: oci.Manifest) -> State:
    """What an image says of itself.

    Raises:
        StoreError: it is none of ours.
    """
    told = manifest.annotations
    try:
        packages = {str(k): str(v) for k, v in json_of(told[image.PACKAGES]).items()}
    except (KeyError, ValueError, AttributeError) as error:
        raise StoreError(
            f"{name} does not say what is in it", why="Eggcrate did not make it"
        ) from error
    return State(
        name=name if digest in name else f"{name} ({digest[:19]})",
        contents=Contents(packages=packages, files=_files(manifest, packages)),
        key=told.get(image.KEY, ""),
        digest=digest,
        layers={layer.digest: layer.size for layer in manifest.layers},
    )


def _files(manifest: oci.Manifest, packages: Mapping[str, str]) -> dict[str, Distribution]:
    """The wheels that layers were made from: by their hashes, for nobody told their names."""
    found = {}
    for descriptor in manifest.layers:
        layer = read_layer(descriptor)
        for unit in layer.units if layer else ():
            if unit.kind is UnitKind.FILES and packages.get(unit.name) == unit.version:
                found[unit.name] = Distribution(
                    name=unit.name, version=unit.version, filename="", sha256=unit.source
                )
    return found


def known_files(before: Contents, after: Contents) -> tuple[Contents, Contents]:
    """Both, each file under the name that either side knows it by."""
    named = {
        file.sha256: file
        for contents in (before, after)
        for file in contents.files.values()
        if file.filename
    }

    def with_names(contents: Contents) -> Contents:
        files = {name: named.get(file.sha256, file) for name, file in contents.files.items()}
        return Contents(packages=contents.packages, direct=contents.direct, files=files)

    return with_names(before), with_names(after)


def nowhere(name: str, known: Iterable[str]) -> UsageError:
    """The error for an environment that is in neither state."""
    near = difflib.get_close_matches(name, known, n=3)
    return UsageError(
        f"there is no environment {name!r} in either state",
        hint=f"did you mean {' or '.join(near)}?" if near else "look into environments/",
    )
