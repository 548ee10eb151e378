"""The part of an impact that is about environments."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eggcrate.build.layer_cost import LayerCost, expected, layers_of, measured
from eggcrate.build.states import contents_of
from eggcrate.matrix.impact import EnvironmentImpact, Fate
from eggcrate.matrix.suggest_from import place_of
from eggcrate.matrix.suggest_spare import stands_in
from eggcrate.packages.difference import EMPTY, compare_contents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.before import Before
    from eggcrate.build.layer_cost import ImageReader
    from eggcrate.build.plan import Plan, Planned
    from eggcrate.build.recipe import Recipe
    from eggcrate.build.resolve import Resolved
    from eggcrate.matrix.suggestion import Place
    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.sizes import Size

    Sizes = Callable[[Iterable[Distribution]], Mapping[Distribution, Size | None]]

_LOOKED_AT = 64
"""Images of other environments that are looked at for layers to share."""


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What environments are looked at with."""

    before: Before
    now: Sequence[Resolved]
    plan: Plan
    sizes: Sizes
    image: ImageReader
    """Gives an image's manifest, see :func:`eggcrate.build.described.image_reader`."""
    budgets: Mapping[str, int]
    """Environment to the bytes it may have."""

    @functools.cached_property
    def planned(self) -> Mapping[tuple[str, str], Planned]:
        """By environment and platform."""
        return {(one.environment, one.platform): one for one in self.plan.environments}

    @functools.cached_property
    def elsewhere(self) -> frozenset[str]:
        """Digests of layers that up-to-date images of other environments have."""
        mine = {name for name, _ in self.before.resolved}
        found: set[str] = set()
        others = [one for one in self.now if one.environment.name not in mine]
        for one in others[:_LOOKED_AT]:
            recipe = one.recipe
            platform = str(recipe.target.platform)
            told = self.planned.get((recipe.environment, platform))
            if told is not None and told.image:
                found |= set(layers_of(self.image, recipe.environment, recipe.key, platform) or ())
        return frozenset(found)

    @functools.cached_property
    def renamed(self) -> Mapping[str, str]:
        """New name to old name: of environments that hold what one held that is gone."""
        return renames(
            [one for one in self.now if one.environment.name not in self.before.environments],
            [
                one
                for (name, _), one in self.before.resolved.items()
                if all(item.environment.name != name for item in self.now)
            ],
        )

    @functools.cached_property
    def places(self) -> Mapping[str, Place]:
        """All environments by their locks, each on its first platform."""
        found: dict[str, Place] = {}
        sizes = self.sizes({file for one in self.now for file in one.recipe.distributions})
        for one in self.now:
            if one.environment.name not in found:
                told = {
                    file.name: size.download
                    for file in one.recipe.distributions
                    if (size := sizes.get(file))
                }
                found[one.environment.name] = place_of(one, told)
        return found


def environment_impacts(looked: Looked) -> tuple[EnvironmentImpact, ...]:
    """Environments that are not as they were, by name."""
    before = looked.before
    here = {(one.environment.name, str(one.recipe.target.platform)) for one in looked.now}
    failed = {one.environment: one for one in looked.plan.environments if one.error}
    found = [impact for one in looked.now if (impact := _there(one, looked)) is not None]
    for name, planned in failed.items():
        fate = Fate.CHANGED if name in before.environments else Fate.NEW
        found.append(
            EnvironmentImpact(
                name=name, platform="", fate=fate, planned=planned, error=planned.error
            )
        )
    for (name, platform), then in before.resolved.items():
        gone = (name, platform) not in here and name not in failed
        if gone and name not in looked.renamed.values():
            found.append(
                EnvironmentImpact(
                    name=name,
                    platform=platform,
                    fate=Fate.REMOVED,
                    difference=compare_contents(
                        before.contents[name, platform], EMPTY, looked.sizes
                    ),
                    key_before=then.recipe.key,
                    base_before=then.recipe.base,
                )
            )
    return tuple(sorted(found, key=lambda one: (one.name, one.platform)))


