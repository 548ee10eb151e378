"""Whether a published image is what it says: its signature, its provenance, and a second build.

A signature proves who said so, provenance from what, and only the rebuilding that it is true: the
image is made again from its locks, from nothing but downloads, and the digests are compared.
"""

from __future__ import annotations

import contextlib
import enum
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.build import image
from eggcrate.build.attest import PROVENANCE, Signatures, read_attached
from eggcrate.build.layered import build_patiently
from eggcrate.build.provenance import Provenance, read_statement
from eggcrate.build.pulled import read_image
from eggcrate.build.recipe import RECIPE_VERSION
from eggcrate.build.resolve import resolve
from eggcrate.build.shelf import Shelf
from eggcrate.errors import EggcrateError, SignatureError, StoreError
from eggcrate.packages.target import Platform
from eggcrate.registry import cosign, oci
from eggcrate.registry.layout import Layout
from eggcrate.repo.environments import read_environment
from eggcrate.repo.monorepo import read_monorepo
from eggcrate.repo.revision import opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eggcrate.build.workshop import Workshop
    from eggcrate.registry.signing import PublicKey
    from eggcrate.repo.git import Git


class CheckOutcome(enum.Enum):
    """What a check came to."""

    GOOD = "good"
    BAD = "bad"
    MISSING = "missing"
    """There is nothing to check."""
    NOT_CHECKED = "not-checked"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of an image."""

    name: str
    outcome: CheckOutcome
    told: str

    @property
    def good(self) -> bool:
        """Whether nothing speaks against the image; what was not asked for does not."""
        return self.outcome in (CheckOutcome.GOOD, CheckOutcome.NOT_CHECKED)


@dataclass(frozen=True, kw_only=True)
class Verified:
    """An image and what was checked of it."""

    environment: str
    platform: str
    digest: str
    key: str
    checks: tuple[Check, ...]
    provenance: Provenance | None = None

    @property
    def good(self) -> bool:
        """Whether every check was."""
        return all(check.good for check in self.checks)


@dataclass(frozen=True, kw_only=True)
class Verifier:
    """Checks signatures and provenance of published images."""

    signatures: Signatures
    keys: Sequence[PublicKey]
    cache: Path

    def verify(self, name: str, digest: str, content: bytes, platform: str) -> Verified:
        """Check an image.

        Args:
            name: its name under the registry's prefix.
            digest: of its manifest.
            content: the manifest.
            platform: what it is for.

        Raises:
            RegistryError: the registry does not tell.
        """
        parsed = oci.parse(content, name)
        key = parsed.annotations.get(image.KEY, "")
        signature = self._signature(name, digest)
        provenance, found = self._provenance(name, digest, key)
        return Verified(
            environment=name,
            platform=platform,
            digest=digest,
            key=key,
            checks=(signature, provenance),
            provenance=found,
        )

    def require(self, name: str, digest: str, platform: str) -> None:
        """Refuse an image whose signature or provenance is not good.

        Args:
            name: as for :meth:`verify`.
            digest: of its manifest, or of an index with one for the platform.
            platform: what it is to run on.

        Raises:
            SignatureError: one is not.
            RegistryError: the registry does not tell.
        """
        content, _ = read_image(self.signatures.images, name, digest, platform=platform)
        digest = oci.digest_of(content)
        found = self.verify(name, digest, content, platform)
        if bad := [check for check in found.checks if not check.good]:
            raise SignatureError(
                f"{name}@{digest} is not verified, and only verified images are to be used",
                why="; ".join(f"{check.name}: {check.told}" for check in bad),
                hint=f"run: eggcrate verify {name}@{digest}",
            )

    def _signature(self, name: str, digest: str) -> Check:
        where = self.signatures
        if not self.keys:
            return _check("signature", CheckOutcome.NOT_CHECKED, "no key was named")
        try:
            found = cosign.read_signatures(where.remote, where.of(name), digest, self.cache)
        except SignatureError as error:
            return _check("signature", CheckOutcome.BAD, error.what)
        if not found:
            return _check("signature", CheckOutcome.MISSING, "it is not signed")
        told = ", ".join(key.name for key in self.keys)
        if cosign.is_signed(found, digest, self.keys):
            return _check("signature", CheckOutcome.GOOD, f"signed by {told}")
        count = len(found)
        return _check("signature", CheckOutcome.BAD, f"{count} signatures, none of them by {told}")

    def _provenance(self, name: str, digest: str, key: str) -> tuple[Check, Provenance | None]:
        attached = read_attached(self.signatures.images, name, digest, PROVENANCE, self.cache)
        if not attached:
            return _check("provenance", CheckOutcome.MISSING, "none is attached"), None
        problems = []
        for content in attached:
            try:
                found = read_statement(self._opened(content))
            except SignatureError as error:
                problems.append(f"{error.what}{f' ({error.why})' if error.why else ''}")
                continue
            if (found.digest, found.environment, found.key) != (digest, name, key):
                problems.append(f"it is about {found.environment}@{found.digest}")
                continue
            told = f"built by {found.builder} from {found.revision[:10] or 'no commit'}"
            if not found.clean:
                told += " with changes that are in no commit"
            return _check("provenance", CheckOutcome.GOOD, told), found
        return _check("provenance", CheckOutcome.BAD, "; ".join(dict.fromkeys(problems))), None

    def _opened(self, content: bytes) -> bytes:
        """The statement in an artifact: signed by a key, or anybody's when no key was named."""
        if self.keys:
            return cosign.opened(content, PROVENANCE, self.keys)
        return cosign.unchecked(content, PROVENANCE)


