"""Locking runs Poetry's resolver on pip's indexes and changes nothing when it fails."""

from __future__ import annotations

import os
import tomllib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.errors import EggcrateError, LockError
from eggcrate.packages.pip_config import PipConfig, read_pip_config
from eggcrate.packages.relock import (
    Change,
    Locker,
    LockOutcome,
    _without_hosts,
    lock_project,
    lock_projects,
    locker,
)
from eggcrate.packages.relock_errors import clean
from eggcrate.packages.relock_scratch import scratch_project
from support.package_index import PackageIndex, package_index
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def index(tmp_path: Path) -> Iterator[PackageIndex]:
    """``alpha`` 1 and 2, both of which need ``beta``."""
    with package_index(credentials="me:secret") as index:
        for version in ("1.0", "2.0"):
            folder = tmp_path / "wheels"
            index.add(make_wheel(folder, "alpha", version, requires=["beta>=1"]))
        index.add(make_wheel(tmp_path / "wheels", "beta", "1.0"))
        yield index


@contextmanager
def locking(
    tmp_path: Path, *urls: str, links: tuple[str, ...] = (), **env: str
) -> Iterator[Locker]:
    config = PipConfig(index_url=urls[0], extra_index_urls=urls[1:], find_links=links)
    with locker(config, cache=tmp_path / "cache", environment=dict(os.environ) | env) as it:
        yield it


def project(folder: Path, *dependencies: str, head: str = "", python: str = ">=3.11,<3.12") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(
        f"[project]\n{head}requires-python = '{python}'\ndependencies = {list(dependencies)}\n"
        "[tool.poetry]\npackage-mode = false\n"
    )
    return folder


def locked(folder: Path) -> dict[str, Any]:
    packages = tomllib.loads((folder / "poetry.lock").read_text())["package"]
    return {package["name"]: package for package in packages}


def test_pins_stay_until_asked(tmp_path: Path, index: PackageIndex) -> None:
    """A first lock, a lock that moves nothing, one that moves a package, one that moves all."""
    folder = project(tmp_path / "env", "alpha<2")
    with locking(tmp_path, index.url) as it:
        first = lock_project(folder, locker=it)
        assert first.changes == (
            Change(package="alpha", after="1.0"),
            Change(package="beta", after="1.0"),
        )
        assert first.written
        assert "source" not in locked(folder)["alpha"]
        assert "127.0.0.1" not in (folder / "poetry.lock").read_text()

        again = lock_project(folder, locker=it)
        assert (again.changes, again.written) == ((), False)

    index.add(make_wheel(tmp_path / "wheels", "beta", "3.0"))
    project(folder, "alpha")
    with locking(tmp_path, index.url) as it:
        kept = lock_project(folder, locker=it)
        assert kept.changes == ()
        assert kept.written
        dry = lock_project(folder, locker=it, upgrade=("alpha",), dry_run=True)
        assert dry.changes == (Change(package="alpha", before="1.0", after="2.0"),)
        assert locked(folder)["alpha"]["version"] == "1.0"
        assert lock_project(folder, locker=it, upgrade=("alpha",)).changes == dry.changes
        everything = lock_project(folder, locker=it, upgrade="all")
        assert everything.changes == (Change(package="beta", before="1.0", after="3.0"),)


def test_foreign_python_needs_no_interpreter(tmp_path: Path, index: PackageIndex) -> None:
    """A project for a Python that no machine has yet can be locked, and nothing is installed."""
    folder = project(tmp_path / "env", "alpha", python=">=3.97,<3.98")
    with locking(tmp_path, index.url) as it:
        lock_project(folder, locker=it)
    assert locked(folder).keys() == {"alpha", "beta"}
    assert not list((tmp_path / "cache").rglob("virtualenvs"))


@pytest.mark.parametrize("head", ["", "name = 'alpha'\n"])
def test_any_name_or_none(tmp_path: Path, index: PackageIndex, head: str) -> None:
    """A project without a name, or named as a package it needs, is locked like any other."""
    folder = project(tmp_path / "alpha", "alpha", head=head)
    with locking(tmp_path, index.url) as it:
        lock_project(folder, locker=it)
    assert locked(folder)["alpha"]["version"] == "2.0"


def test_path_dependencies(tmp_path: Path, index: PackageIndex) -> None:
    """Folders beside and inside the project are locked with paths as seen from it."""
    for place in (tmp_path / "envs" / "shared", tmp_path / "envs" / "env" / "inner"):
        place.mkdir(parents=True)
        (place / "pyproject.toml").write_text(
            f"[project]\nname = '{place.name}'\nversion = '1.0'\ndependencies = ['beta']\n"
            "[build-system]\nrequires = ['poetry-core']\n"
            "build-backend = 'poetry.core.masonry.api'\n"
        )
    folder = project(tmp_path / "envs" / "env")
    with (folder / "pyproject.toml").open("a") as file:
        file.write("[tool.poetry.dependencies]\nshared = {path = '../shared'}\n")
        file.write("inner = {path = 'inner'}\n")
    with locking(tmp_path, index.url) as it:
        lock_project(folder, locker=it)
    packages = locked(folder)
    assert packages["shared"]["source"] == {"type": "directory", "url": "../shared"}
    assert packages["inner"]["source"] == {"type": "directory", "url": "inner"}
    assert packages["beta"]["version"] == "1.0"
    assert sorted(path.name for path in (tmp_path / "envs").iterdir()) == ["env", "shared"]


