"""Imports that cannot work are found from source and locks, before anything is built."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eggcrate.matrix.cells import Cell, Column, lay_out
from eggcrate.matrix.imports_check import Contents, ImportsCheck, check_imports
from eggcrate.packages.distribution import Distribution
from eggcrate.packages.target import Platform, Target
from eggcrate.repo.closure import closure
from eggcrate.repo.components import read_component
from eggcrate.repo.environments import read_environment
from eggcrate.repo.values import Component

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MODULES: dict[str, frozenset[str] | None] = {
    "pandas": frozenset({"pandas"}),
    "scikit-learn": frozenset({"sklearn"}),
    "xgboost-cpu": frozenset({"xgboost"}),
    "google-cloud-storage": frozenset({"google.cloud.storage"}),
    "google-auth": frozenset({"google.auth"}),
    "mystery": None,
}


def dist(name: str) -> Distribution:
    return Distribution(name=name, version="1", filename=f"{name}-1-py3-none-any.whl", sha256=name)


def provided(
    distributions: Sequence[Distribution],
) -> Mapping[Distribution, frozenset[str] | None]:
    return {item: MODULES[item.name] for item in distributions}


@dataclass(kw_only=True)
class Repository:
    """Environments by name with their packages, and components as files."""

    root: Path
    environments: dict[str, tuple[str, ...]]
    python: str = "3.11.2"
    homes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Environments that each component (or ``component[flavour]``) is compatible with."""
    flavours: dict[str, tuple[str, ...]] = field(default_factory=dict)
    dockerfiles: set[str] = field(default_factory=set)

    def write(self, name: str, source: str) -> None:
        path = self.root / "components" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)

    def check(self, *, whole: bool = True) -> ImportsCheck:
        components = {
            path.parent.name: Component(
                name=path.parent.name,
                path=path.parent,
                description="",
                requires_python=">=3.11",
                dependencies=(),
                flavours=self.flavours,
            )
            for path in sorted(self.root.glob("components/*/component.py"))
        }
        named = {name: name for name in components}
        cells = [
            Cell(component=name, flavour=flavour, environment=environment)
            for name in named
            for flavour in self.flavours or {"": ()}
            for environment in self.homes.get(
                f"{name}[{flavour}]" if flavour else name, tuple(self.environments)
            )
        ]
        return check_imports(
            components,
            {name: closure(each, self.root) for name, each in components.items()},
            cells,
            {
                name: Contents(
                    python=self.python,
                    distributions=tuple(map(dist, packages)),
                    complete=name not in self.dockerfiles,
                )
                for name, packages in self.environments.items()
            },
            provided=provided,
            whole=whole,
        )


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(
        root=tmp_path,
        environments={
            "plain": ("pandas",),
            "sklearn": ("pandas", "scikit-learn"),
            "xgboost": ("pandas", "scikit-learn", "xgboost-cpu"),
        },
    )


def told(check: ImportsCheck, name: str = "step") -> str:
    return str(check.errors.get(f"components/{name}", ""))


@pytest.mark.parametrize(
    "source",
    [
        "import pandas as pd, json, os.path",
        "from pandas.core import frame",
        "def f():\n    import xgboost",
        "if FLAG:\n    import xgboost",
        "try:\n    import shap\nexcept ImportError:\n    shap = None",
        "if TYPE_CHECKING:\n    import shap",
        "from .helper import x",
        "from eggcrate import component\nfrom kfp import dsl\nfrom kfp.dsl import Dataset, Output",
    ],
)
def test_what_is_given_or_not_needed_is_no_error(repository: Repository, source: str) -> None:
    """Every environment gives it, some environment gives what happens sometimes, or it may fail."""
    repository.write("step/component.py", source)
    repository.write("step/helper.py", "x = 1")
    check = repository.check()
    assert not check.errors
    assert not check.warning


def test_what_some_environments_lack(repository: Repository) -> None:
    """File, line, module, the environments without it and the requirement to declare are told."""
    repository.write("step/component.py", "import json\n\nfrom sklearn import svm\n")
    error = told(repository.check())
    assert error.startswith("components/step/component.py:3: imports sklearn")
    assert "no package of plain" in error
    assert "scikit-learn gives it (in sklearn and xgboost)" in error
    assert 'add "scikit-learn" to dependencies in components/step/pyproject.toml' in error


