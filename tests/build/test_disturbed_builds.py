"""The real command line, disturbed at each change of a file: a sample here, all on request."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from support.faults import inject
from support.operations import available
from support.repository import Repository, copy_cache, make_repository, noise, packages
from support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(bool(available()), reason=available() or "they are held"),
]

LIMIT = int(os.environ.get("EGGCRATE_FAULTS", "1"))
"""How many of each kind are tried; 0 for every one."""


@pytest.fixture(scope="module")
def empty(base_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of which nothing is built."""
    folder = tmp_path_factory.mktemp("disturbed")
    links = folder / "links"
    cache = copy_cache(base_cache, folder / "cache")
    # What no build changes is not copied for each try.
    for name in ("unpacked", "debs"):
        (cache / name).rename(folder / name)
        (cache / name).symlink_to(folder / name)
    for mark in (folder / "unpacked").glob("*.made"):
        mark.write_text("flushed")
    repository = make_repository(folder / "repo", cache, links=links)
    made = [
        make_wheel(links, name, files={f"{name}.py": "A = 1\n", f"{name}.bin": noise(name, size)})
        for name, size in (("alpha", 1 << 8), ("beta", 1 << 9), ("gamma", 3 << 19))
    ]
    repository.environment("one", packages(*made))
    repository.environment("two", packages(made[0]))
    return folder


@pytest.fixture(scope="module")
def changed(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after a build, and with a package that is new."""
    folder = tmp_path_factory.mktemp("changed")
    shutil.copytree(empty / "repo", folder / "repo")
    shutil.copytree(empty / "links", folder / "links")
    pip = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
    repository = Repository(
        root=folder / "repo",
        cache=copy_cache(empty / "cache", folder / "cache"),
        pip={**pip, "PIP_FIND_LINKS": str(folder / "links")},
    )
    repository.build()
    files = sorted((folder / "links").glob("*.whl"))
    delta = make_wheel(folder / "links", "delta", files={"delta.py": "D = 1\n"})
    repository.environment("two", packages(files[0], delta))
    return folder


@pytest.mark.parametrize(
    ("state", "fault"),
    [("empty", "kill"), ("empty", "cut"), ("changed", "kill"), ("changed", "full")],
)
def test_a_build_is_disturbed_at_any_change_of_a_file(
    state: str, fault: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Killed, without power, on a full disk: good images stay good, and the next run ends well.

    Into an empty store, and where something has changed: with the digests of peace.
    """
    shutil.copytree(
        request.getfixturevalue(state), tmp_path / "prepared", symlinks=True, copy_function=_link
    )
    for name in ("unpacked", "debs"):
        shutil.rmtree(tmp_path / "prepared" / name, ignore_errors=True)
    seed = ["kill", "cut", "full"].index(fault)
    found = inject("build", tmp_path, fault, limit=LIMIT, seed=seed)
    assert found.operations > 50
    assert found.problems == []


def _link(source: str, target: str) -> None:
    os.link(source, target, follow_symlinks=False)
