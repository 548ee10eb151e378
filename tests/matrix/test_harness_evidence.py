"""What cells tell beside their outcome, in real images: imports, and lines that ran."""

from __future__ import annotations

import ast
import json
import sys
import types
from pathlib import Path

import pytest

from eggcrate.matrix.evidence import Evidence, given_by, split
from eggcrate.matrix.harness.mounted import eggcrate_evidence
from eggcrate.matrix.harness.mounted.eggcrate_evidence import MARK, imported
from support.matrix import BASE, add_component
from support.repository import Repository, make_repository, real_packages

COMPONENT = """
import cloudpickle

from shared.sums import add


def count(values, *, twice=False):
    if twice:
        return 2 * count(values)
    return add(values) if cloudpickle.__version__ else None
"""
HELPER = """
def add(values):
    return sum(values)


def never(values):
    return add(values) + 1
"""
TEST = """
from components.counts.component import count


def test_it():
    assert count([1, 2]) == 3
"""


def module(name: str, origin: str | None) -> types.ModuleType:
    made = types.ModuleType(name)
    made.__spec__ = types.SimpleNamespace(origin=origin)  # type: ignore[assignment] # is enough
    return made


def test_modules_are_named_as_short_as_tells() -> None:
    """Packages by themselves, what is in namespaces with them; ours and Python's not at all."""
    names = {
        "numpy": "/opt/env/numpy/__init__.py",
        "numpy.linalg": "/opt/env/numpy/linalg.py",
        "google": None,
        "google.cloud": None,
        "google.cloud.storage": "/opt/env/google/cloud/storage/__init__.py",
        "google.cloud.storage.blob": "/opt/env/google/cloud/storage/blob.py",
        "pytest": "/eggcrate/harness/pytest/__init__.py",
        "json": "/usr/lib/python3.11/json/__init__.py",
        "sys": "built-in",
        "made_up": "frozen",
    }
    modules = {name: module(name, origin) for name, origin in names.items()}
    assert imported({**modules, "odd": None, "odder": 3}) == ["google.cloud.storage", "numpy"]


def test_asking_a_module_for_its_file_imports_nothing() -> None:
    """Some packages import others as soon as they are asked for any name."""

    class Lazy(types.ModuleType):
        def __getattribute__(self, name: str) -> object:
            raise AssertionError(name)

    assert imported({"lazy": Lazy("lazy")}) == []


def test_what_runs_inside_is_of_old_python() -> None:
    """Images may have any Python from 3.9 on."""
    ast.parse(Path(eggcrate_evidence.__file__).read_text(), feature_version=(3, 9))


def test_evidence_is_taken_out_of_the_output() -> None:
    """The log holds what the tests wrote; the last line of its kind counts."""
    told = json.dumps({"imported": ["six"], "lines": {"a.py": [[1, 2, 5], [5]]}})
    output, evidence = split(f"1 passed\n\n{MARK}{{}}\n\n{MARK}{told}\nat exit\n")
    assert output.split() == ["1", "passed", "at", "exit"]
    assert MARK not in output
    assert evidence.imported == ("six",)
    assert evidence.lines["a.py"].covered == {1, 2}
    assert split("1 passed\n") == ("1 passed\n", Evidence())


@pytest.mark.parametrize(
    "told", ["", "{", "[]", "{}", '{"imported": 3, "lines": {}}', '{"imported": [], "lines": 1}']
)
def test_evidence_that_cannot_be_read_is_none(told: str) -> None:
    """Whatever a test writes, a cell ends as it would."""
    assert split(f"1 passed\n\n{MARK}{told}\n") == ("1 passed\n", Evidence())