@pytest.mark.parametrize(
    ("source", "guess"),
    [
        ("import shap", '"shap"'),
        ("from kfp import compiler", '"kfp"'),
        ("import cv2", '"opencv-python-headless"'),
        ("from google.cloud import bigquery", '"google-cloud-bigquery"'),
        ("import google.cloud.bigquery.table", '"google-cloud-bigquery"'),
        ("def f():\n import shap", '"shap"'),
    ],
)
def test_what_no_environment_gives(repository: Repository, source: str, guess: str) -> None:
    """The package is guessed by the module's name."""
    repository.write("step/component.py", source)
    error = told(repository.check())
    assert "none of its environments gives" in error
    assert f"by its name {guess}" in error


def test_namespaces_are_told_apart(repository: Repository) -> None:
    """A namespace that several packages share is no proof that this part of it is there."""
    repository.environments = {"cloud": ("google-cloud-storage", "google-auth")}
    repository.write(
        "step/component.py",
        "import google.auth\nimport google.cloud\nfrom google.cloud import storage\n"
        "from google.cloud import pubsub\n",
    )
    error = told(repository.check())
    assert "component.py:4: imports google.cloud.pubsub," in error
    assert "more" not in error


def test_a_helper_serves_other_components_too(repository: Repository) -> None:
    """What a helper does only sometimes may be for another component, in another environment."""
    repository.write("shared/libraries.py", "import pandas\ndef f():\n    import xgboost\n")
    repository.write("step/component.py", "from components.shared import libraries")
    repository.homes = {"step": ("plain",)}
    assert not repository.check().errors
    repository.write("shared/libraries.py", "import pandas\ndef f():\n    import lightgbm\n")
    assert "libraries.py:3: imports lightgbm" in told(repository.check())
    repository.write("shared/libraries.py", "import xgboost\n")
    assert "libraries.py:1: imports xgboost" in told(repository.check())
    repository.write("step/component.py", "def f():\n    from components.shared import libraries")
    assert not repository.check().errors


def test_flavours(repository: Repository) -> None:
    """A flavour without an environment may be what an import is for; a misplaced one is told."""
    repository.flavours = {"sklearn": ("scikit-learn",), "xgboost": ("XGBoost_CPU>=2",)}
    repository.homes = {"step[sklearn]": ("sklearn",), "step[xgboost]": ()}
    repository.write("step/component.py", "def f():\n    import lightgbm\n")
    assert not repository.check().errors
    repository.homes = {"step[sklearn]": ("sklearn",), "step[xgboost]": ("xgboost",)}
    assert "imports lightgbm" in told(repository.check())
    repository.write("step/component.py", "import xgboost\n")
    error = told(repository.check())
    assert "no package of sklearn" in error
    assert "only the flavour xgboost asks for xgboost-cpu: import it in the function" in error


def test_only_some_environments_are_looked_at(repository: Repository) -> None:
    """Then what happens sometimes is not judged; what always happens is."""
    repository.environments = {"plain": ("pandas",)}
    repository.write("step/component.py", "import sklearn\ndef f():\n    import xgboost\n")
    error = told(repository.check(whole=False))
    assert "imports sklearn" in error
    assert "xgboost" not in error


def test_the_environments_python_decides(repository: Repository) -> None:
    """A module that left the standard library is lacking, whatever Python Eggcrate runs on."""
    repository.write("step/component.py", "import telnetlib, tomllib\n")
    assert not repository.check().errors
    repository.python = "3.13.1"
    assert "imports telnetlib" in told(repository.check())
    repository.python = "3.10.2"
    assert "imports tomllib" in told(repository.check())


def test_a_package_that_nobody_could_look_into(repository: Repository) -> None:
    """It may give what is lacking: no error, but a warning that the check was not complete."""
    repository.environments = {"plain": ("pandas", "mystery"), "sklearn": ("pandas",)}
    repository.write("step/component.py", "import pandas\n")
    assert not repository.check().warning
    repository.write("step/component.py", "import shap\n")
    check = repository.check()
    assert check.unjudged == ("plain",)
    assert check.warning.startswith("imports were not all checked against plain: ")
    assert "no package of sklearn" in told(check)
    repository.environments = {"plain": ("pandas",)}
    repository.dockerfiles = {"plain"}
    assert repository.check().unjudged == ("plain",)
    assert not repository.check().errors


