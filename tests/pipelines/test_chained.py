"""Pipelines that `eggcrate new` chains from components: wired by name and type, valid for KFP."""

from __future__ import annotations

import ast
import shutil
import tomllib
from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import CompileError, ConfigError, UsageError
from eggcrate.pipelines.reading import read_pipelines
from eggcrate.repo.chained import Input, Step, chained, read_step
from support.repository import HERE

if TYPE_CHECKING:
    from pathlib import Path

CATALOGUE = ("prepare_data", "train_model", "evaluate_model")


def artifact(name: str, kind: str = "Dataset", *, needed: bool = True) -> Input:
    return Input(name=name, type=kind, artifact=True, needed=needed)


def value(name: str, kind: str = "str", *, needed: bool = True) -> Input:
    return Input(name=name, type=kind, artifact=False, needed=needed)


def step(component: str, *inputs: Input, values: dict | None = None, **outputs: str) -> Step:
    return Step(
        component=component,
        function=component,
        inputs=inputs,
        outputs=outputs,
        values=values or {},
    )


def test_the_catalogue_is_chained_into_what_kfp_takes(tmp_path: Path) -> None:
    """Outputs reach the inputs of their name; values of examples make a project."""
    shutil.copytree(HERE / "components", tmp_path / "components")
    made = chained("learn", "Learn it", [read_step(name, tmp_path) for name in CATALOGUE])
    folder = tmp_path / "pipelines" / "learn"
    folder.mkdir(parents=True)
    (folder / "pipeline.py").write_text(made.code)
    told = read_pipelines(["learn"], tmp_path)["learn"]
    assert not isinstance(told, CompileError), told
    tasks = told.spec["root"]["dag"]["tasks"]
    assert tasks["evaluate-model"]["inputs"]["artifacts"] == {
        "model": {
            "taskOutputArtifact": {"outputArtifactKey": "model", "producerTask": "train-model"}
        },
        "test_data": {
            "taskOutputArtifact": {"outputArtifactKey": "test_data", "producerTask": "prepare-data"}
        },
    }
    config = tomllib.loads(made.config)["projects"]["example"]["parameters"]
    assert (tmp_path / config.pop("source")).is_file()
    assert config == {"target": "species"}
    assert "train_model: train_data is train_data of prepare_data" in made.wires


def test_the_name_counts_before_the_type_and_the_latest_before_the_earlier() -> None:
    """Two outputs of a type: the one of the input's name, else what was made last."""
    steps = [
        step("a", left="Dataset", right="Dataset"),
        step("b", artifact("left"), result="Dataset"),
        step("c", artifact("data"), artifact("model", "Model")),
    ]
    assert chained("p", "d", steps).wires == (
        "b: left is left of a",
        "c: data is result of b",
        "c: model is the parameter model",
    )


def test_parameters_are_shared_by_name_and_type_and_hide_nothing() -> None:
    """Another type, or the name of a function, makes another parameter; defaults stay."""
    steps = [
        step("a", value("size", "int"), value("more", "dict[str, X]", needed=False)),
        step("b", value("size", "int"), value("a")),
        step("c", value("size", "float"), artifact("source"), artifact("extra", needed=False)),
        step("d", artifact("source", "Model")),
    ]
    [function] = [
        one
        for one in ast.parse(chained("p", "d", steps).code).body
        if isinstance(one, ast.FunctionDef)
    ]
    named = {one.arg: ast.unparse(one.annotation or ast.Constant("")) for one in function.args.args}
    assert named == {
        "size": "int",
        "b_a": "str",
        "c_size": "float",
        "source": "str",
        "d_source": "str",
    }


def test_a_project_is_written_only_when_every_value_is_known() -> None:
    """Else it is a comment with what is missing: a pipeline without projects is valid."""
    known = step("a", value("text"), values={"text": 'a "b" \\ ö'})
    config = chained("p", "d", [known]).config
    assert tomllib.loads(config)["projects"]["example"]["parameters"] == {"text": 'a "b" \\ ö'}
    config = chained("p", "d", [known, step("b", value("size", "int"))]).config
    assert tomllib.loads(config) == {}
    assert "# size = …" in config


def test_what_cannot_be_chained_is_said(tmp_path: Path) -> None:
    """A type that no parameter has; a component without a function."""
    with pytest.raises(UsageError, match="a cannot be chained") as caught:
        chained("p", "d", [step("a", value("size", "Literal['x']"))])
    assert "size is a Literal['x']" in caught.value.why
    path = tmp_path / "components" / "a" / "component.py"
    path.parent.mkdir(parents=True)
    path.write_text("def f(): ...\n")
    with pytest.raises(ConfigError, match="cannot be chained"):
        read_step("a", tmp_path)


def test_an_interface_is_read_as_it_is_written(tmp_path: Path) -> None:
    """Qualified types, keyword-only inputs, a function of another name, no example."""
    path = tmp_path / "components" / "a" / "component.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "@component\ndef other(x: dsl.Input[dsl.Dataset], y: dsl.Output[dsl.Model], n: int = 1,\n"
        "          *, m: str, k: float = 2.0) -> None: ...\n"
    )
    found = read_step("a", tmp_path)
    assert found.function == "other"
    assert found.outputs == {"y": "Model"}
    assert [(one.name, one.type, one.artifact, one.needed) for one in found.inputs] == [
        ("x", "Dataset", True, True),
        ("n", "int", False, False),
        ("m", "str", False, True),
        ("k", "float", False, False),
    ]
    assert "from components.a.component import other" in chained("p", "d", [found]).code