def _there(one: Resolved, looked: Looked) -> EnvironmentImpact | None:
    """What became of an environment that is there now; nothing when its image is the same."""
    before, recipe = looked.before, one.recipe
    name, platform = recipe.environment, str(recipe.target.platform)
    told = EnvironmentImpact(
        name=name,
        platform=platform,
        fate=Fate.CHANGED,
        planned=looked.planned.get((name, platform)),
        key=recipe.key,
        base=recipe.base,
        budget=looked.budgets.get(name),
    )
    old = looked.renamed.get(name, "")
    then = before.resolved.get((old or name, platform))
    if then is None and name in before.environments:
        error = before.errors.get(name)
        return replace(told, cost=_cost(one, None, looked)) if error else None
    if then is not None and then.recipe.key == recipe.key:
        return None
    contents = contents_of(one)
    earlier = before.contents.get((old or name, platform), EMPTY)
    return replace(
        told,
        fate=Fate.RENAMED if old else Fate.CHANGED if then else Fate.NEW,
        difference=compare_contents(earlier, contents, looked.sizes),
        key_before=then.recipe.key if then else "",
        base_before=then.recipe.base if then else "",
        base_moved=then is not None and then.recipe.base_key != recipe.base_key,
        cost=_cost(one, then, looked),
        twins=() if old else _twins(name, looked),
        renamed_from=old,
        still_named=_still_named(old, one.environment.path.parent.parent) if old else (),
    )


def _cost(one: Resolved, then: Resolved | None, looked: Looked) -> LayerCost:
    recipe = one.recipe
    name, platform = recipe.environment, str(recipe.target.platform)
    after = layers_of(looked.image, name, recipe.key, platform)
    if after is not None:
        was = then.recipe if then else None
        earlier = layers_of(looked.image, was.environment, was.key, platform) if was else None
        return measured(after, earlier, looked.elsewhere)
    contents = contents_of(one)
    known = [
        file
        for other in looked.now
        if other.environment.name != name
        for file in other.recipe.distributions
    ]
    known += then.recipe.distributions if then else ()
    return expected(contents, known, looked.sizes(contents.files.values()))


def _twins(name: str, looked: Looked) -> tuple[str, ...]:
    """Environments that could stand in for one, with nothing lost and little added."""
    mine = looked.places[name]
    return tuple(
        other.name
        for other in looked.places.values()
        if other.name != name and stands_in(other, mine)
    )


def renames(new: Iterable[Resolved], gone: Iterable[Resolved]) -> dict[str, str]:
    """New name to old name of environments that hold the same on all of their platforms.

    Args:
        new: environments that there were not before.
        gone: those that are no more.
    """

    def by_name(found: Iterable[Resolved]) -> dict[str, dict[str, Recipe]]:
        told: dict[str, dict[str, Recipe]] = {}
        for one in found:
            recipe = one.recipe
            told.setdefault(recipe.environment, {})[str(recipe.target.platform)] = recipe
        return told

    left = by_name(gone)
    names: dict[str, str] = {}
    for name, mine in sorted(by_name(new).items()):
        for old, theirs in sorted(left.items()):
            same = mine.keys() == theirs.keys()
            if same and all(mine[one].holds_the_same(theirs[one]) for one in mine):
                names[name] = old
                del left[old]
                break
    return names


def _still_named(name: str, root: Path) -> tuple[str, ...]:
    """Files of components and pipelines that say a name, as a text of TOML or Python."""
    said = re.compile(rf"""["']{re.escape(name)}["']""")
    return tuple(
        str(path.relative_to(root))
        for folder in ("components", "pipelines")
        for path in sorted((root / folder).rglob("*"))
        if path.suffix in {".py", ".toml"} and said.search(path.read_text(errors="replace"))
    )
