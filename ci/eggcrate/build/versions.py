"""The versions of environments: images that are there, and what commits made of their locks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.build.plan import STABLE
from eggcrate.packages.changes import compare

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from eggcrate.build.plan import Published
    from eggcrate.build.resolve import Resolved
    from eggcrate.repo.git import Commit, Git

_MOST = 20
"""Commits of one lock that are told."""


@dataclass(frozen=True, kw_only=True)
class ImageVersion:
    """An image of an environment."""

    digest: str
    tags: tuple[str, ...]
    base: str
    """Name of its base."""
    packages: int
    changes: int
    """Packages that the lock has otherwise now."""
    current: bool
    """Whether it is what the lock names now."""

    @property
    def stable(self) -> bool:
        """Whether it is the one to use."""
        return STABLE in self.tags


def image_versions(one: Resolved, published: Iterable[Published]) -> tuple[ImageVersion, ...]:
    """Images on an environment's platform, the one of its lock first, then the stable one."""
    platform = str(one.recipe.target.platform)
    found: dict[str, ImageVersion] = {}
    for image in published:
        if image.platform != platform:
            continue
        known = found.get(image.digest)
        found[image.digest] = ImageVersion(
            digest=image.digest,
            tags=(*(known.tags if known else ()), image.tag),
            base=image.base,
            packages=len(image.packages),
            changes=len(compare(image.packages, one.packages)),
            current=image.key == one.recipe.key,
        )
    order = sorted(found.values(), key=lambda item: (not item.current, not item.stable, item.digest))
    return tuple(order)


def lock_history(git: Git, names: Sequence[str]) -> Mapping[str, tuple[Commit, ...]]:
    """The commits of this branch that changed each environment's lock, the newest first.

    Nothing where git cannot tell.
    """
    paths = {f"environments/{name}/poetry.lock": name for name in names}
    found: dict[str, list[Commit]] = {name: [] for name in names}
    for commit in (git.history(*paths) if paths else None) or ():
        for path in commit.files:
            if path in paths and len(found[paths[path]]) < _MOST:
                found[paths[path]].append(commit)
    return {name: tuple(commits) for name, commits in found.items()}
