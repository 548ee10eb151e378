"""Debian versions sort as dpkg sorts them."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eggcrate.packages.debian.versions import satisfies, upstream_version, version_key

VERSIONS = st.from_regex(
    r"(?:[0-2]:)?[0-9](?:[0-9a-bZ.+~]|-(?=[0-9a]))*(?:-[0-9a~+.]{1,4})?", fullmatch=True
).filter(lambda text: not text.endswith("-"))

ORDERED = [
    "0~~", "0~~a", "0~", "0", "0.0~rc1", "1.0~beta1~svc1", "1.0~beta1", "1.0-0~1", "1.0",
    "1.0-1~deb12u1", "1.0-1", "1.0-1+b1", "1.0-1+deb12u1", "1.0-1.1", "1.0-2", "1.0-10",
    "1.0a-1", "1.0+dfsg-1", "1.0.1-1", "1.2-1", "1.10-1", "2.36-9+deb12u4", "2.36-9+deb12u13",
    "1:0.1", "1:1.0", "2:0",
]  # fmt: skip


def test_known_versions_are_in_the_policys_order() -> None:
    """Tildes sort first, digits as numbers, letters before others, epochs above all."""
    keys = [version_key(version) for version in ORDERED]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("left", "right"), [("1.0", "1.0-0"), ("0:1", "1"), ("1.00", "1.0"), ("1.0-00", "1.0")]
)
def test_versions_written_differently_can_be_the_same(left: str, right: str) -> None:
    """Missing epochs and revisions count as zero, leading zeros as nothing."""
    assert satisfies(left, "=", right)


@pytest.mark.skipif(not shutil.which("dpkg"), reason="dpkg, the judge, is not installed")
@settings(max_examples=150, deadline=None)
@given(VERSIONS, VERSIONS)
@example("1.0~", "1.0")
@example("1.0-0~1", "1.0")
@example("1a0", "1a")
@example("1", "1+")
def test_dpkg_agrees(left: str, right: str) -> None:
    """Our order is dpkg's."""
    ours = "lt" if version_key(left) < version_key(right) else "eq"
    ours = "gt" if version_key(left) > version_key(right) else ours
    done = subprocess.run(["dpkg", "--compare-versions", left, ours, right], check=False)
    assert done.returncode == 0


@given(VERSIONS, VERSIONS)
def test_relations_agree_with_each_other(left: str, right: str) -> None:
    """Of two versions exactly one relation of <<, = and >> holds, and <= and >= follow."""
    holds = {op for op in ("<<", "=", ">>", "<=", ">=") if satisfies(left, op, right)}
    assert holds in ({"<<", "<="}, {"=", "<=", ">="}, {">>", ">="})


@pytest.mark.parametrize("text", ["", "a b", "1:", ":1", "1_0"])
def test_what_is_no_version_is_refused(text: str) -> None:
    """A malformed version is an error, not a low version."""
    with pytest.raises(ValueError, match="not a Debian version"):
        version_key(text)


def test_the_upstream_part_is_what_upstream_called_it() -> None:
    """Epoch and revision are Debian's."""
    assert upstream_version("1:3.11.2-6+deb12u6") == "3.11.2"
    assert upstream_version("2.0-rc-1") == "2.0-rc"
