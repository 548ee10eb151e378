"""Newer versions are found for the environment's own target, and who keeps them out is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eggcrate.packages.indexes import Indexes, shared_sources
from eggcrate.packages.outdated import Outdated, outdated, read_offers
from eggcrate.packages.pip_config import PipConfig
from eggcrate.packages.poetry_lock import LockedDependency, LockedPackage, Source
from eggcrate.packages.target import Platform, Target
from eggcrate.packages.wanted import Wanted
from support.package_index import Fault, PackageIndex, package_index
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

TARGET = Target(python="3.11.2", platform=Platform.parse("linux/amd64"), glibc=(2, 36))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[PackageIndex]:
    with package_index() as index:
        for name, versions in {"alpha": ("1.0", "1.2", "2.0"), "beta": ("1.0", "1.1")}.items():
            for version in versions:
                index.add(make_wheel(tmp_path, name, version))
        yield index


def locked(name: str, version: str, *needs: tuple[str, str], source: bool = False) -> LockedPackage:
    return LockedPackage(
        name=name,
        version=version,
        files=(),
        dependencies=tuple(
            LockedDependency(name=other, constraint=constraint, marker="", extras=())
            for other, constraint in needs
        ),
        groups=("main",),
        markers=(),
        source=Source(type="url", url="https://x.invalid/a.whl") if source else None,
    )


def wanted(name: str, constraint: str, marker: str = "") -> Wanted:
    return Wanted(
        name=name,
        constraint=constraint,
        marker=marker,
        extras=(),
        line=1,
        text=f"{name}{constraint}",
    )


def found(
    index: PackageIndex, packages: Sequence[LockedPackage], *asked: Wanted
) -> dict[str, Outdated]:
    config = PipConfig(index_url=index.url, retries=0)
    with Indexes(config) as indexes:
        offered = read_offers(
            (item.name for item in packages), indexes, shared_sources(indexes, include_local=False)
        )
    return {one.package: one for one in outdated(packages, asked, TARGET, offered)}


def test_allowed_and_newest_are_told_apart(index: PackageIndex) -> None:
    """The range of pyproject.toml keeps a major version out; another package's does as well."""
    packages = [
        locked("alpha", "1.0"),
        locked("beta", "1.0"),
        locked("gamma", "1", ("beta", "<1.1")),
    ]
    pins = found(index, packages, wanted("alpha", "<2"), wanted("gamma", "*"))
    assert list(pins) == ["alpha", "beta"]
    alpha, beta = pins.values()
    assert (alpha.allowed, alpha.newest, alpha.major, alpha.direct) == ("1.2", "2.0", True, True)
    assert alpha.held_by == ("pyproject.toml asks for alpha<2",)
    assert (beta.allowed, beta.newest, beta.major, beta.direct) == ("", "1.1", False, False)
    assert beta.held_by == ("gamma 1 needs beta <1.1",)


def test_ranges_of_other_targets_do_not_count(index: PackageIndex) -> None:
    """A requirement for another system forbids nothing here."""
    pins = found(index, [locked("beta", "1.0")], wanted("beta", "<1.1", "sys_platform == 'win32'"))
    assert pins["beta"].allowed == "1.1"


def test_what_cannot_be_installed_is_not_newer(index: PackageIndex, tmp_path: Path) -> None:
    """Previews, yanked versions, other Pythons and other systems are passed over."""
    more = tmp_path / "more"
    index.add(make_wheel(more, "beta", "2.0rc1"))
    index.add(make_wheel(more, "beta", "3.0"), yanked="broken")
    index.add(make_wheel(more, "beta", "4.0"), requires_python=">=3.12")
    index.add(make_wheel(more, "beta", "5.0", tag="cp311-cp311-win_amd64"))
    pins = found(index, [locked("beta", "1.0")])
    assert pins["beta"].newest == "1.1"
    assert found(index, [locked("beta", "2.0b1")])["beta"].newest == "2.0rc1"


def test_what_comes_from_a_url_has_no_newer_version(index: PackageIndex) -> None:
    """Indexes know nothing of it; nor of a package that none of them holds."""
    assert found(index, [locked("beta", "1.0", source=True), locked("unknown", "1")]) == {}


def test_each_page_is_read_once_and_a_broken_one_alone_fails(index: PackageIndex) -> None:
    """Environments share pages; one that cannot be read spoils no other."""
    index.faults.append(Fault(path="/simple/alpha", times=9, status=500))
    pins = found(index, [locked("alpha", "1.0"), locked("beta", "1.0"), locked("beta", "1.0")])
    assert list(pins) == ["beta"]
    assert index.count("/simple/beta") == 1
