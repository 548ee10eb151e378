"""Moving a mutable tag, such as ``stable``, to the images that the working tree names.

Nothing is built and no layer moves: the tag is put on what is published already. An
environment of several platforms gets an index of its images.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eggcrate.build.published import held
from eggcrate.errors import EggcrateError, RegistryError, UsageError
from eggcrate.registry import oci
from eggcrate.registry.address import check_tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from eggcrate.build.resolve import Resolved
    from eggcrate.registry.oci import Descriptor
    from eggcrate.registry.remote import Remote

_FIXED = ("key-", "code-")
"""What tags begin with that are made of what they name."""


class Outcome(enum.Enum):
    """What is to become, or became, of a tag."""

    MOVE = "move"
    """Is to be moved."""
    MOVED = "moved"
    UP_TO_DATE = "up-to-date"
    REFUSED = "refused"
    """There is nothing to move it to."""
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """A tag of an environment, and where it goes."""

    environment: str
    tag: str
    outcome: Outcome
    before: str = ""
    """Digest that it stood for."""
    digest: str = ""
    """Digest that it is to stand for."""
    images: tuple[Descriptor, ...] = ()
    """The published images, one for each platform."""
    error: EggcrateError | None = None


def check_mutable(tag: str) -> str:
    """The tag itself, when it may move.

    Raises:
        UsageError: it names one image for good, or is not a tag.
    """
    if tag.startswith(_FIXED):
        raise UsageError(
            f"{tag} cannot be moved",
            why=f"tags that begin with {' or '.join(_FIXED)} name one image for good",
            hint="choose another tag, such as stable",
        )
    try:
        return check_tag(tag)
    except EggcrateError as error:
        raise UsageError(error.what, hint=error.hint) from error


def decide(
    resolved: Iterable[Resolved],
    failed: Mapping[str, EggcrateError],
    remote: Remote,
    tag: str,
) -> list[Promotion]:
    """Find out where the tag stands and where it is to go.

    Args:
        resolved: environments whose recipes are known.
        failed: environments that cannot be resolved, each with its error.
        remote: the registry.
        tag: what is to be moved.

    Raises:
        RegistryError: the registry does not tell.
    """
    mine: dict[str, list[Resolved]] = {}
    for item in resolved:
        mine.setdefault(item.environment.name, []).append(item)
    asked = [(name, item.recipe.tag) for name, items in mine.items() for item in items]
    found = {**remote.resolve_many((name, tag) for name in mine), **held(remote, asked)}
    decided = [
        Promotion(environment=name, tag=tag, outcome=Outcome.REFUSED, error=error)
        for name, error in failed.items()
    ]
    for name, items in mine.items():
        now = found[name, tag]
        told = Promotion(
            environment=name, tag=tag, outcome=Outcome.MOVE, before=now.digest if now else ""
        )
        decided.append(_decide_one(told, items, found))
    return sorted(decided, key=lambda one: one.environment)


def _decide_one(
    told: Promotion,
    items: Sequence[Resolved],
    found: Mapping[tuple[str, str], Descriptor | None],
) -> Promotion:
    images = []
    for item in items:
        image = found.get((told.environment, item.recipe.tag))
        platform = str(item.recipe.target.platform)
        if image is None:
            return replace(told, outcome=Outcome.REFUSED, error=_unpublished(item, platform))
        images.append(replace(image, platform=platform))
    digest = images[0].digest if len(images) == 1 else oci.digest_of(_index(images))
    outcome = Outcome.UP_TO_DATE if digest == told.before else Outcome.MOVE
    return replace(told, outcome=outcome, digest=digest, images=tuple(images))


def _unpublished(item: Resolved, platform: str) -> RegistryError:
    name = item.environment.name
    return RegistryError(
        f"the image of {name} for {platform} is not published",
        why=f"the registry has no {name}:{item.recipe.tag}, which its locks name now",
        hint="run: eggcrate build --changed --push",
    )


def _index(images: Sequence[Descriptor]) -> bytes:
    return oci.Index(manifests=tuple(images)).encode()


def promote(decided: Sequence[Promotion], remote: Remote) -> list[Promotion]:
    """Move the tags that are to be moved; one failure never stops the others."""
    return [_promote(one, remote) if one.outcome is Outcome.MOVE else one for one in decided]


def _promote(one: Promotion, remote: Remote) -> Promotion:
    try:
        if len(one.images) == 1:
            content, image = remote.get_manifest(one.environment, one.digest)
            media_type = image.media_type or oci.media_type_of(content)
            remote.put_manifest(one.environment, one.tag, content, media_type)
        else:
            remote.push_manifest(one.environment, one.tag, _index(one.images), oci.INDEX)
    except EggcrateError as error:
        return replace(one, outcome=Outcome.FAILED, error=error)
    return replace(one, outcome=Outcome.MOVED)