def test_failures_change_nothing_and_explain(tmp_path: Path, index: PackageIndex) -> None:
    """Each failure is told in the resolver's words with advice; the others are locked."""
    project(tmp_path / "envs" / "good", "alpha")
    with locking(tmp_path, index.url) as it:
        lock_project(tmp_path / "envs" / "good", locker=it)
        index.add(make_wheel(tmp_path / "wheels", "gamma", requires=["beta<1"]))
        folders = [
            project(tmp_path / "envs" / "typo", "alpah"),
            project(tmp_path / "envs" / "impossible", "gamma", "beta>=1"),
            project(tmp_path / "envs" / "future", "alpha>=7"),
            tmp_path / "envs" / "good",
        ]
        before = (folders[1] / "pyproject.toml").read_bytes()
        (folders[1] / "poetry.lock").write_text("")
        results = lock_projects(folders, locker=it)
    typo, impossible, future, good = (results[folder] for folder in folders)
    assert isinstance(typo, LockError)
    assert "did you mean alpha?" in typo.hint
    assert isinstance(impossible, LockError)
    assert "beta (<1)" in impossible.why
    assert isinstance(future, LockError)
    assert "1.0, 2.0" in future.hint
    assert isinstance(good, LockOutcome)
    assert not (folders[0] / "poetry.lock").exists()
    assert (folders[1] / "poetry.lock").read_text() == ""
    assert (folders[1] / "pyproject.toml").read_bytes() == before
    assert "\x1b" not in str(impossible)


def test_unreadable_index_is_named(tmp_path: Path, index: PackageIndex) -> None:
    """Wrong credentials are told as such, not as a package that does not exist."""
    folder = project(tmp_path / "env", "alpha")
    with (
        locking(tmp_path, index.url.replace("secret", "guess")) as it,
        pytest.raises(EggcrateError, match="credentials are missing, wrong") as caught,
    ):
        lock_project(folder, locker=it)
    assert "guess" not in str(caught.value)


def test_local_sources_only_on_request(tmp_path: Path, index: PackageIndex) -> None:
    """A wheel that only this machine holds gets into a lock only when asked for."""
    make_wheel(tmp_path / "links", "alpha", "9.0")
    links = ((tmp_path / "links").as_uri(),)
    folder = project(tmp_path / "env", "alpha")
    with locking(tmp_path, index.url, links=links) as it:
        lock_project(folder, locker=it)
    assert locked(folder)["alpha"]["version"] == "2.0"
    with locking(tmp_path, index.url, links=links, EGGCRATE_LOCK_LOCAL_INDEXES="1") as it:
        lock_project(folder, locker=it, upgrade="all")
    assert locked(folder)["alpha"]["version"] == "9.0"


def test_merge_conflict(tmp_path: Path, index: PackageIndex) -> None:
    """A lock with conflict markers is an error that says how to go on; --upgrade goes on."""
    folder = project(tmp_path / "env", "alpha")
    (folder / "poetry.lock").write_text("<<<<<<< ours\n=======\n>>>>>>> theirs\n")
    with locking(tmp_path, index.url) as it:
        with pytest.raises(LockError, match="merge conflict"):
            lock_project(folder, locker=it)
        lock_project(folder, locker=it, upgrade="all")
    assert locked(folder)["alpha"]["version"] == "2.0"


def test_scratch_leaves_nothing(tmp_path: Path) -> None:
    """The copy is gone after an error, and what a killed run left is replaced."""
    folder = project(tmp_path / "envs" / "env", "other @ file:../other")
    (tmp_path / "envs" / ".env.locking").mkdir()
    (tmp_path / "envs" / ".env.locking" / "old").touch()

    def fail() -> None:
        with scratch_project(folder, cache=tmp_path) as scratch:
            assert not (scratch.path / "old").exists()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [path.name for path in (tmp_path / "envs").iterdir()] == ["env"]


def test_clean() -> None:
    """Colours, progress lines and repetition are dropped; the words stay."""
    text = "Resolving dependencies...\r\n\x1b[31mBecause a\x1b[0m\nBecause a\n\n\nso b\n"
    assert clean(text) == "Because a\n\nso b"


@pytest.mark.network
def test_real_index(tmp_path: Path) -> None:
    """scikit-learn for Python 3.13 is locked from pip's own index, naming no source."""
    folder = project(tmp_path / "env", "scikit-learn~=1.7.0", python=">=3.13,<3.14")
    with locker(read_pip_config(), cache=tmp_path / "cache") as it:
        outcome = lock_project(folder, locker=it)
    packages = locked(folder)
    assert {"numpy", "scipy", "joblib", "threadpoolctl"} < packages.keys()
    assert outcome.written
    assert not any("source" in package for package in packages.values())


def test_no_lock_names_an_index() -> None:
    """Some packages' descriptions hold the name of a public index; locks name no host."""
    config = PipConfig(index_url="https://user:word@index.example:8443/simple")
    text = (
        b'[[package]]\nname = "x"\ndescription = "Classifiers of index.example (index.example)."\n'
        b'[package.source]\nurl = "https://index.example/simple"\n'
    )
    told = _without_hosts(text, config)
    assert b"Classifiers of the package index (the package index)." in told
    assert b'url = "https://index.example/simple"' in told
