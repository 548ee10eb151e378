"""Keys are remembered by content: what is remembered is never stale, whatever happens to it."""

from __future__ import annotations

import json
import os
import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.build import keys
from eggcrate.build.keys import Keyed, find_keys
from eggcrate.files import sealed
from eggcrate.repo.monorepo import read_monorepo
from support.planning import package
from support.repository import make_repository

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from eggcrate.errors import EggcrateError
    from support.repository import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Two environments."""
    made = make_repository(tmp_path / "repo", tmp_path / "cache")
    made.environment("one", (package("pandas", "2.2"), package("six")))
    made.environment("two", (package("six"),))
    return made


def find(
    repository: Repository, *platforms: str, cache: Path | None = None
) -> tuple[list[Keyed], dict[str, EggcrateError]]:
    monorepo = read_monorepo(repository.root)
    cache = cache or repository.cache
    return find_keys(monorepo, monorepo.environment_folders, platforms, cache=cache)


def known(repository: Repository, **options: Any) -> dict[str, str]:
    """Keys by name, after each was proven right by resolving everything anew."""
    found, failed = find(repository, **options)
    fresh, _ = find(repository, cache=repository.root / "no-cache" / os.urandom(8).hex())
    assert not failed
    assert [(one.environment, one.key, one.base) for one in found] == [
        (one.environment, one.key, one.base) for one in fresh
    ]
    assert all(one.resolved.recipe.key == one.key for one in found)
    return {one.environment: one.key for one in found}


def record(repository: Repository) -> Path:
    (path,) = (repository.cache / "keys").iterdir()
    return path


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of environments that were read, since what is remembered did not do."""
    names: list[str] = []
    original = keys._resolve

    def noticed(monorepo: Any, name: str, *rest: Any) -> Any:
        names.append(name)
        return original(monorepo, name, *rest)

    monkeypatch.setattr(keys, "_resolve", noticed)
    return names


def test_nothing_is_read_twice(repository: Repository, unread: list[str]) -> None:
    """The second time no environment is, until something about it is asked for."""
    first, _ = find(repository)
    assert unread == ["one", "two"]
    second, _ = find(repository)
    assert unread == ["one", "two"]
    assert second == first
    assert second[1].resolved.recipe.key == first[1].key
    assert unread == ["one", "two", "two"]


