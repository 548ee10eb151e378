"""What was decided is written whole, and only over what it was decided from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from eggcrate.build.proposal import Proposal, carry_out, costs_of
from eggcrate.errors import LockError
from eggcrate.matrix.effects import effects
from eggcrate.packages.changes import compare
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.target import Platform, Target
from eggcrate.repo.environments import read_environment
from eggcrate.repo.values import Component

if TYPE_CHECKING:
    from pathlib import Path

TARGET = Target(python="3.11.2", platform=Platform.parse("linux/amd64"), glibc=(2, 36))


def files(pins: dict[str, str]) -> tuple[Distribution, ...]:
    return tuple(
        Distribution(name=n, version=v, filename=f"{n}-{v}-py3-none-any.whl", sha256="0" * 64)
        for n, v in pins.items()
    )


@pytest.fixture
def proposal(tmp_path: Path) -> Proposal:
    folder = tmp_path / "some"
    folder.mkdir()
    text = '[project]\nname = "some"\nrequires-python = ">=3.11"\ndependencies = []\n'
    (folder / "pyproject.toml").write_text(text)
    (folder / "poetry.lock").write_text("old")
    before, after = {"alpha": "1", "beta": "1"}, {"alpha": "2", "gamma": "1"}
    return Proposal(
        environment=read_environment(folder),
        target=TARGET,
        origin=text.encode(),
        pyproject=f"{text}# new\n",
        lock=b"new",
        changes=compare(before, after),
        before=files(before),
        after=files(after),
    )


def test_both_files_are_written(proposal: Proposal) -> None:
    """As they were decided, byte for byte."""
    carry_out(proposal)
    assert proposal.environment.pyproject_path.read_text() == proposal.pyproject
    assert proposal.environment.lock_path.read_bytes() == b"new"


def test_an_edit_meanwhile_is_not_overwritten(proposal: Proposal) -> None:
    """Resolving takes seconds: what a person saved in them stays, and nothing is written."""
    path = proposal.environment.pyproject_path
    path.write_text("# edited\n")
    with pytest.raises(LockError, match="was changed while it was being locked"):
        carry_out(proposal)
    assert path.read_text() == "# edited\n"
    assert proposal.environment.lock_path.read_text() == "old"


def test_pins_that_nobody_asked_to_move_are_told_apart(proposal: Proposal) -> None:
    """What comes, goes or was asked for has not moved."""
    assert [one.package for one in proposal.moved([])] == ["alpha"]
    assert proposal.moved(["alpha"]) == ()


def test_a_size_that_cannot_be_learned_is_not_zero(proposal: Proposal, tmp_path: Path) -> None:
    """Without an index and with an empty cache it is named as unknown."""
    costs = costs_of(proposal, cache=tmp_path / "cache")
    assert costs.unknown == ("alpha", "beta", "gamma")
    assert all(cost.after is None and cost.installed for cost in costs.packages)


def test_components_whose_flavours_come_and_go(proposal: Proposal, tmp_path: Path) -> None:
    """Each flavour by itself, with the requirement that made the difference."""
    component = Component(
        name="train",
        path=tmp_path,
        description="",
        requires_python=">=3.10",
        dependencies=(),
        flavours={"old": ("beta>=1",), "new": ("gamma>=1",), "both": ("alpha>=1",)},
        environment="some",
    )
    found = {one.row: one for one in effects(proposal, {"train": component})}
    assert found.keys() == {"train[old]", "train[new]"}
    lost, won = found["train[old]"], found["train[new]"]
    assert (lost.fits, lost.default) == (False, True)
    assert lost.reason == "needs beta>=1, which it does not hold"
    assert (won.fits, won.reason) == (True, "needs gamma>=1, which it does not hold")
    assert effects(replace(proposal, before=None), {"train": component}) == ()
