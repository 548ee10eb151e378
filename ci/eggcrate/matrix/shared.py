"""Passes in the registry, so that machines share them.

Each is an artifact of its own under the image that it was proven in: the tag ``proof-<key>`` of
a manifest without content, whose annotation holds the record. So it is written and read by one
request, goes where the image goes, and is gone when its repository is. A pass that is taken back
is replaced by a manifest without a record: many registries delete nothing.
Specification: https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md
(guidelines for artifact usage).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

from eggcrate.errors import (
    AccessDeniedError,
    EggcrateError,
    ImmutableTagError,
    NotARegistryError,
    RegistryError,
    RegistryUnreachableError,
    TlsError,
)
from eggcrate.files import atomic_write
from eggcrate.matrix.memory import Pass
from eggcrate.registry import oci

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.verify import Verifier
    from eggcrate.registry.remote import Remote

CONFIG_TYPE = "application/vnd.eggcrate.proof.v1+json"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
ANNOTATION = "dev.eggcrate.proof"
_EMPTY = b"{}"
_WHOLE = (RegistryUnreachableError, TlsError, NotARegistryError, AccessDeniedError)
"""Failures that the next request would meet as well."""

_Result = TypeVar("_Result")


class Link:
    """A registry that a run does not depend on: at its first failure it is done without.

    Args:
        remote: the registry; nothing when there is none.
        warn: told of the failure, once.
        verifier: what images must pass to be used; without one all are.
    """

    def __init__(
        self,
        remote: Remote | None,
        warn: Callable[[str], None],
        verifier: Verifier | None = None,
    ) -> None:
        self.remote = remote
        self.warn = warn
        self.verifier = verifier

    def attempt(
        self, what: str, action: Callable[[Remote], _Result], otherwise: _Result
    ) -> _Result:
        """What an action on the registry gives, or something else when it is done without."""
        if self.remote is None:
            return otherwise
        try:
            return action(self.remote)
        except EggcrateError as error:
            self.remote = None
            why = f" ({error.why})" if error.why else ""
            self.warn(
                f"{what} the registry: {error.what}{why}; this run goes on without the registry"
            )
            return otherwise


class SharedMemory:
    """Passes in a registry.

    Args:
        link: the registry.
        scratch: a folder that may hold a file to upload.
    """

    def __init__(self, link: Link, scratch: Path) -> None:
        self._link = link
        self._scratch = scratch

    def recall(self, keys: Mapping[str, str]) -> dict[str, Pass]:
        """Those of these keys that it remembers, asked for several at once."""

        def ask(remote: Remote) -> dict[str, Pass]:
            tags = {(name, tag_of(key)): key for key, name in keys.items()}
            there = [asked for asked, item in remote.resolve_many(tags).items() if item]
            found = remote.each(lambda item: _read(remote, *item, tags[item]), there)
            return {one.key: one for one in found if one}

        return self._link.attempt("passes cannot be read from", ask, {})

    def remember(self, passes: Sequence[tuple[str, Pass]]) -> None:
        """Publish passes, several at once."""

        def tell(remote: Remote) -> None:
            for name in sorted({name for name, _ in passes}):
                self._add_empty(remote, name)
            remote.each(lambda item: _write(remote, *item), passes)

        self._link.attempt("passes cannot be written to", tell, None)

    def forget(self, keys: Mapping[str, str]) -> None:
        """Take back what is remembered of these keys."""

        def revoke(remote: Remote) -> None:
            for key, name in keys.items():
                found = remote.resolve(name, tag_of(key))
                if found and found.digest != oci.digest_of(REVOKED):
                    self._replace(remote, name, key, found.digest)

        self._link.attempt("a pass cannot be taken back from", revoke, None)

    def _replace(self, remote: Remote, name: str, key: str, digest: str) -> None:
        """Put no record in the place of one; where tags stay what they are, delete it."""
        try:
            self._add_empty(remote, name)
            remote.put_manifest(name, tag_of(key), REVOKED, oci.MANIFEST)
        except ImmutableTagError:
            try:
                remote.delete(name, digest)
            except RegistryError as error:
                self._link.warn(
                    f"a pass of {name} that is none any more stays in the registry: {error.what}; "
                    f"delete {remote.image(name, tag_of(key))}"
                )

    def _add_empty(self, remote: Remote, name: str) -> None:
        """What every such manifest names: two bytes."""
        empty = oci.describe(_EMPTY, EMPTY_TYPE)
        if not remote.has_blob(name, empty.digest, empty.size):
            path = self._scratch / "empty.json"
            atomic_write(path, _EMPTY, flush=False)
            remote.push_new_blob(name, path, empty)


def _read(remote: Remote, name: str, tag: str, key: str) -> Pass | None:
    """One record; nothing when it alone cannot be read."""
    try:
        content, _ = remote.get_manifest(name, tag)
        found = oci.parse(content, tag)
    except _WHOLE:
        raise
    except EggcrateError:
        return None
    return Pass.read(found.annotations.get(ANNOTATION, "").encode(), key)


def _write(remote: Remote, name: str, one: Pass) -> None:
    with contextlib.suppress(ImmutableTagError):  # another machine's pass of the same key
        remote.put_manifest(name, tag_of(one.key), manifest(one), oci.MANIFEST)


def tag_of(key: str) -> str:
    """The tag of a key's pass."""
    return f"proof-{key}"


def manifest(one: Pass) -> bytes:
    """The manifest that carries a pass."""
    return _artifact({ANNOTATION: one.record})


def _artifact(annotations: dict[str, str]) -> bytes:
    return oci.Manifest(
        config=oci.describe(_EMPTY, CONFIG_TYPE),
        layers=(oci.describe(_EMPTY, EMPTY_TYPE),),
        annotations=annotations,
    ).encode()


REVOKED = _artifact({})
"""The manifest that stands in the place of a pass that was taken back."""
