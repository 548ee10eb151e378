"""What components and pipelines take and give, as their sources say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import SourceError
from eggcrate.repo.signatures import PortKind, read_signature
from eggcrate.repo.steps import Step, read_steps

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = '''
"""A module."""
from typing import Annotated, NamedTuple
from kfp import dsl
from kfp.dsl import Input, InputPath, Output, Dataset
from eggcrate import component

class Told(NamedTuple):
    """What it says."""
    rows: int
    table: dsl.Dataset

def _helper(): ...

@component
def join(
    left: Input[Dataset], right: dsl.Input[dsl.Artifact], old: InputPath("CSV"),
    model: Annotated[Output[dsl.Model], "x"], how: str = "inner|outer", *,
    limit: int = -1, any_=None,
) -> Told:
    """Join two tables.

    Rows that match nothing are lost.

    Args:
        left: The first one,
            on two lines.
        how (str): How, such as ``a: b``.

    Returns:
        Rows.
    """
'''


def test_ports_are_told_as_they_are_written(tmp_path: Path) -> None:
    """Artifacts in every spelling, defaults, keyword-only ones, outputs of both kinds."""
    path = tmp_path / "component.py"
    path.write_text(SOURCE)
    found = read_signature(path, "join")
    assert (found.summary, found.text) == ("Join two tables.", "Rows that match nothing are lost.")
    inputs = [(port.name, port.kind.value, port.type, port.default) for port in found.inputs]
    assert inputs == [
        ("left", "artifact", "Dataset", None),
        ("right", "artifact", "Artifact", None),
        ("old", "artifact", "CSV", None),
        ("how", "parameter", "str", "'inner|outer'"),
        ("limit", "parameter", "int", "-1"),
        ("any_", "parameter", "", "None"),
    ]
    outputs = [(port.name, port.kind, port.type) for port in found.outputs]
    assert outputs == [
        ("model", PortKind.ARTIFACT, "Model"),
        ("rows", PortKind.PARAMETER, "int"),
        ("table", PortKind.ARTIFACT, "Dataset"),
    ]
    assert [port.about for port in found.inputs[:4]] == [
        *("The first one, on two lines.", "", "", "How, such as ``a: b``."),
    ]


@pytest.mark.parametrize(
    ("returns", "outputs"),
    [
        ("", []),
        (" -> None", []),
        (" -> int", [("Output", "int")]),
        (" -> dsl.Model", [("Output", "Model")]),
        (" -> NamedTuple('T', [('a', int), ('b', str)])", [("a", "int"), ("b", "str")]),
        (" -> 'Later'", [("c", "float")]),
    ],
)
def test_what_is_returned(returns: str, outputs: list[tuple[str, str]], tmp_path: Path) -> None:
    """Nothing, one value, or the fields of a named tuple, in each way to write one."""
    path = tmp_path / "component.py"
    path.write_text(f"def any_name(){returns}: ...\nclass Later(NamedTuple):\n    c: float\n")
    found = read_signature(path, "another")
    assert [(port.name, port.type) for port in found.outputs] == outputs


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def a(): ...\ndef b(): ...\n", "it has 2 public functions"),
        ("x = 1\n", "it has 0 public functions"),
        ("def a(:\n", ":1: is not valid Python"),
        ("def a(): '\0'\n", "is not valid Python"),
    ],
)
def test_a_source_that_does_not_say(source: str, told: str, tmp_path: Path) -> None:
    """It is an error that names the file, and no guess."""
    path = tmp_path / "component.py"
    path.write_text(source)
    with pytest.raises(SourceError, match=r"component\.py") as caught:
        read_signature(path, "join")
    assert told in str(caught.value)
    with pytest.raises(SourceError, match="cannot be read"):
        read_signature(tmp_path / "absent.py", "join")


def test_steps_are_calls_of_components(tmp_path: Path) -> None:
    """In the order of lines, under whatever names they were imported; helpers are none."""
    path = tmp_path / "pipeline.py"
    path.write_text(
        "import components.load.component\nimport components.load.component as loader\n"
        "from components import tidy\nfrom components.join import component as joining\n"
        "from components.train.component import train as fit\n"
        "from components.shared.text import tidy_up\nfrom kfp import dsl\n"
        "WHERE = 'b'\n"
        "def pipe():\n"
        "    with dsl.ParallelFor([1]):\n"
        "        fit(x=tidy_up(1), environment='a')\n"
        "    loader.load(environment=WHERE); components.load.component.load()\n"
        "    tidy.component.tidy; joining.join()\n"
    )
    assert read_steps(path) == (
        Step(component="train", environment="a"),
        Step(component="load", environment="", chosen=True),
        Step(component="load", environment=""),
        Step(component="join", environment=""),
    )
