"""What a component says of its own cells, and what a container leaves for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import ConfigError
from eggcrate.repo.components import read_component
from eggcrate.runtimes import cgroup

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.repo.values import Component

NAMES = {
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: ("memory.max", "memory.current", "inactive_file"),
}


def component(folder: Path, settings: str) -> Component:
    path = folder / "step"
    path.mkdir(exist_ok=True)
    (path / "pyproject.toml").write_text(f'[project]\nname = "step"\n[tool.eggcrate]\n{settings}\n')
    return read_component(path)


def test_retries_and_variables_are_read(tmp_path: Path) -> None:
    """None by default; variables in the order of their names."""
    plain = component(tmp_path, "")
    assert (plain.retries, plain.env) == (0, {})
    told = component(tmp_path, 'retries = 2\nenv = {ZONE = "b", AREA = ""}')
    assert (told.retries, list(told.env.items())) == (2, [("AREA", ""), ("ZONE", "b")])


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("retries = -1", "retries must be a whole number from 0 to 10"),
        ("retries = 11", "retries must be"),
        ("retries = true", "retries must be"),
        ("retries = 1.5", "retries must be"),
        ("env = ['A']", "env must be a table"),
        ("env = {A = 1}", "env must hold strings: A is 1"),
        ("env = {'A B' = 'x'}", "which cannot be an environment variable"),
        ('env = {A = "a\\u0000"}', "which cannot be an environment variable"),
        ("env = {PYTHONPATH = '/x'}", "which Eggcrate sets itself"),
        ("env = {EGGCRATE_FLAVOUR = 'x'}", "which Eggcrate sets itself"),
        ("env = {LD_PRELOAD = 'x'}", "which Eggcrate sets itself"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_line(
    tmp_path: Path, settings: str, problem: str
) -> None:
    """Another value would silently prove something else."""
    with pytest.raises(ConfigError) as caught:
        component(tmp_path, settings)
    assert problem in caught.value.what
    assert "pyproject.toml:4" in caught.value.what


@pytest.mark.parametrize(
    ("version", "limit", "free"),
    [(2, "1000", 700), (2, "max", None), (2, "100", 0), (1, "1000", 700), (1, str(1 << 62), None)],
)
def test_a_containers_limit_is_seen(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: int,
    limit: str,
    free: int | None,
) -> None:
    """In both versions of control groups; file cache that can be given up counts as free."""
    names = NAMES[version]
    (tmp_path / names[0]).write_text(f"{limit}\n")
    (tmp_path / names[1]).write_text("500\n")
    (tmp_path / "memory.stat").write_text(f"anon 300\n{names[2]} 200\n")
    monkeypatch.setattr(
        cgroup, "_hierarchies", lambda: iter([(version, {"memory"}, tmp_path, "/")])
    )
    monkeypatch.setattr(cgroup, "_own_groups", lambda: {"": "/", "memory": "/"})
    assert cgroup.headroom() == free
