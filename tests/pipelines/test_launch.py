"""Executor input and output: as KFP's own launcher makes and reads them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.errors import CompileError, TaskOutputError
from eggcrate.pipelines.launch import GivenArtifact, executor_input, resolved
from eggcrate.pipelines.outputs import read_outputs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.compiled import Repo

COMPONENT = """
    from typing import NamedTuple, Optional

    from eggcrate import component
    from kfp.dsl import Dataset, Input, Metrics, Model, Output, OutputPath


    class Given(NamedTuple):
        rows: int
        share: float


    @component
    def it(
        data: Input[Dataset],
        text: str,
        model: Output[Model],
        metrics: Output[Metrics],
        note: OutputPath(bool),
        number: int = 3,
        share: float = 0.5,
        words: Optional[list] = None,
        table: dict = {"a": {"b": 1}},
    ) -> Given: ...
"""
BY_KFP = """
    import json, sys, types
    from google.protobuf import json_format
    from kfp import dsl
    from kfp.local import executor_input_utils as kfps, placeholder_utils
    from kfp.pipeline_spec import pipeline_spec_pb2
    given = json.load(sys.stdin)
    spec = json_format.ParseDict(given["definition"], pipeline_spec_pb2.ComponentSpec())
    data = dsl.Dataset(name="data", uri="/in/data", metadata={"rows": 4})
    arguments = {**given["parameters"], "data": data}
    made = kfps.construct_executor_input(spec, arguments, "/out", False)
    told = kfps.executor_input_to_dict(made, spec)
    command = placeholder_utils.replace_placeholders(
        given["arguments"], told, "pipeline", "task", "/root", "1")
    print(json.dumps([told, command]))
"""
PARAMETERS = {"text": "$(HOME) {x}", "number": 7, "words": ["a", "b"]}


def test_a_task_is_given_what_kfp_would_give_it(
    repo: Repo, by_kfp: Callable[[str, Any], Any]
) -> None:
    """The executor input is ``kfp.local``'s, and so are the arguments that carry it."""
    repo.component("it", {"component.py": COMPONENT})
    compiled = repo.compiled("it")
    ours = executor_input(
        compiled.definition,
        parameters=PARAMETERS,
        artifacts={"data": GivenArtifact(uri="/in/data", name="data", metadata={"rows": 4})},
        folder="/out",
    )
    theirs, command = by_kfp(
        BY_KFP,
        {
            "definition": compiled.definition,
            "parameters": PARAMETERS,
            "arguments": compiled.arguments,
        },
    )
    assert ours == theirs
    found = resolved(compiled.arguments, ours)
    assert json.loads(found[1]) == json.loads(command[1])
    assert (found[0], *found[2:]) == (command[0], *command[2:])


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({}, "the input text is not given"),
        ({"text": "x", "nmber": 1}, "there is no input nmber"),
        ({"text": 3}, "the input text must be a text, not 3"),
        ({"text": "x", "number": True}, "the input number must be a whole number"),
        ({"text": "x", "table": [1]}, "the input table must be a table"),
    ],
)
def test_inputs_that_do_not_fit_are_named(repo: Repo, parameters: Any, says: str) -> None:
    """Before anything runs."""
    repo.component("it", {"component.py": COMPONENT})
    definition = repo.compiled("it").definition
    with pytest.raises(CompileError, match=says):
        executor_input(
            definition,
            parameters=parameters,
            artifacts={"data": GivenArtifact(uri="/in/data")},
            folder="/out",
        )


DEFINITION = {
    "outputDefinitions": {
        "parameters": {
            "rows": {"parameterType": "NUMBER_INTEGER"},
            "flag": {"parameterType": "BOOLEAN"},
        },
        "artifacts": {
            "model": {"artifactType": {"schemaTitle": "system.Model"}},
            "metrics": {"artifactType": {"schemaTitle": "system.Metrics"}},
        },
    }
}


def written(folder: Path, **changes: Any) -> None:
    told: dict[str, Any] = {
        "parameterValues": {"rows": 3, "flag": True},
        "artifacts": {
            name: {"artifacts": [{"name": name, "uri": f"/out/{name}", "metadata": {"a": 1}}]}
            for name in ("model", "metrics")
        },
    }
    (folder / "model").write_text("m")
    (folder / "executor_output.json").write_text(json.dumps(told | changes))


def leading(folder: Path, uri: str) -> None:
    written(folder, artifacts={"model": {"artifacts": [{"uri": uri}]}})


def piped(folder: Path) -> None:
    (folder / "executor_output.json").unlink()
    os.mkfifo(folder / "executor_output.json")


def test_a_path_with_two_slashes_is_the_same(tmp_path: Path) -> None:
    """As it is where the task ran."""
    written(tmp_path)
    told = json.loads((tmp_path / "executor_output.json").read_text())
    told["artifacts"]["model"]["artifacts"][0]["uri"] = "/out//model"
    (tmp_path / "executor_output.json").write_text(json.dumps(told))
    found = read_outputs(DEFINITION, tmp_path, "/out")
    assert found.artifacts["model"].path == tmp_path / "model"


def test_all_that_is_declared_is_read(tmp_path: Path) -> None:
    """A parameter's own file counts as its value; metrics may be metadata alone."""
    written(tmp_path, parameterValues={"rows": 3})
    (tmp_path / "flag").write_text("True")
    found = read_outputs(DEFINITION, tmp_path, "/out")
    assert found.parameters == {"rows": 3, "flag": True}
    assert found.artifacts["model"].path == tmp_path / "model"
    assert found.artifacts["metrics"].metadata == {"a": 1}


def missing(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def linked(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to("/etc/hostname")

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (missing("executor_output.json"), "it wrote no executor_output.json"),
        (missing("model"), "it wrote nothing for its output model"),
        (
            lambda folder: written(folder, parameterValues={"rows": 3}),
            "no value for its output flag",
        ),
        (
            lambda folder: written(folder, parameterValues={"rows": 0.5, "flag": True}),
            "rows must be a whole number, not 0.5",
        ),
        (lambda folder: written(folder, parameterValues={"rows": float("nan")}), "NaN is no JSON"),
        (lambda folder: written(folder, artifacts={}), "does not tell of its output model"),
        (lambda folder: written(folder, artifacts=[]), "is not an executor output"),
        (lambda folder: (folder / "executor_output.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "flag").write_text("perhaps"), "flag cannot be read"),
        (lambda folder: leading(folder, "/out/../model"), "leads out"),
        (lambda folder: leading(folder, "/out/a\0b"), "leads nowhere"),
        (piped, "executor_output.json is no file"),
        (linked("model"), "model leads out"),
        (linked("flag"), "flag leads out"),
        (linked("executor_output.json"), "json leads out"),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    tmp_path: Path, change: Callable[[Path], Any], says: str
) -> None:
    """What a backend would refuse, and links to what is not the task's."""
    written(tmp_path)
    change(tmp_path)
    with pytest.raises(TaskOutputError, match=says):
        read_outputs(DEFINITION, tmp_path, "/out")
