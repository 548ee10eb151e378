"""A remote registry as what a plan asks, and as where images go."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.build.plan import STABLE, Published, read_published
from eggcrate.build.recipe import tag_of
from eggcrate.errors import (
    AccessDeniedError,
    EggcrateError,
    IntegrityError,
    RegistryUnreachableError,
    StoreError,
    TlsError,
)
from eggcrate.files import disk_error
from eggcrate.registry import oci
from eggcrate.registry.push import Holders, PushReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from eggcrate.build.engine import BuildResult
    from eggcrate.build.plan import Plan
    from eggcrate.progress import Progress
    from eggcrate.registry.layout import Layout
    from eggcrate.registry.oci import Descriptor
    from eggcrate.registry.remote import Remote

_COMPARED = 12
"""How many images of an environment are looked at to find the nearest."""
_BESIDE_STABLE = 2
_OTHERS, _EACH = 64, 4
"""Of how many other environments how many images are looked at for layers to mount."""
_AT_ONCE = 8
"""Images that are pushed at once; their blobs share the registry client's own limit."""
_KEY = "key-"


class RemoteRegistry:
    """What is published under a registry prefix.

    Args:
        remote: the prefix, opened.
    """

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def holds(self, images: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """Which of these images are published; a manifest is only ever published whole."""
        return {image: item.digest for image, item in held(self._remote, images).items()}

    def published(self, environment: str) -> Sequence[Published]:
        """Images of an environment: the stable one, and some others."""
        tags = self._remote.tags(environment)
        stable = [tag for tag in tags if tag == STABLE]
        others = [tag for tag in tags if tag.startswith(_KEY)]
        # With a stable image the others matter to platforms that it is not for.
        wanted = [*stable, *others[-(_BESIDE_STABLE if stable else _COMPARED) :]]
        return [one for tag in wanted for one in self._read(environment, tag)]

    def _read(self, environment: str, tag: str, reference: str = "") -> list[Published]:
        """What a tag stands for; of an index, what it consists of.

        Nothing when it is not ours or was deleted meanwhile: it only explains.
        """
        try:
            content, descriptor = self._remote.get_manifest(environment, reference or tag)
            parsed = oci.parse(content, f"{environment}:{tag}")
        except (AccessDeniedError, RegistryUnreachableError, TlsError):
            raise
        except (IntegrityError, StoreError):
            return []
        if isinstance(parsed, oci.Index):
            if reference:  # an index in an index: not ours
                return []
            return [
                one
                for child in parsed.manifests
                for one in self._read(environment, tag, child.digest)
            ]
        one = read_published(tag, descriptor.digest, parsed.annotations)
        return [one] if one else []

    def environments(self) -> frozenset[str]:
        """Names that the registry lists; none when it keeps no catalogue."""
        return frozenset(self._remote.names() or ())


def held(remote: Remote, images: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Descriptor]:
    """Those of these images (environment and tag) that are published.

    Raises:
        RegistryError: the registry does not tell.
        NotARegistryError: what it answers is no image, such as a log-in page.
    """
    return {image: item for image, item in remote.resolve_many(images).items() if item}


@dataclass(frozen=True, kw_only=True)
class ToPublish:
    """An image of the local store that is to be published."""

    environment: str
    platform: str
    tag: str
    digest: str


def image_of(result: BuildResult) -> ToPublish:
    """What a build leaves to be published."""
    return ToPublish(
        environment=result.environment,
        platform=result.platform,
        tag=tag_of(result.key),
        digest=result.digest,
    )


@dataclass(frozen=True, kw_only=True)
class PublishResult:
    """What became of it."""

    image: ToPublish
    report: PushReport | None
    seconds: float
    error: EggcrateError | None = None


def publish(
    images: Iterable[ToPublish],
    *,
    layout: Layout,
    remote: Remote,
    cache: Path,
    progress: Progress,
    holders: Holders | None = None,
    again: bool = False,
) -> list[PublishResult]:
    """Push images, several at once, one failure never stopping the others.

    Blobs are uploaded once and mounted into the other images that share them.

    Args:
        images: what to publish.
        layout: the store that holds them.
        remote: where to.
        cache: the user's cache, for what another image in the registry has, the store has not
            and the registry does not mount.
        progress: told of each image.
        holders: the images that are known to have blobs; added to.
        again: push even what is published, which mends a registry that lost something. Another
            image than the published one is not pushed even then: a key names one for good.
    """
    known = Holders() if holders is None else holders

    def push(one: ToPublish) -> PublishResult:
        progress.status(f"publishing {one.environment}:{one.tag}")
        start = time.monotonic()
        report: PushReport | None = None
        error: EggcrateError | None = None
        try:
            report = _there_already(one, remote, progress)
            if report is None or (again and report.digest == one.digest):
                report = remote.push_image(
                    layout, one.digest, one.environment, [one.tag], known, cache=cache, sure=again
                )
        except (EggcrateError, OSError) as raised:
            error = raised if isinstance(raised, EggcrateError) else disk_error(raised)
            if error is None:
                raise
        return PublishResult(
            image=one, report=report, seconds=time.monotonic() - start, error=error
        )

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="publish") as pool:
        return list(pool.map(push, images))


def _there_already(one: ToPublish, remote: Remote, progress: Progress) -> PushReport | None:
    """What to report of an image whose tag is published: it names one image for good."""
    now = held(remote, [(one.environment, one.tag)]).get((one.environment, one.tag))
    if now is None:
        return None
    if now.digest != one.digest:
        progress.warn(
            f"{remote.image(one.environment, one.tag)} was published meanwhile as {now.digest}; "
            "it stays, and the image made here is not pushed"
        )
    return PushReport(
        digest=now.digest, tags=(one.tag,), new_bytes=0, uploaded=0, mounted=0, existed=0
    )


def mountable(remote: Remote, plan: Plan, known: Iterable[str]) -> list[tuple[str, str]]:
    """Published images (environment and tag) that those to be published may share layers with.

    Those that are up to date, what the changed ones were before, and some of environments that
    were not planned: a renamed one has its layers under its old name.

    Args:
        remote: the registry.
        plan: what was decided.
        known: names of all environments.
    """
    images = [(item.environment, item.against) for item in plan.environments if item.against]
    images += plan.published[:_OTHERS]
    others = sorted({*known, *plan.retired} - {name for name, _ in images})[:_OTHERS]
    with contextlib.suppress(RegistryUnreachableError):  # publishing will tell
        for name, tags in zip(others, remote.each(remote.tags, others), strict=True):
            images += [(name, tag) for tag in tags if tag.startswith(_KEY)][-_EACH:]
    return images
