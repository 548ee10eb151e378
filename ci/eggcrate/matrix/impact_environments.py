"""The part of an impact that is about environments."""

from __future__ import annotations

import functools
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

    from eggcrate.build.before import Before
    from eggcrate.build.layer_cost import ImageReader
    from eggcrate.build.plan import Plan, Planned
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
        if (name, platform) not in here and name not in failed:
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
    then = before.resolved.get((name, platform))
    if then is None and name in before.environments:
        error = before.errors.get(name)
        return replace(told, cost=_cost(one, None, looked)) if error else None
    if then is not None and then.recipe.key == recipe.key:
        return None
    contents = contents_of(one)
    earlier = before.contents.get((name, platform), EMPTY)
    return replace(
        told,
        fate=Fate.CHANGED if then else Fate.NEW,
        difference=compare_contents(earlier, contents, looked.sizes),
        key_before=then.recipe.key if then else "",
        base_before=then.recipe.base if then else "",
        base_moved=then is not None and then.recipe.base_key != recipe.base_key,
        cost=_cost(one, then, looked),
        twins=_twins(name, looked),
    )


def _cost(one: Resolved, then: Resolved | None, looked: Looked) -> LayerCost:
    recipe = one.recipe
    name, platform = recipe.environment, str(recipe.target.platform)
    after = layers_of(looked.image, name, recipe.key, platform)
    if after is not None:
        earlier = layers_of(looked.image, name, then.recipe.key, platform) if then else None
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