def test_packages_that_may_have_given_a_module() -> None:
    """Also where a namespace was imported, or nothing is known of the package."""
    modules = {
        "numpy": frozenset({"numpy"}),
        "storage": frozenset({"google.cloud.storage"}),
        "bigquery": frozenset({"google.cloud.bigquery"}),
        "unknown": None,
        "tzdata": frozenset[str](),
    }
    assert given_by(["numpy.linalg"], modules) == {"numpy", "unknown"}
    assert given_by(["google.cloud.storage"], modules) == {"storage", "unknown"}
    assert given_by(["google"], modules) == {"storage", "bigquery", "unknown"}
    assert given_by(["goo"], modules) == {"unknown"}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, matrix_cache: Path) -> Repository:
    """Two Pythons, each with a package that is imported and one that is not."""
    made = make_repository(tmp_path_factory.mktemp("evidence"), matrix_cache)
    small = real_packages("sklearn-1-7", "cloudpickle", "pytz")
    made.environment("old", small)
    made.environment("new", small, settings='base = "python-3.13"')
    folder = add_component(made, "counts", test=TEST, needs=("cloudpickle",))
    (folder / "component.py").write_text(COMPONENT)
    (made.root / "components" / "__init__.py").touch()
    shared = made.root / "components" / "shared"
    shared.mkdir()
    (shared / "__init__.py").touch()
    (shared / "sums.py").write_text(HELPER)
    component = (folder / "component.py").read_text()
    (folder / "component.py").write_text(component.replace("from shared", "from components.shared"))
    return made


@pytest.mark.sandbox
@pytest.mark.network
@pytest.mark.xdist_group("matrix")
def test_what_tests_import_is_known_and_remembered(repository: Repository) -> None:
    """A package that nothing imports is told, from a run and from what is remembered of it."""
    for word in ("passed", "reused"):
        ran = repository.run("matrix", "--runtime", "sandbox", "--json", extra=BASE)
        assert ran.code == 0, ran.err
        document = json.loads(ran.out)
        assert document["totals"] == {word: 2}
        unused = [one for one in document["suggestions"] if one["kind"] == "unused"]
        assert sorted(one["subject"] for one in unused) == ["environments/new", "environments/old"]
        assert "imports pytz" in unused[0]["sentence"]
        assert unused[0]["size"] > 100_000
    logs = (repository.root / "build" / "matrix" / "logs").rglob("*.log")
    assert not [path for path in logs if MARK in path.read_text()]
    told = repository.run("matrix", "--runtime", "sandbox", extra=BASE).out
    assert "  unused: new: no component that fits it imports pytz" in told


@pytest.mark.sandbox
@pytest.mark.network
@pytest.mark.xdist_group("matrix")
def test_lines_are_measured_in_every_cell_and_combined(repository: Repository) -> None:
    """By component and helper module, in both ways that Pythons tell lines; nothing is reused."""
    ran = repository.run("matrix", "--runtime", "sandbox", "--coverage", "--json", extra=BASE)
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["totals"] == {"passed": 2}
    folder = repository.root / "build" / "matrix" / "coverage"
    document = json.loads((folder / "coverage.json").read_text())
    assert document["schema"] == "eggcrate.coverage/1"
    assert document["components"] == [
        {"name": "counts", "cells": 2, "statements": 6, "covered": 5},
    ]
    files = {one["path"]: one for one in document["files"]}
    assert set(files) == {"components/counts/component.py", "components/shared/sums.py"}
    assert files["components/counts/component.py"]["missing"] == [9]
    assert files["components/shared/sums.py"]["component"] == ""
    assert files["components/shared/sums.py"]["missing"] == [7]
    lcov = (folder / "lcov.info").read_text()
    assert "SF:components/shared/sums.py\nDA:2,1\n" in lcov
    assert "DA:7,0\n" in lcov
    page = (folder / "index.html").read_text()
    assert '<span class="no">   7     return add(values) + 1</span>' in page


def test_this_python_is_measured_by_nothing() -> None:
    """Without coverage.py beside it a cell measures nothing and says nothing of it."""
    lines = eggcrate_evidence.Lines("/nowhere")
    before = list(sys.path)
    lines.start()
    assert lines.stop() == {}
    assert sys.path == before
