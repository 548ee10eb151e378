"""``poetry.lock`` from ``pyproject.toml``: Poetry's resolver on pip's indexes."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from eggcrate.errors import ConfigError, EggcrateError, LockError
from eggcrate.files import atomic_write, exclusive
from eggcrate.packages import relock_errors
from eggcrate.packages.changes import Change, compare
from eggcrate.packages.indexes import Indexes, shared_sources
from eggcrate.packages.loopback_index import loopback_index
from eggcrate.packages.poetry_process import Poetry
from eggcrate.packages.relock_scratch import scratch_project
from eggcrate.parsing import toml_of
from eggcrate.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from eggcrate.packages.loopback_index import LoopbackIndex
    from eggcrate.packages.pip_config import PipConfig
    from eggcrate.progress import Progress

LOCAL_INDEXES_VARIABLE = "EGGCRATE_LOCK_LOCAL_INDEXES"

Upgrade = Literal["all"] | tuple[str, ...] | None
"""Which pins may move: all, those of some packages, or (``None``) only those that must."""


@dataclass(frozen=True, kw_only=True)
class LockOutcome:
    """What locking one project did."""

    folder: Path
    changes: tuple[Change, ...]
    written: bool
    """Whether ``poetry.lock`` has other bytes now (or would have, in a dry run)."""
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """A lock that satisfies a project, not written yet."""

    lock: bytes
    versions: Mapping[str, str]
    """Name to version of all that it holds; several versions stand with commas."""


@dataclass(frozen=True, kw_only=True)
class Locker:
    """All that locking several projects shares; made by :func:`locker`."""

    cache: Path
    index: LoopbackIndex
    config: PipConfig
    poetry: Poetry


@contextlib.contextmanager
def locker(
    config: PipConfig,
    *,
    cache: Path,
    progress: Progress | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Locker]:
    """Serve pip's indexes on loopback for the length of the block.

    What only this machine holds (``file:`` indexes and links) is left out, because a lock is
    shared; ``EGGCRATE_LOCK_LOCAL_INDEXES=1`` includes it.

    Raises:
        ConfigError: Poetry is not installed.
    """
    if not all(importlib.util.find_spec(name) for name in ("poetry", "poetry_plugin_pypi_mirror")):
        raise ConfigError(
            "locking needs Poetry, which is not installed",
            hint="run `make setup`, or `pip install 'eggcrate[lock]'`",
        )
    env = dict(os.environ if environment is None else environment)
    include_local = env.get(LOCAL_INDEXES_VARIABLE, "") not in ("", "0")
    with Indexes(config) as indexes:
        sources = shared_sources(indexes, include_local=include_local)
        left_out = len(indexes.sources) - len(sources)
        if left_out and progress:
            progress.info(
                f"{left_out} package source(s) that only this machine holds are left out of "
                f"locks ({LOCAL_INDEXES_VARIABLE}=1 includes them)"
            )
        # Poetry remembers what a version requires and which files it has: only true of
        # the same sources.
        view = hashlib.sha256("\n".join(source.url for source in sources).encode()).hexdigest()
        with loopback_index(indexes, sources) as index:
            poetry = Poetry(
                environment=_environment(
                    env, index.url, cache / "poetry" / view[:16], config.cert or ""
                )
            )
            try:
                yield Locker(cache=cache, index=index, config=config, poetry=poetry)
            finally:
                poetry.close()


def lock_project(
    folder: Path,
    *,
    locker: Locker,
    upgrade: Upgrade = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> LockOutcome:
    """Resolve a project's dependencies and write its ``poetry.lock``, when that succeeds.

    Args:
        folder: of its ``pyproject.toml``.
        locker: from :func:`locker`.
        upgrade: which pins may move.
        dry_run: resolve and compare, but write nothing.
        progress: where to report to.

    Raises:
        LockError: nothing satisfies the requirements, in the resolver's own words.
        PackageIndexError: an index could not be read.
    """
    start = time.monotonic()
    (progress or Silent()).status(f"locking {folder.name} …")
    pyproject, lock = folder / "pyproject.toml", folder / "poetry.lock"
    if not pyproject.is_file():
        raise LockError(f"{folder} cannot be locked", why="it has no pyproject.toml")
    with locked_folder(folder, locker):
        before = read_pins(lock, keep=upgrade != "all")
        asked = pyproject.read_bytes()
        found = resolve_project(
            folder,
            locker=locker,
            upgrade=upgrade if before else None,
            lock=lock.read_bytes() if before else None,
        )
        if pyproject.read_bytes() != asked:
            raise LockError(
                f"{pyproject} was changed while it was being locked",
                hint="run it again; poetry.lock was left as it was",
            )
        written = not lock.is_file() or lock.read_bytes() != found.lock
        if written and not dry_run:
            atomic_write(lock, found.lock)
    return LockOutcome(
        folder=folder,
        changes=compare(before, found.versions),
        written=written,
        seconds=time.monotonic() - start,
    )


@contextlib.contextmanager
def locked_folder(folder: Path, locker: Locker) -> Iterator[None]:
    """Keep other processes from locking the same project."""
    mark = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    with exclusive(locker.cache / "locking" / mark):
        yield


def resolve_project(
    folder: Path,
    *,
    locker: Locker,
    upgrade: Upgrade = None,
    pyproject: str | None = None,
    lock: bytes | None = None,
) -> Resolution:
    """Resolve a project's dependencies, and write nothing.

    Args:
        folder: of its ``pyproject.toml``.
        locker: from :func:`locker`.
        upgrade: which pins of ``lock`` may move.
        pyproject: what it would ask for; what it asks for now by default.
        lock: a lock whose pins are kept where they can be; without one everything is new.

    Raises:
        LockError: nothing satisfies the requirements, in the resolver's own words.
        PackageIndexError: an index could not be read.
    """
    with scratch_project(folder, cache=locker.cache, pyproject=pyproject, lock=lock) as scratch:
        _resolve(folder, scratch.path, upgrade=upgrade, locker=locker)
        text = _without_hosts(scratch.lock_text(), locker.config)
    return Resolution(lock=text, versions=locked_versions(text))


def for_pyproject(folder: Path, lock: bytes, pyproject: str, *, locker: Locker) -> bytes:
    """A lock as Poetry would write it for another ``pyproject.toml`` that its pins satisfy.

    It differs in the ``content-hash`` alone, by which Poetry tells whether a lock is stale.
    """
    with scratch_project(folder, cache=locker.cache, pyproject=pyproject, lock=lock) as scratch:
        told = locker.poetry.run(scratch.path, ["content-hash"])
    if told.returncode != 0:
        raise LockError(
            f"{folder} cannot be locked",
            why=relock_errors.clean(told.stderr.decode("utf-8", "replace")),
        )
    line = f'content-hash = "{told.text.strip()}"'.encode()
    return re.sub(rb'^content-hash = "[0-9a-f]*"', line, lock, count=1, flags=re.MULTILINE)


def lock_projects(
    folders: Sequence[Path],
    *,
    locker: Locker,
    upgrade: Upgrade = None,
    dry_run: bool = False,
    progress: Progress | None = None,
    jobs: int = 0,
) -> dict[Path, LockOutcome | EggcrateError]:
    """Lock several projects at once; one that fails does not stop the others.

    Args:
        folders: of the projects.
        locker: from :func:`locker`.
        upgrade: which pins may move.
        dry_run: resolve and compare, but write nothing.
        progress: where to report to.
        jobs: how many at once; as many as there are processors by default, four at most.
    """
    report = progress or Silent()

    def one(folder: Path) -> LockOutcome | EggcrateError:
        try:
            outcome = lock_project(
                folder, locker=locker, upgrade=upgrade, dry_run=dry_run, progress=report
            )
        except EggcrateError as error:
            return error
        report.info(f"locked {folder.name} in {outcome.seconds:.1f} s")
        return outcome

    with ThreadPoolExecutor(max_workers=jobs or min(4, os.cpu_count() or 1)) as pool:
        return dict(zip(folders, pool.map(one, folders), strict=True))


def _resolve(folder: Path, scratch: Path, *, upgrade: Upgrade, locker: Locker) -> None:
    arguments = ["lock"]
    if upgrade == "all":
        arguments += ["--regenerate"]
    elif upgrade:
        arguments = ["update", "--lock", *upgrade]
    done = locker.poetry.run(scratch, [*arguments, "--no-interaction", "--no-ansi"])
    if done.returncode != 0:
        text = (done.stdout + b"\n" + done.stderr).decode("utf-8", "replace")
        raise relock_errors.explain(folder, text, index=locker.index)


def _environment(
    environment: Mapping[str, str], index: str, cache: Path, certificate: str
) -> dict[str, str]:
    env = dict(environment)
    for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONWARNINGS"):
        env.pop(name, None)
    bypass = ",".join(filter(None, (env.get("no_proxy") or env.get("NO_PROXY"), "127.0.0.1")))
    env |= {
        "POETRY_PYPI_MIRROR_URL": index,
        "POETRY_CACHE_DIR": str(cache),
        "POETRY_VIRTUALENVS_CREATE": "false",
        "POETRY_NO_INTERACTION": "1",
        "no_proxy": bypass,
        "NO_PROXY": bypass,
    }
    env.setdefault("POETRY_KEYRING_ENABLED", "false")
    if certificate:
        env.setdefault("REQUESTS_CA_BUNDLE", certificate)
    return env


def _without_hosts(text: bytes, config: PipConfig) -> bytes:
    """The lock without the names of indexes, which some packages' descriptions hold.

    A lock names no host: whoever reads it has indexes of their own. Nothing reads descriptions.
    """
    hosts = {(urlsplit(url).hostname or "").encode() for url in config.index_urls} - {b""}

    def cleaned(line: re.Match[bytes]) -> bytes:
        told = line.group()
        for host in hosts:
            told = told.replace(host, b"the package index")
        return told

    return re.sub(rb"^description = .*$", cleaned, text, flags=re.MULTILINE)


def read_pins(lock: Path, *, keep: bool = True) -> dict[str, str]:
    """The versions locked until now, see :func:`locked_versions`; none when there is no lock.

    Raises:
        LockError: it cannot be read, and its pins are to be kept.
    """
    try:
        return locked_versions(lock.read_bytes())
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        if not keep:
            return {}
        conflict = b"<<<<<<<" in lock.read_bytes()
        raise LockError(
            f"{lock} cannot be read, so its pins cannot be kept",
            why="it has merge conflict markers" if conflict else str(error),
            hint=f"run: eggcrate lock --resolve {lock.parent.name}"
            if conflict
            else "`eggcrate lock --upgrade` makes it anew",
        ) from error


def locked_versions(lock: bytes) -> dict[str, str]:
    """Name to version of all that a lock holds; several versions stand with commas."""
    found: dict[str, set[str]] = {}
    for package in toml_of(lock.decode()).get("package", []):
        found.setdefault(package["name"], set()).add(package["version"])
    return {name: ", ".join(sorted(versions)) for name, versions in found.items()}
