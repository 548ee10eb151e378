"""The key of every environment's recipe, remembered by content.

To know an environment's key its ``pyproject.toml`` and locks are parsed and its lock is walked.
When not a byte of them has changed since the last time, the key is the one remembered, in
``keys/<hash of the checkout's path>.json`` in the user's cache. Contents are compared, by
SHA-256, and neither dates nor sizes: nothing remembered can be stale. Only answers are kept,
never errors, and not for an environment with a ``Dockerfile``, whose key depends on more.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import packaging

from eggcrate.build.recipe import canonical, tag_of
from eggcrate.errors import EggcrateError
from eggcrate.files import atomic_write, sealed, unsealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from eggcrate.build.resolve import Resolved, ResolvedBase
    from eggcrate.repo.monorepo import Monorepo

_OWN = Path(__file__).parents[1]
_ROOMS = ("build", "packages", "repo")
_FILES = ("pyproject.toml", "poetry.lock", "base.lock")
_SUFFIXES = (".py", ".toml", ".lock")

_Known = tuple[tuple[str, str, str], ...]
"""Platform, key and name of the base, for each platform."""


@dataclass(frozen=True, kw_only=True)
class Keyed:
    """An environment on a platform, and the key of its recipe."""

    environment: str
    platform: str
    key: str
    base: str
    """Name of its base."""
    resolve: Callable[[], Resolved] = field(compare=False, repr=False)

    @classmethod
    def of(cls, resolved: Resolved) -> Keyed:
        """What was resolved already."""
        recipe = resolved.recipe
        return cls(
            environment=recipe.environment,
            platform=str(recipe.target.platform),
            key=recipe.key,
            base=recipe.base,
            resolve=lambda: resolved,
        )

    @property
    def tag(self) -> str:
        """The immutable tag of its image."""
        return tag_of(self.key)

    @functools.cached_property
    def resolved(self) -> Resolved:
        """Everything that is known about it, read now if it was not before.

        Raises:
            EggcrateError: it cannot be resolved any more: its files were changed meanwhile.
        """
        return self.resolve()


def find_keys(
    monorepo: Monorepo,
    names: Iterable[str],
    platforms: Sequence[str] = (),
    *,
    cache: Path,
) -> tuple[list[Keyed], dict[str, EggcrateError]]:
    """The keys of several environments; what has none is told beside.

    Args:
        monorepo: the repository.
        names: of environments that have a folder.
        platforms: instead of the environments' own.
        cache: the user's cache.
    """
    record = cache / "keys" / f"{hashlib.sha256(bytes(monorepo.root)).hexdigest()[:32]}.json"
    remembered = _load(record)
    # Taken before anything is read, and again before anything is remembered.
    common = _common(monorepo.root)
    learnt: dict[str, tuple[str, _Known]] = {}
    bases: dict[str, ResolvedBase] = {}
    keyed: list[Keyed] = []
    failed: dict[str, EggcrateError] = {}
    for name in names:
        folder = monorepo.environment_folders[name]
        entry = " ".join((name, *platforms))
        identity = _identity(folder, common, platforms)
        if identity and (known := remembered.get(entry)) and known[0] == identity:
            keyed += _lazy(monorepo, name, known[1], bases, cache)
            continue
        try:
            found = [Keyed.of(one) for one in _resolve(monorepo, name, platforms, bases, cache)]
        except EggcrateError as error:
            failed[name] = error
            continue
        keyed += found
        if identity and identity == _identity(folder, common, platforms):
            learnt[entry] = (identity, tuple((one.platform, one.key, one.base) for one in found))
    if learnt and common == _common(monorepo.root) and not monorepo.broken_bases:
        kept = {
            entry: known
            for entry, known in remembered.items()
            if entry.partition(" ")[0] in monorepo.environment_folders
        }
        with contextlib.suppress(OSError):  # a cache that cannot be written makes plans slower
            atomic_write(record, sealed({"keys": {**kept, **learnt}}), flush=False)
    return keyed, failed


def _lazy(
    monorepo: Monorepo, name: str, known: _Known, bases: dict[str, ResolvedBase], cache: Path
) -> list[Keyed]:
    def resolved(platform: str) -> Resolved:
        return _resolve(monorepo, name, [platform], bases, cache)[0]

    return [
        Keyed(
            environment=name,
            platform=platform,
            key=key,
            base=base,
            resolve=functools.partial(resolved, platform),
        )
        for platform, key, base in known
    ]


def _resolve(
    monorepo: Monorepo,
    name: str,
    platforms: Sequence[str],
    bases: dict[str, ResolvedBase],
    cache: Path,
) -> list[Resolved]:
    from eggcrate.build.resolve import resolve  # noqa: PLC0415 - slow, and often not needed
    from eggcrate.packages.target import Platform  # noqa: PLC0415 - as above
    from eggcrate.repo.environments import read_environment  # noqa: PLC0415 - as above

    environment = read_environment(monorepo.environment_folders[name])
    wanted = [Platform.parse(text) for text in platforms or environment.platforms]
    return [
        resolve(environment, monorepo.bases, platform, cache=cache, known=bases)
        for platform in wanted
    ]


def _common(root: Path) -> str:
    """Identity of what counts for every environment: the bases, and Eggcrate's own rules."""
    bases = sorted(root.glob("bases/*/base.*"))
    rules = sorted(
        path for room in _ROOMS for path in (_OWN / room).rglob("*") if path.suffix in _SUFFIXES
    )
    identity = hashlib.sha256(canonical([packaging.__version__, len(bases), len(rules)]))
    for path in (*bases, *rules):
        try:
            content = _content(path)
        except OSError:  # told in full by those who read it
            content = None
        _add(identity, f"{path.parent.name}/{path.name}", content)
    return identity.hexdigest()


def _identity(folder: Path, common: str, platforms: Sequence[str]) -> str:
    """Identity of all that an environment's key depends on; empty when it is not known."""
    path = str(folder)
    identity = hashlib.sha256(canonical([common, folder.name, list(platforms)]))
    try:
        for name in _FILES:
            _add(identity, name, _content(f"{path}/{name}"))
    except OSError:
        return ""  # told in full by reading it
    return "" if os.path.isfile(f"{path}/Dockerfile") else identity.hexdigest()  # noqa: PTH113 - fast


def _add(identity: hashlib._Hash, name: str, content: bytes | None) -> None:
    size = "none" if content is None else str(len(content))
    identity.update(f"\0{name}\0{size}\0".encode())
    identity.update(content or b"")


def _content(path: Path | str) -> bytes | None:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a thousand times a plan
            return file.readall()
    except FileNotFoundError:
        return None


def _load(record: Path) -> dict[str, tuple[str, _Known]]:
    try:
        entries = unsealed(record.read_bytes())["keys"]
        return {
            entry: (identity, tuple((platform, key, base) for platform, key, base in known))
            for entry, (identity, known) in entries.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}
