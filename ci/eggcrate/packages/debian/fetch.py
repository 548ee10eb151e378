"""Locked Debian packages from the mirrors into the user's cache, where their hash names them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from eggcrate.errors import BaseError, PackageIndexError
from eggcrate.files import sha256_file
from eggcrate.packages.debian.archive import SignedArchives
from eggcrate.packages.debian.http import GoneError, client, fetch_file
from eggcrate.packages.debian.mirror import configured_mirrors
from eggcrate.packages.debian.values import BaseLock, FetchedDeb, FetchedDebs, LockedDeb
from eggcrate.packages.debian.versions import version_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from eggcrate.packages.debian.archive import Archive
    from eggcrate.packages.debian.mirror import Mirrors
    from eggcrate.progress import Progress

_CONNECTIONS = 6
_HINT = "run: eggcrate lock --bases"


def fetch_debs(
    debs: Sequence[LockedDeb],
    *,
    lock: BaseLock,
    cache: Path,
    locked: bool,
    progress: Progress,
    mirrors: Mirrors | None = None,
    keys: bytes | None = None,
) -> FetchedDebs:
    """Have these packages on this machine, hashes checked; only what is missing is downloaded.

    Debian keeps only the newest version of a package on its mirrors, so that a pinned one can
    be gone. Then its successor is taken from the signed index, with a warning, and so are the
    successors of all others that have left the index, since they belong together.

    Args:
        debs: what to fetch, of one platform.
        lock: where they are locked: names the suite, and the releases seen then.
        cache: the user's cache.
        locked: refuse successors.
        progress: told what is fetched, and warned about successors.
        mirrors: where to read; by default those configured on this machine.
        keys: an OpenPGP keyring to trust in place of Debian's own keys.

    Raises:
        BaseError: a package is gone and ``locked`` is set, or it has no usable successor.
        PackageIndexError: no mirror answers.
        IntegrityError: a mirror sends other bytes than the hash names.
        ConfigError: something is missing and there is no mirror.
    """
    gone = _fetch_missing(debs, cache=cache, progress=progress, mirrors=mirrors)
    if not gone:
        pinned = (FetchedDeb(deb=deb, file=deb_path(deb, cache)) for deb in debs)
        return FetchedDebs(debs=tuple(pinned))
    if locked:
        names = ", ".join(f"{deb.name} {deb.version}" for deb in gone)
        raise BaseError(
            f"base {lock.base} pins Debian packages that have left the mirror: {names}",
            why="Debian keeps only the newest version of a package on its mirrors",
            hint=_HINT,
        )
    archives = SignedArchives(
        mirrors or configured_mirrors(),
        cache=cache,
        progress=progress,
        seen=lock.releases,
        keys=keys,
    )
    archive = archives(lock.suite, _architecture(debs))
    replaced = {deb: new for deb in debs if (new := _successor(deb, archive, gone=deb in gone))}
    chosen = [replaced.get(deb, deb) for deb in debs]
    _check_together(chosen, archive, base=lock.base)
    if lost := _fetch_missing(chosen, cache=cache, progress=progress, mirrors=mirrors):
        raise _incomplete(lost[0])
    for old, new in replaced.items():
        progress.warn(
            f"{old.name} {old.version} has left the Debian mirror; base {lock.base} is made with "
            f"its successor {new.version} (to pin it, {_HINT})"
        )
    return FetchedDebs(
        debs=tuple(
            FetchedDeb(
                deb=new, file=deb_path(new, cache), replaces=old if old in replaced else None
            )
            for old, new in zip(debs, chosen, strict=True)
        )
    )


def deb_path(deb: LockedDeb, cache: Path) -> Path:
    """Where the cache keeps a package."""
    return cache / "debs" / deb.sha256


def _fetch_missing(
    debs: Sequence[LockedDeb], *, cache: Path, progress: Progress, mirrors: Mirrors | None
) -> list[LockedDeb]:
    """Download what the cache does not hold; the answer is what no mirror has."""
    missing = [deb for deb in debs if not _is_cached(deb, cache)]
    if not missing:
        return []
    mirrors = mirrors or configured_mirrors()
    done = 0
    count = threading.Lock()

    def fetch(deb: LockedDeb) -> LockedDeb | None:
        nonlocal done
        try:
            fetch_file(
                http,
                mirrors.files(deb.path),
                deb_path(deb, cache),
                sha256=deb.sha256,
                size=deb.size,
            )
        except GoneError:
            return deb
        with count:
            done += 1
            progress.status(f"Debian packages: {done} of {len(missing)} … {deb.name}")
        return None

    with client() as http, ThreadPoolExecutor(_CONNECTIONS) as pool:
        try:
            return [deb for deb in pool.map(fetch, missing) if deb]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _is_cached(deb: LockedDeb, cache: Path) -> bool:
    path = deb_path(deb, cache)
    try:
        return path.stat().st_size == deb.size and sha256_file(path) == deb.sha256
    except FileNotFoundError:
        return False


def _architecture(debs: Iterable[LockedDeb]) -> str:
    """The one architecture of packages that are not for all; any will do when all are."""
    return next((deb.architecture for deb in debs if deb.architecture != "all"), "amd64")


def _successor(deb: LockedDeb, archive: Archive, *, gone: bool) -> LockedDeb | None:
    """What stands in for a package that has left the index; nothing when it has not."""
    if archive.find(deb):
        if gone:
            raise _incomplete(deb)
        return None
    package = archive.successor(deb)
    if package is None:
        raise BaseError(
            f"Debian no longer has a package {deb.name}",
            hint=f"name another one in base.toml, then {_HINT}",
        )
    if version_key(package.deb.version) < version_key(deb.version):
        raise BaseError(
            f"the Debian mirror has {deb.name} {package.deb.version} only, older than the "
            f"{deb.version} that is locked",
            hint="the mirror is behind: try again later, or use another mirror",
        )
    return package.deb


def _incomplete(deb: LockedDeb) -> PackageIndexError:
    return PackageIndexError(
        f"the Debian mirror lists {deb.name} {deb.version} and does not have it",
        why="it may be in the middle of an update",
        hint="try again in some minutes, or use another mirror",
    )


def _check_together(debs: Sequence[LockedDeb], archive: Archive, *, base: str) -> None:
    """Refuse a mixture of pinned packages and successors that do not go together."""
    versions = {deb.name: deb.version for deb in debs}
    for deb in debs:
        package = archive.find(deb)
        for group in package.depends if package else ():
            here = [relation for relation in group if relation.name in versions]
            if here and not any(relation.allows(versions[relation.name]) for relation in here):
                raise BaseError(
                    f"base {base}: {deb.name} {deb.version} does not go with "
                    f"{here[0].name} {versions[here[0].name]}",
                    why="a pinned package has left the mirror, and its successor needs more",
                    hint=_HINT,
                )
