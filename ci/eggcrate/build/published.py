"""A remote registry as what a plan asks, and as where images go."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.build.plan import STABLE, Published, read_published
from eggcrate.build.recipe import tag_of
from eggcrate.errors import EggcrateError
from eggcrate.registry import oci

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from eggcrate.build.engine import BuildResult
    from eggcrate.progress import Progress
    from eggcrate.registry.layout import Layout
    from eggcrate.registry.push import PushReport
    from eggcrate.registry.remote import Remote

_COMPARED = 12
"""How many images of an environment are looked at to find the nearest."""
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
        found = self._remote.resolve_many(images)
        return {image: item.digest for image, item in found.items() if item is not None}

    def published(self, environment: str) -> Sequence[Published]:
        """Images of an environment: the stable one, and some others."""
        tags = self._remote.tags(environment)
        wanted = [tag for tag in tags if tag == STABLE]
        wanted += [tag for tag in tags if tag.startswith(_KEY)][-_COMPARED:]
        images = []
        for tag in wanted:
            images += self._read(environment, tag)
        return images

    def _read(self, environment: str, tag: str) -> list[Published]:
        content, descriptor = self._remote.get_manifest(environment, tag)
        parsed = oci.parse(content, f"{environment}:{tag}")
        if isinstance(parsed, oci.Index):
            return [
                one
                for child in parsed.manifests
                for one in self._read_child(environment, tag, child.digest)
            ]
        one = read_published(tag, descriptor.digest, parsed.annotations)
        return [one] if one else []

    def _read_child(self, environment: str, tag: str, digest: str) -> list[Published]:
        content, _ = self._remote.get_manifest(environment, digest)
        parsed = oci.parse(content, f"{environment}@{digest}")
        one = read_published(tag, digest, parsed.annotations)
        return [one] if one else []

    def environments(self) -> frozenset[str]:
        """Names that the registry lists; none when it keeps no catalogue."""
        return frozenset(self._remote.names() or ())


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
    progress: Progress,
    holders: dict[str, set[str]] | None = None,
) -> list[PublishResult]:
    """Push images, one failure never stopping the others.

    Blobs are uploaded once and mounted into the other images that share them.

    Args:
        images: what to publish.
        layout: the store that holds them.
        remote: where to.
        progress: told of each image.
        holders: for a blob's digest the images known to have it; added to.
    """
    holders = {} if holders is None else holders
    results = []
    for one in images:
        progress.status(f"publishing {one.environment}:{one.tag}")
        start = time.monotonic()
        report: PushReport | None = None
        error: EggcrateError | None = None
        try:
            report = remote.push_image(
                layout,
                one.digest,
                one.environment,
                [one.tag],
                {digest: sorted(names) for digest, names in holders.items()},
            )
        except EggcrateError as failure:
            error = failure
        else:
            for digest in _blobs(layout, one.digest):
                holders.setdefault(digest, set()).add(one.environment)
        results.append(
            PublishResult(image=one, report=report, seconds=time.monotonic() - start, error=error)
        )
    return results


def known_holders(remote: Remote, images: Sequence[tuple[str, str]]) -> dict[str, set[str]]:
    """For each blob of these published images (environment and tag) who has it."""
    holders: dict[str, set[str]] = {}

    def blobs(image: tuple[str, str]) -> tuple[str, list[str]]:
        content, _ = remote.get_manifest(*image)
        parsed = oci.parse(content, f"{image[0]}:{image[1]}")
        if isinstance(parsed, oci.Index):
            return image[0], []
        return image[0], [layer.digest for layer in parsed.layers]

    for name, digests in remote.each(blobs, images):
        for digest in digests:
            holders.setdefault(digest, set()).add(name)
    return holders


def _blobs(layout: Layout, digest: str) -> list[str]:
    parsed = oci.parse(layout.read_blob(digest))
    if isinstance(parsed, oci.Index):
        return [blob for child in parsed.manifests for blob in _blobs(layout, child.digest)]
    return [layer.digest for layer in parsed.layers]
