"""Fixtures of the builder's tests: builds that several of them look at, made once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.repository import Repository, copy_cache, make_repository, packages, take_debs
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def base_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the base python-3.11, built for both platforms: to be copied, never used."""
    folder = tmp_path_factory.mktemp("base")
    repository = make_repository(folder / "repo", folder / "cache", links=folder / "links")
    take_debs(repository.cache)
    tiny = make_wheel(folder / "links", "tiny")
    platforms = 'platforms = ["linux/amd64", "linux/arm64"]\nbase = "python-3.11"'
    repository.environment("tiny", packages(tiny), settings=platforms)
    repository.build()
    return repository.cache


@pytest.fixture
def small(base_cache: Path, tmp_path: Path) -> Repository:
    """A repository whose packages come from the folder ``links`` beside it."""
    cache = copy_cache(base_cache, tmp_path / "cache")
    return make_repository(tmp_path / "repo", cache, links=tmp_path / "links")


@pytest.fixture
def wheel(tmp_path: Path) -> Callable[..., Path]:
    """Makes wheels in ``links``."""

    def make(name: str, *arguments: object, **keywords: object) -> Path:
        return make_wheel(tmp_path / "links", name, *arguments, **keywords)  # type: ignore[arg-type]

    return make