def rebuilt(verified: Verified, workshop: Workshop, git: Git, root: Path) -> Verified:
    """Build an image again, from nothing but downloads, and compare digests.

    The locks are those of the commit that its provenance names, where git has it and nothing
    else went in; else those of the working tree.
    """
    found = verified.provenance
    if found and found.recipe_version != RECIPE_VERSION:
        told = f"it was made by rules {found.recipe_version}; this Eggcrate's are {RECIPE_VERSION}"
        return _with(verified, _check("rebuild", CheckOutcome.BAD, told))
    revision = found.revision if found and found.clean and git.resolve(found.revision) else ""
    where = f"at {revision[:10]}" if revision else "in the working tree"
    try:
        with _sources(git, revision, verified.environment, root) as source:
            check = _rebuild(verified, source, where, workshop)
    except EggcrateError as error:
        told = f"{error.what}{f': {error.why}' if error.why else ''}"
        check = _check("rebuild", CheckOutcome.BAD, told)
    return _with(verified, check)


def _rebuild(verified: Verified, source: Path, where: str, workshop: Workshop) -> Check:
    monorepo = read_monorepo(source)
    folder = monorepo.environment_folders.get(verified.environment)
    if folder is None:
        raise StoreError(f"there is no environment {verified.environment} {where}")
    resolved = resolve(
        read_environment(folder), monorepo.bases, Platform.parse(verified.platform)
    )
    recipe = resolved.recipe
    if recipe.dockerfile_key:
        told = "what a Dockerfile makes is not the same bit for bit each time"
        return _check("rebuild", CheckOutcome.NOT_CHECKED, told)
    if recipe.key != verified.key:
        told = f"the locks {where} give key {recipe.key[:12]}, the image has {verified.key[:12]}"
        return _check("rebuild", CheckOutcome.BAD, told)
    with _scratch(workshop) as fresh:
        digest, _ = build_patiently(resolved, replace(fresh, bases=monorepo.bases))
    if digest != verified.digest:
        told = f"the locks {where} give {digest}"
        return _check("rebuild", CheckOutcome.BAD, told)
    return _check("rebuild", CheckOutcome.GOOD, f"built again from the locks {where}: the same")


@contextlib.contextmanager
def _sources(git: Git, revision: str, environment: str, root: Path) -> Iterator[Path]:
    if not revision:
        yield root
        return
    with opened(git, revision, environments=[environment]) as found:
        yield found.root


@contextlib.contextmanager
def _scratch(workshop: Workshop) -> Iterator[Workshop]:
    """A workshop with nothing made in it; downloads are shared, for their hashes are checked."""
    folder = workshop.cache / "rebuilds"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="build-") as scratch:
        cache = Path(scratch, "cache")
        cache.mkdir()
        for name in ("files", "debs"):
            (workshop.cache / name).mkdir(exist_ok=True)
            (cache / name).symlink_to(workshop.cache / name, target_is_directory=True)
        yield replace(
            workshop,
            cache=cache,
            store=Layout(Path(scratch, "store")),
            shelf=Shelf(),
            complete=True,
            locked=True,
            built_bases={},
            new_bytes={},
        )


def _with(verified: Verified, check: Check) -> Verified:
    return replace(verified, checks=(*verified.checks, check))


def _check(name: str, outcome: CheckOutcome, told: str) -> Check:
    return Check(name=name, outcome=outcome, told=told)
