"""Every test that stands in this folder is run."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def test_no_folder_of_tests_is_passed_over(pytestconfig: pytest.Config) -> None:
    """A folder whose name pytest skips by default (``build`` is one) would be left out silently."""
    patterns = pytestconfig.getini("norecursedirs")
    folders = {path.parent for path in TESTS.rglob("test_*.py")}
    assert len(folders) > 5
    for folder in folders:
        for part in folder.relative_to(TESTS).parts:
            assert not any(fnmatch.fnmatch(part, pattern) for pattern in patterns), folder


def test_one_worker_has_the_docker_daemon(request: pytest.FixtureRequest) -> None:
    """Tests that use it are in one group, by what xdist reads, or two workers wait for it."""
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("only workers of `make test` have groups")
    for item in request.session.items:
        if "docker_daemon" in getattr(item, "fixturenames", ()):
            assert item.nodeid.endswith("@docker"), item.nodeid


def test_what_takes_longest_comes_first(request: pytest.FixtureRequest) -> None:
    """Two workers end together only when neither begins with a whole build at the end."""
    marks = [item.get_closest_marker("timeout") for item in request.session.items]
    allowed = [mark.args[0] if mark else 0 for mark in marks]
    assert allowed == sorted(allowed, reverse=True)
