"""What machines hand each other through the registry: results of child builds, durations.

Images and passes are there anyway; this is the rest: what failed and why, and what it took. Each
is an artifact of one file under a tag of the name ``eggcrate-results``.
"""

from __future__ import annotations

import contextlib
import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eggcrate.build.attest import Attested  # noqa: TC001 - fields' types are read, as below
from eggcrate.build.engine import BuildResult  # noqa: TC001
from eggcrate.build.published import PublishResult  # noqa: TC001
from eggcrate.errors import EggcrateError, ImmutableTagError, StoreError
from eggcrate.matrix.cells import CellResult  # noqa: TC001
from eggcrate.parsing import json_of
from eggcrate.registry import oci
from eggcrate.registry.referrers import push_content
from eggcrate.wire import decoded, encoded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eggcrate.registry.remote import Remote

NAME = "eggcrate-results"
SCHEMA = "eggcrate.handed-in/1"
_TYPE = "application/vnd.eggcrate.handed-in.v1+gzip"
_EMPTY, _EMPTY_TYPE = b"{}", "application/vnd.oci.empty.v1+json"
_DURATIONS = "durations"


@dataclass(frozen=True, kw_only=True)
class HandedIn:
    """What a child build has to tell."""

    commit: str = ""
    """What it was made from."""
    builds: tuple[BuildResult, ...] = ()
    published: tuple[PublishResult, ...] = ()
    attested: tuple[Attested, ...] = ()
    cells: tuple[CellResult, ...] = ()


def hand_in(remote: Remote, tag: str, told: HandedIn) -> None:
    """Publish what a child build has to tell.

    Raises:
        RegistryError: the registry does not take it.
    """
    _put(remote, tag, {"schema": SCHEMA, **encoded(told)})


def take(remote: Remote, tag: str, cache: Path) -> HandedIn | None:
    """What was handed in under a tag; nothing when nothing was.

    Raises:
        RegistryError: the registry does not answer.
        StoreError: it is not what a child build hands in.
    """
    found = _take(remote, tag, cache)
    if found is None:
        return None
    try:
        if found.pop("schema") != SCHEMA:
            raise ValueError("another schema")  # noqa: TRY301 - told with the rest
        return decoded(HandedIn, found)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(
            f"{remote.image(NAME, tag)} is not what a child build hands in", why=str(error)
        ) from error


def take_durations(remote: Remote, cache: Path) -> dict[str, float]:
    """Seconds by cell or image, as earlier runs left them; an empty disk knows none itself."""
    try:
        found = _take(remote, _DURATIONS, cache) or {}
        return {str(name): float(value) for name, value in found["s"].items()}
    except (EggcrateError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def leave_durations(remote: Remote, seconds: Mapping[str, float]) -> None:
    """Leave durations for later runs; where tags cannot be moved, the first ones stay."""
    with contextlib.suppress(ImmutableTagError):
        _put(remote, _DURATIONS, {"s": {name: round(one, 2) for name, one in seconds.items()}})


def _put(remote: Remote, tag: str, document: Mapping[str, Any]) -> None:
    content = gzip.compress(json.dumps(document, sort_keys=True).encode(), mtime=0)
    config = push_content(remote, NAME, _EMPTY, _EMPTY_TYPE)
    layer = push_content(remote, NAME, content, _TYPE)
    manifest = oci.Manifest(config=config, layers=(layer,)).encode()
    remote.push_manifest(NAME, tag, manifest, oci.MANIFEST)


def _take(remote: Remote, tag: str, cache: Path) -> dict[str, Any] | None:
    if remote.resolve(NAME, tag) is None:
        return None
    content, _ = remote.get_manifest(NAME, tag)
    parsed = oci.parse(content, remote.image(NAME, tag))
    if isinstance(parsed, oci.Index) or len(parsed.layers) != 1:
        raise StoreError(f"{remote.image(NAME, tag)} is not one file")
    blob = remote.fetch_blob(NAME, parsed.layers[0], cache)
    try:
        found = json_of(gzip.decompress(blob.read_bytes()))
    except (OSError, EOFError, ValueError) as error:
        raise StoreError(f"{remote.image(NAME, tag)} cannot be read", why=str(error)) from error
    return found if isinstance(found, dict) else None
