"""The images that cells run in: known by digest first, brought here only when a cell must run."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from eggcrate.build.engine import BuildResult, build_all, stored
from eggcrate.build.published import held
from eggcrate.build.pulled import pull, read_image
from eggcrate.build.recipe import tag_of
from eggcrate.build.values import Verdict
from eggcrate.errors import EggcrateError, StoreError
from eggcrate.registry import oci

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from eggcrate.build.recipe import Recipe
    from eggcrate.build.resolve import Resolved
    from eggcrate.build.workshop import Workshop
    from eggcrate.matrix.released import Released
    from eggcrate.matrix.shared import Link
    from eggcrate.registry.remote import Remote


def find_images(
    resolved: Sequence[Resolved], workshop: Workshop, link: Link, *, build: bool = True
) -> dict[str, BuildResult]:
    """The image of each environment: in the store, else published, else built now.

    Args:
        resolved: the environments.
        workshop: for building.
        link: to the registry; what it holds is not fetched yet.
        build: whether to build what is nowhere, or to leave it out.

    Returns:
        What became of each, by the environment's name; one failure stops no other.
    """
    here = [item for item in resolved if stored(item.recipe, workshop) is not None]
    elsewhere = [item for item in resolved if item not in here]
    nothing: dict[str, BuildResult] = {}
    published = link.attempt(
        "images cannot be found in", lambda remote: _published(elsewhere, remote), nothing
    )
    missing = [item for item in elsewhere if item.environment.name not in published]
    built = build_all([*here, *(missing if build else ())], {}, workshop)
    found = {**published, **{result.environment: result for result in built}}
    names = (item.environment.name for item in resolved)
    return {name: _accepted(found[name], name, link) for name in names if name in found}


def bring(
    resolved: Iterable[Resolved],
    images: Mapping[str, BuildResult],
    workshop: Workshop,
    link: Link,
) -> dict[str, BuildResult]:
    """Have images in the store that are only published so far.

    Returns:
        All of them; one that could not be had was built, and may have another digest then.
    """
    found = dict(images)
    for item in resolved:
        image = images[item.environment.name]
        if not image.good or stored(item.recipe, workshop) is not None:
            continue
        fetch = functools.partial(_pull, item, image, workshop)
        if not link.attempt(f"{image.environment} cannot be fetched from", fetch, otherwise=False):
            built = build_all([item], {}, workshop)[0]
            found[image.environment] = _accepted(built, image.environment, link)
    return found


def _accepted(image: BuildResult, name: str, link: Link) -> BuildResult:
    """The image, or where only verified ones are to be used why it is not one."""
    if link.verifier is None or not image.good:
        return image
    try:
        link.verifier.require(name, image.digest, image.platform)
    except EggcrateError as error:
        return replace(image, verdict=Verdict.FAILED, error=error)
    return image


def _published(resolved: Sequence[Resolved], remote: Remote) -> dict[str, BuildResult]:
    recipes = [item.recipe for item in resolved]
    there = held(remote, [(recipe.environment, tag_of(recipe.key)) for recipe in recipes])
    wanted = [recipe for recipe in recipes if (recipe.environment, tag_of(recipe.key)) in there]
    described = remote.each(lambda recipe: _described(recipe, remote), wanted)
    return {result.environment: result for result in described}


def find_released(released: Sequence[Released], link: Link) -> dict[str, BuildResult]:
    """Published images in use, by the name of their column; nothing is fetched yet."""
    found = {}
    for one in released:
        told = BuildResult(
            environment=one.column.environment,
            platform=str(one.column.target.platform),
            verdict=Verdict.UP_TO_DATE,
            key=one.key,
        )
        named = functools.partial(
            read_image, name=one.environment, reference=one.digest, platform=told.platform
        )
        content = link.attempt(f"{told.environment} cannot be found in", named, None)
        found[told.environment] = (
            _counted(told, *content)
            if content
            else replace(told, verdict=Verdict.FAILED, error=_gone(told.environment))
        )
        found[told.environment] = _accepted(found[told.environment], one.environment, link)
    return found


def bring_released(
    released: Iterable[Released],
    images: Mapping[str, BuildResult],
    workshop: Workshop,
    link: Link,
) -> dict[str, BuildResult]:
    """Have published images in use in the store; all images, with those that cannot be had."""
    found = dict(images)
    for one in released:
        image = images[one.column.environment]
        store = workshop.store
        if not image.good or (store.has_blob(image.digest) and not store.missing(image.digest)):
            continue
        workshop.progress.status(f"pulling {image.environment}")
        fetch = functools.partial(
            pull,
            name=one.environment,
            reference=image.digest,
            platform=image.platform,
            store=store,
            cache=workshop.cache,
        )
        if link.attempt(f"{image.environment} cannot be fetched from", fetch, None) is None:
            found[image.environment] = replace(
                image, verdict=Verdict.FAILED, error=_gone(image.environment)
            )
    return found


def _gone(name: str) -> StoreError:
    return StoreError(
        f"the published image {name} cannot be had",
        why="it was not made from this working tree, so that it cannot be built here",
    )


def _described(recipe: Recipe, remote: Remote) -> BuildResult:
    """A published image; of one for several platforms the one that is wanted."""
    platform = str(recipe.target.platform)
    told = BuildResult(
        environment=recipe.environment,
        platform=platform,
        verdict=Verdict.UP_TO_DATE,
        base=recipe.base,
        key=recipe.key,
    )
    content = read_image(remote, recipe.environment, tag_of(recipe.key), platform=platform)
    return _counted(told, *content)


def _counted(told: BuildResult, content: bytes, manifest: oci.Manifest) -> BuildResult:
    return replace(
        told,
        digest=oci.digest_of(content),
        size=sum(layer.size for layer in manifest.layers),
        layers=len(manifest.layers),
        layers_reused=len(manifest.layers),
    )


def _pull(item: Resolved, image: BuildResult, workshop: Workshop, remote: Remote) -> bool:
    """Bring a published image into the store, under the name that a build gives it."""
    name = image.environment
    workshop.progress.status(f"pulling {remote.image(name, image.digest)}")
    with workshop.store.in_use():
        pull(
            remote,
            name,
            image.digest,
            platform=image.platform,
            store=workshop.store,
            cache=workshop.cache,
        )
    workshop.progress.info(f"pulled {name} from the registry")
    return stored(item.recipe, workshop) is not None


def digests(images: Mapping[str, BuildResult]) -> dict[str, str]:
    """The manifest digests of those that are there or published."""
    return {name: image.digest for name, image in images.items() if image.good}


def errors(images: Mapping[str, BuildResult]) -> dict[str, EggcrateError]:
    """Why the others are not."""
    return {name: image.error for name, image in images.items() if image.error}
