"""The catalogue that this repository ships: environments and components, read as they stand."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib import util
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename

from eggcrate.matrix.example_file import read_examples
from eggcrate.pipelines.bundle import KUBEFLOW, check_size
from eggcrate.pipelines.compile import Compiled, compile_components
from eggcrate.repo.components import read_component
from eggcrate.repo.environments import read_environment

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = sorted(path.parent for path in ROOT.glob("environments/*/pyproject.toml"))
COMPONENTS = sorted(path.parent for path in ROOT.glob("components/*/component.py"))
TEMPLATES = ("_template",)

each_environment = pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.name)
each_component = pytest.mark.parametrize("path", COMPONENTS, ids=lambda path: path.name)


def toml(path: Path) -> dict:
    return tomllib.loads(path.read_text())


def test_the_catalogue_is_there() -> None:
    """What the documentation names exists."""
    assert {path.name for path in ENVIRONMENTS} >= {
        *("_template", "catboost-1-2", "catboost-1-2-7", "gcp-data", "lightgbm-3", "lightgbm-4"),
        *(f"sklearn-1-{minor}" for minor in range(4, 10)),
        *("tensorflow-2-15", "tensorflow-2-20", "tensorflow-2-20-gpu", "text", "torch-2"),
        *("xgboost-1-7", "xgboost-2", "xgboost-3"),
    }
    assert {path.name for path in COMPONENTS} >= {
        *("_template", "evaluate_model", "predict", "prepare_data", "train_model"),
        *("extract_bigquery", "load_files", "save_files", "validate_data", "split_data"),
        *("monitor_drift", "register_model", "deploy_model", "notify"),
        *("query_tables", "join_as_of"),
    }


@each_environment
def test_an_environment_says_what_it_is_and_whose(path: Path) -> None:
    """A reader of the catalogue learns what an environment is for and whom to ask."""
    document = toml(path / "pyproject.toml")
    settings = document["tool"]["eggcrate"]
    assert document["project"]["description"]
    assert settings["owner"]
    assert settings["supported-until"]
    assert document["tool"]["poetry"]["package-mode"] is False
    if path.name not in TEMPLATES:
        assert document["project"]["name"] == path.name


@each_environment
def test_an_environment_is_locked_and_lean(path: Path) -> None:
    """A lock holds every requirement within its bounds; no KFP, no test tools are in it.

    CUDA is in those alone that are built on request.
    """
    lock = toml(path / "poetry.lock")
    versions = {package["name"]: package["version"] for package in lock["package"]}
    assert not versions.keys() & {"kfp", "kfp-server-api", "pytest"}
    on_request = bool(read_environment(path).on_request) if path.name not in TEMPLATES else False
    assert any(name.startswith("nvidia-") for name in versions) == on_request
    for text in toml(path / "pyproject.toml")["project"]["dependencies"]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), text


@each_environment
def test_a_lock_names_no_source(path: Path) -> None:
    """The index is pip's configuration, wherever the lock is used."""
    text = (path / "poetry.lock").read_text()
    assert "[package.source]" not in text
    assert not re.search(r"^(url|reference) = ", text, re.MULTILINE)


@each_environment
def test_every_package_has_a_wheel_for_the_base(path: Path) -> None:
    """Nothing has to be compiled: a wheel for this CPython on Linux is in the lock."""
    [minor] = re.findall(r">=3\.(\d+)", toml(path / "pyproject.toml")["project"]["requires-python"])
    for package in toml(path / "poetry.lock")["package"]:
        wheels = [each["file"] for each in package["files"] if each["file"].endswith(".whl")]
        tags = {tag for wheel in wheels for tag in parse_wheel_filename(wheel)[3]}
        assert any(
            (tag.interpreter in {"py3", f"cp3{minor}"} or tag.abi == "abi3")
            and (tag.platform == "any" or re.fullmatch("manylinux.*x86_64", tag.platform))
            for tag in tags
        ), package["name"]


@each_component
def test_a_component_says_what_it_needs(path: Path) -> None:
    """Its metadata is complete, its default environment exists and has what it needs."""
    document = toml(path / "pyproject.toml")
    project, settings = document["project"], document["tool"]["eggcrate"]
    assert project["description"]
    environment = ROOT / "environments" / settings["environment"]
    versions = {
        package["name"]: package["version"]
        for package in toml(environment / "poetry.lock")["package"]
    }
    for text in project["dependencies"]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), text
    assert SpecifierSet(project["requires-python"]).contains("3.11")


@each_component
def test_a_component_is_one_documented_function(path: Path) -> None:
    """Named as its folder, or the only public one; every parameter and result typed."""
    module = ast.parse((path / "component.py").read_text())
    assert ast.get_docstring(module)
    public = [
        node
        for node in module.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]
    function = next((each for each in public if each.name == path.name), public[0])
    assert function.name == path.name or len(public) == 1
    assert ast.get_docstring(function)
    assert function.returns is not None
    assert all(argument.annotation for argument in function.args.args)


@each_component
def test_a_component_is_standard_kfp(path: Path) -> None:
    """Artifacts and types are KFP's own; nothing that is not there where it runs is imported."""
    module = ast.parse((path / "component.py").read_text())
    imported: dict[str, set[str]] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom):
            imported.setdefault(node.module or "", set()).update(each.name for each in node.names)
        elif isinstance(node, ast.Import):
            imported |= {each.name: set() for each in node.names}
    assert imported["eggcrate"] == {"component"}
    assert {name for name in imported if name.partition(".")[0] == "kfp"} <= {"kfp.dsl"}
    kfps = {"Artifact", "Dataset", "HTML", "Input", "Metrics", "Model", "Output"}
    assert imported.get("kfp.dsl", set()) <= kfps | {"PipelineTaskFinalStatus"}
    assert "__future__" not in imported


@each_component
def test_a_component_has_an_example_for_every_flavour(path: Path) -> None:
    """Each cell has a second proof: the component as compiled, on inputs that it ships."""
    component = read_component(path)
    examples = read_examples(component, ROOT)
    for flavour in component.flavours or {"": ()}:
        fitting = [each for each in examples if not each.flavours or flavour in each.flavours]
        assert fitting, flavour
        assert all(each.expect for each in fitting)


@pytest.mark.skipif(not util.find_spec("kfp"), reason="the extra `pipelines` is not installed")
def test_every_component_compiles_for_kubeflow() -> None:
    """With none of its packages installed here; what travels fits into a container's command."""
    components = [read_component(path) for path in COMPONENTS]
    for name, compiled in compile_components(components, ROOT).items():
        assert isinstance(compiled, Compiled), str(compiled)
        check_size(compiled.bundle, KUBEFLOW, concerning=name)
        assert not [file for file in compiled.bundle.files if "/tests/" in file]


@each_component
def test_a_component_has_tests(path: Path) -> None:
    """There is something for a cell to prove."""
    texts = [file.read_text() for file in path.glob("tests/test_*.py")]
    assert any("def test_" in text for text in texts)
