"""What is wrong with an environment is told for that environment, before any work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eggcrate.build.resolve import resolve_all
from eggcrate.packages.target import Platform
from eggcrate.repo.monorepo import read_monorepo
from support.broken import break_all
from support.repository import Package, Repository, make_repository, packages
from support.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.build.resolve import Resolved
    from eggcrate.errors import EggcrateError

AMD64 = Platform.parse("linux/amd64")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return make_repository(tmp_path / "repo", tmp_path / "cache", links=tmp_path / "links")


def _resolve(repository: Repository) -> tuple[dict[str, Resolved], dict[str, EggcrateError]]:
    monorepo = read_monorepo(repository.root)
    assert not monorepo.broken
    resolved, failed = resolve_all(monorepo.environments, monorepo.bases)
    return {item.recipe.environment: item for item in resolved}, failed


def test_each_fault_is_told_by_name(repository: Repository, tmp_path: Path) -> None:
    """Its own error class, what is wrong, and what to do next; the good one is resolved."""
    expected = break_all(repository, tmp_path / "links")
    resolved, failed = _resolve(repository)
    assert list(resolved) == ["good"]
    assert failed.keys() == expected.keys()
    for name, (kind, text) in expected.items():
        error = failed[name]
        assert type(error) is kind, (name, error)
        assert text in str(error), (name, error)
        assert error.hint, name
        assert name in str(error) or name in {"git", "no-wheel", "glibc", "arm"}


def test_a_key_is_what_is_meant(repository: Repository, tmp_path: Path) -> None:
    """The name, the base, packages, compile, overlaps and what an image says of itself count."""
    good = packages(make_wheel(tmp_path / "links", "good"))
    other = packages(make_wheel(tmp_path / "links", "good", files={"good.py": "other"}))

    def key(locked: tuple[Package, ...], settings: str) -> str:
        repository.environment("env", locked, settings=settings)
        return _resolve(repository)[0]["env"].recipe.key

    plain = key(good, 'base = "python-3.11"')
    assert key(good, 'base = "python-3.11"\nplatforms = ["linux/amd64"]') == plain
    changed = [
        key(good, 'base = "python-3.11"\nowner = "me"'),
        key(good, 'base = "python-3.11"\nsupported-until = 2027-01-01'),
        key(other, 'base = "python-3.11"'),
        key(good, 'base = "python-3.13"'),
        key(good, 'base = "python-3.11-debug"'),
        key(good, 'base = "python-3.11"\ncompile = false'),
        key(good, 'base = "python-3.11"\nallow-overlap = ["bin/*"]'),
        key(good, 'base = "python-3.11"\nplatforms = ["linux/arm64"]'),
    ]
    assert len({plain, *changed}) == len(changed) + 1


def test_a_key_holds_what_sdists_are_built_with(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New build backends mean new images of environments with sdists, and of no others."""
    links = tmp_path / "links"
    repository.environment("wheels", packages(make_wheel(links, "good")))
    repository.environment("sdists", packages(make_sdist(links, "source")))
    before, _ = _resolve(repository)
    monkeypatch.setattr("eggcrate.build.resolve.SDIST_VERSION", 99)
    after, _ = _resolve(repository)
    assert after["wheels"].recipe.key == before["wheels"].recipe.key
    assert after["sdists"].recipe.key != before["sdists"].recipe.key


def test_no_base_named_takes_the_newest_that_fits(repository: Repository, tmp_path: Path) -> None:
    """``requires-python`` alone decides, and a debug base is never chosen by itself."""
    good = packages(make_wheel(tmp_path / "links", "good"))
    repository.environment("new", good, settings="", python=">=3.11")
    repository.environment("old", good, settings="", python=">=3.11,<3.12")
    resolved, _ = _resolve(repository)
    assert resolved["new"].base.name == "python-3.13"
    assert resolved["old"].base.name == "python-3.11"


def test_the_best_wheel_of_each_platform(repository: Repository, tmp_path: Path) -> None:
    """One lock, two platforms: each takes its own file, and the pure one where there is none."""
    links = tmp_path / "links"
    tags = ("cp311-cp311-manylinux_2_17_x86_64", "cp311-abi3-manylinux_2_28_aarch64")
    wheels = [make_wheel(links, "native", tag=tag) for tag in (*tags, "py3-none-any")]
    repository.environment("env", packages(*wheels))
    environment = read_monorepo(repository.root)
    for platform, machine in (("linux/amd64", "x86_64"), ("linux/arm64", "aarch64")):
        resolved, failed = resolve_all(
            environment.environments, environment.bases, [Platform.parse(platform)]
        )
        assert not failed
        assert machine in resolved[0].recipe.distributions[0].filename