def test_what_the_repository_should_hold(repository: Repository) -> None:
    """A helper that does not exist, or lacks the name, is told once, with the nearest."""
    repository.write("shared/frames.py", "def read(): ...\n")
    repository.write(
        "step/component.py",
        "from components.shared.frmes import read\n"
        "from components.shared.frames import write\n"
        "from components.shared import fames\n",
    )
    repository.write("step/tests/test_it.py", "from components.other import nothing\n")
    repository.write("other/component.py", "x = 1")
    repository.write("other/tests/test_it.py", "from components.step import component\n")
    check = repository.check()
    error = told(check)
    assert "component.py:1: imports components.shared.frmes, which the repository" in error
    assert "component.py:2: imports write from components.shared.frames, which has no" in error
    assert "component.py:3: imports fames from components.shared" in error
    assert "test_it.py:1: imports nothing from components.other" in error
    assert "(and 3 more)" in error
    assert error.count("did you mean components.shared.frames?") == 1
    assert list(check.errors) == ["components/step"]


def test_a_neighbour_imported_by_its_bare_name(repository: Repository) -> None:
    """Scripts import what stands beside them; modules of a repository do not."""
    repository.write("step/component.py", "import helper\n")
    repository.write("step/helper.py", "")
    assert "import components.step.helper" in told(repository.check())


def test_nothing_is_asked_when_nothing_is_imported(repository: Repository) -> None:
    """Packages are looked into only for imports from outside."""
    repository.write("step/component.py", "import json\n")
    repository.environments = {"odd": ("unheard-of",)}  # provided() would raise KeyError
    assert not repository.check().errors


def test_the_catalogue_has_no_such_import() -> None:
    """No false alarm, by the locks and by what each package is known to give."""
    root = Path(__file__).parents[2]
    known = {
        **{name: frozenset({name}) for name in ("numpy", "pandas", "catboost", "lightgbm")},
        **{name: frozenset({name}) for name in ("optuna", "pyarrow", "py3langid", "torch")},
        **{name: frozenset({name}) for name in ("scipy", "fsspec", "gcsfs", "requests")},
        **{name: frozenset({name}) for name in ("polars", "duckdb")},
        "grpcio": frozenset({"grpc"}),
        "google-auth": frozenset({"google.auth", "google.auth.credentials"}),
        "google-api-core": frozenset({"google.api_core", "google.api_core.exceptions"}),
        "google-cloud-aiplatform": frozenset({"google.cloud.aiplatform_v1"}),
        "google-cloud-bigquery": frozenset({"google.cloud.bigquery"}),
        "google-cloud-bigquery-storage": frozenset(
            {"google.cloud.bigquery_storage", "google.cloud.bigquery_storage_v1"}
        ),
        "scikit-learn": frozenset({"sklearn"}),
        "tensorflow-cpu": frozenset({"tensorflow"}),
        "vadersentiment": frozenset({"vaderSentiment.vaderSentiment"}),
        "xgboost-cpu": frozenset({"xgboost"}),
    }
    target = Target(python="3.11.2", platform=Platform.parse("linux/amd64"), glibc=(2, 36))
    columns = []
    contents = {}
    for path in sorted(root.glob("environments/[a-z]*/pyproject.toml")):
        name = read_environment(path.parent).name
        lock = tomllib.loads((path.parent / "poetry.lock").read_text())
        versions = {package["name"]: package["version"] for package in lock["package"]}
        columns.append(Column(environment=name, target=target, packages=versions))
        files = tuple(dist(package) for package in versions)
        contents[name] = Contents(python="3.11.2", distributions=files)
    components = {
        path.parent.name: read_component(path.parent)
        for path in sorted(root.glob("components/[a-z]*/component.py"))
    }
    check = check_imports(
        components,
        {name: closure(each, root) for name, each in components.items()},
        lay_out(list(components.values()), columns).cells,
        contents,
        provided=lambda wanted: {item: known.get(item.name, frozenset()) for item in wanted},
        whole=True,
    )
    assert not check.errors
    assert not check.warning
