"""``eggcrate fix --prove``: a real resolver, a real image, and the component's tests in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from eggcrate.matrix.harness_install import harness_distributions
from eggcrate.packages.cache import fetch
from eggcrate.packages.indexes import Indexes
from eggcrate.packages.pip_config import read_pip_config
from eggcrate.packages.target import Platform, Target
from support.adding import World, world
from support.osv import affected, findings, write
from support.repository import take_debs
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.network, pytest.mark.sandbox]

_TEST = """import beta


def test_it() -> None:
    assert beta.FAST
"""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """``beta`` 1.1 has what its component needs, 1.2 does not, and the index does not say so."""
    folder = tmp_path_factory.mktemp("proves")
    with world(folder) as found:
        root = found.repository.root
        take_debs(found.repository.cache)
        target = Target(python="3.11.2", platform=Platform.of_this_machine(), glibc=(2, 36))
        harness = harness_distributions(target)
        with Indexes(read_pip_config()) as indexes:
            fetch(harness, indexes=indexes, cache=found.repository.cache)
        for version, content in (("1.1", "FAST = True\n"), ("1.2", "")):
            found.index.add(make_wheel(found.wheels, "beta", version, files={"beta.py": content}))
        tests = root / "components" / "uses_beta" / "tests"
        tests.mkdir()
        for package in (root / "components", tests.parent, tests):
            (package / "__init__.py").touch()
        (tests / "test_uses_beta.py").write_text(_TEST)
        pyproject = root / "pyproject.toml"
        pyproject.write_text(f'{pyproject.read_text()}\n[tool.eggcrate]\nruntime = "sandbox"\n')
        yield found


def _outcomes(here: World) -> dict[str, str]:
    document = json.loads((here.repository.root / "build/matrix/matrix.json").read_text())
    return {
        cell["component"]: cell["outcome"]
        for cell in document["cells"]
        if cell["environment"] == "one" and cell["component"] == "uses_beta"
    }


def test_a_fix_whose_tests_fail_is_put_back(here: World, tmp_path: Path) -> None:
    """It resolves, it is built, and the component fails in it: the lock is what it was."""
    lock = here.one / "poetry.lock"
    before = lock.read_bytes()
    database = write(tmp_path / "osv", affected("B-2", "PyPI", "beta", "1.2"))
    ran = here.run("fix", "one", "--database", database, "--prove")
    assert (ran.code, "they were put back" in ran.err) == (1, True), ran.err
    assert "beta 1.0 -> 1.2" in ran.out
    assert _outcomes(here) == {"uses_beta": "failed"}
    assert lock.read_bytes() == before
    assert findings(here, database, "one")[0] == 1


def test_a_fix_whose_tests_pass_stays(here: World, tmp_path: Path) -> None:
    """The lock has the version that was proven, and nothing is found any more."""
    database = write(tmp_path / "osv", affected("B-1", "PyPI", "beta", "1.1"))
    assert findings(here, database, "one")[0] == 1
    ran = here.run("fix", "one", "--database", database, "--prove")
    assert ran.code == 0, ran.out + ran.err
    assert "beta 1.0 -> 1.1" in ran.out
    assert _outcomes(here) == {"uses_beta": "passed"}
    assert 'name = "beta"\nversion = "1.1"' in (here.one / "poetry.lock").read_text()
    assert findings(here, database, "one") == (0, {})
    assert here.run("lock", "one", "--dry-run").out == "one: unchanged\n"