def test_an_edit_that_keeps_size_and_time_is_noticed(repository: Repository) -> None:
    """Contents are compared, not what the file system says of them."""
    before = known(repository)
    lock = repository.root / "environments" / "one" / "poetry.lock"
    stat = lock.stat()
    text = lock.read_text()
    changed = text.replace("sha256:202", "sha256:303", 1)
    assert changed != text
    with lock.open("r+") as file:
        file.write(changed)
    os.utime(lock, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (lock.stat().st_size, lock.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    after = known(repository)
    assert after["one"] != before["one"]
    assert after["two"] == before["two"]


def _base_lock(root: Path) -> None:
    path = root / "bases" / "python-3.11" / "base.lock"
    text = path.read_text()
    start = text.index('sha256 = "') + len('sha256 = "')
    path.write_text(text[:start] + "0" * 64 + text[start + 64 :])


def _project(root: Path) -> None:
    path = root / "environments" / "one" / "pyproject.toml"
    path.write_text(path.read_text().replace("[tool.eggcrate]", '[tool.eggcrate]\nowner = "x"'))


def _dockerfile(root: Path) -> None:
    (root / "environments" / "one" / "Dockerfile").write_text("FROM scratch\n")


@pytest.mark.parametrize("edit", [_base_lock, _project, _dockerfile])
def test_every_input_counts(repository: Repository, edit: Callable[[Path], None]) -> None:
    """The base under it, its own settings, a Dockerfile; and the way back."""
    before = known(repository)
    copy = repository.root.with_name("copy")
    shutil.copytree(repository.root, copy, ignore=shutil.ignore_patterns("no-cache"))
    edit(repository.root)
    assert known(repository)["one"] != before["one"]
    for name in ("bases", "environments"):
        shutil.rmtree(repository.root / name)
        shutil.copytree(copy / name, repository.root / name)
    assert known(repository) == before


def test_a_dockerfile_is_read_every_time(repository: Repository) -> None:
    """It may name files that no list of ours knows."""
    folder = repository.root / "environments" / "one"
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY data /data\n")
    (folder / "data").write_text("1")
    before = known(repository)
    (folder / "data").write_text("2")
    assert known(repository)["one"] != before["one"]


def test_a_change_of_our_own_rules_counts(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, unread: list[str], tmp_path: Path
) -> None:
    """Another Eggcrate on the same cache decides for itself."""
    find(repository)
    for room in keys._ROOMS:
        (tmp_path / "other" / room).mkdir(parents=True)
    (tmp_path / "other" / "build" / "recipe.py").write_text("RECIPE_VERSION = 99")
    monkeypatch.setattr(keys, "_OWN", tmp_path / "other")
    find(repository)
    assert unread == ["one", "two", "one", "two"]


def test_a_removed_environment_is_forgotten(repository: Repository) -> None:
    """It is not planned, and its entry goes when there is something to write."""
    known(repository)
    shutil.rmtree(repository.root / "environments" / "two")
    repository.environment("three", ())
    assert known(repository).keys() == {"one", "three"}
    assert json.loads(record(repository).read_text())["keys"].keys() == {"one", "three"}


def test_one_environment_asked_for_keeps_what_is_known_of_others(
    repository: Repository, unread: list[str]
) -> None:
    """So do other platforms."""
    find(repository)
    monorepo = read_monorepo(repository.root)
    repository.environment("two", (package("six", "2.0"),))
    find_keys(monorepo, ["two"], cache=repository.cache)
    found, _ = find(repository, "linux/arm64")
    assert {one.platform for one in found} == {"linux/arm64"}
    del unread[:]
    find(repository)
    find(repository, "linux/arm64")
    assert unread == []


def test_a_damaged_memory_is_made_again(repository: Repository) -> None:
    """Cut off, altered, of another shape or no JSON: it is as if it were not there."""
    before = known(repository)
    path = record(repository)
    good = path.read_text()
    key = before["one"]
    altered = good.replace(key, "0" * 64)
    shapes = [sealed({"keys": value}) for value in (None, [1], {"one": 1}, {"one": ["x", [1]]})]
    for bad in ("", good[:-9], altered, "{}x", "\0" * 9, sealed({"other": 1}), *shapes):
        path.write_text(bad)
        assert known(repository) == before
        assert json.loads(path.read_text()) == json.loads(good)


def test_errors_are_never_remembered(repository: Repository) -> None:
    """A lock that was stale is looked at again, and a base that cannot be read is told again."""
    repository.environment("one", (package("six"),), wanted=["six", "missing"])
    for _ in range(2):
        found, failed = find(repository)
        assert ([one.environment for one in found], list(failed)) == (["two"], ["one"])
    repository.environment("one", (package("six"),))
    assert known(repository).keys() == {"one", "two"}
    (repository.root / "bases" / "python-3.13" / "base.toml").write_text("suite = 3\n")
    for _ in range(2):
        told: list[str] = []
        monorepo = read_monorepo(repository.root, warn=told.append)
        find_keys(monorepo, monorepo.environment_folders, cache=repository.cache)
        assert "python-3.13" in told[0]


def test_what_is_edited_while_it_is_read_is_not_remembered(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, unread: list[str]
) -> None:
    """The answer may be of either content: the next plan looks again."""
    before = known(repository)
    repository.environment("one", (package("pandas", "3.0"),))
    original = keys._resolve

    def edited(monorepo: Any, name: str, *rest: Any) -> Any:
        repository.environment("one", (package("pandas", "2.2"), package("six")))
        return original(monorepo, name, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(keys, "_resolve", edited)
        find(repository)
    repository.environment("one", (package("pandas", "3.0"),))
    assert known(repository)["one"] != before["one"]


def test_plans_at_once_are_all_right(repository: Repository) -> None:
    """Whoever writes last, what is remembered afterwards is whole and right."""
    before = known(repository)
    shutil.rmtree(repository.cache)
    found: list[dict[str, str]] = []

    def plan() -> None:
        for _ in range(3):
            keyed, _ = find(repository)
            found.append({one.environment: one.key for one in keyed})

    threads = [threading.Thread(target=plan) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [before] * 12
    assert known(repository) == before


def test_a_cache_that_cannot_be_written_is_no_trouble(repository: Repository) -> None:
    """Every plan looks at everything then."""
    before = known(repository)
    shutil.rmtree(repository.cache)
    repository.cache.write_text("a file where a folder should be")
    assert known(repository) == before
