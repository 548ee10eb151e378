"""What travels works: run from the command alone, by a Python with the standard library alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from eggcrate.pipelines.launch import GivenArtifact

if TYPE_CHECKING:
    from pathlib import Path

    from support.compiled import Repo

HELPERS = {
    "components/shared/__init__.py": "",
    "components/shared/deep/__init__.py": "from .one import ONE\n",
    "components/shared/deep/one.py": "from ..two import two\nONE = two() - 1\n",
    "components/shared/two.py": """
        def two():
            return 2


        def fail(text):
            raise ValueError(text)
    """,
}
MAIN = """
    import json
    import pickle
    import subprocess
    import sys
    from concurrent.futures import ProcessPoolExecutor
    from dataclasses import dataclass
    from importlib import resources
    from multiprocessing import get_context
    from pathlib import Path
    from typing import NamedTuple

    from components.shared import deep
    from eggcrate import component
    from kfp.dsl import Dataset, Input, Metrics, Model, Output, OutputPath

    from . import queries
    from .inner.steps import Step, square


    @dataclass(frozen=True)
    class Row:
        name: str
        step: Step


    class Given(NamedTuple):
        rows: int
        told: dict


    @component
    def whole(
        data: Input[Dataset],
        model: Output[Model],
        metrics: Output[Metrics],
        note: OutputPath(str),
        times: int = 2,
    ) -> Given:
        row = pickle.loads(pickle.dumps(Row("a", Step.FIRST)))
        child = "from components.shared import deep; print(deep.ONE)"
        argv = [sys.executable, "-S", "-c", child]
        by_child = subprocess.run(argv, capture_output=True, text=True)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            by_process = pool.submit(square, 5).result()
        told = {
            "query": resources.files(queries).joinpath("all.sql").read_text().strip(),
            "beside": Path(__file__).with_name("words.txt").read_text().strip(),
            "row": [row.name, row.step.value, type(row).__module__],
            "child": by_child.stdout.strip() or by_child.stderr,
            "process": by_process,
            "one": deep.ONE,
            "arguments": len(sys.argv),
        }
        Path(model.path).write_text(Path(data.path).read_text() * times)
        model.framework = "none"
        metrics.log_metric("share", 0.5)
        Path(note).write_text("written")
        return Given(rows=3, told=told)
"""


def test_a_component_finds_everything_that_it_had_at_home(repo: Repo, tmp_path: Path) -> None:
    """Top-level, relative and nested imports, data, resources, pickles, child processes."""
    repo.write(HELPERS)
    repo.component(
        "whole",
        {
            "__init__.py": "",
            "component.py": MAIN,
            "words.txt": "beside the code\n",
            "queries/__init__.py": "",
            "queries/all.sql": "select 1\n",
            "inner/__init__.py": "",
            "inner/steps.py": "import enum\n\n\nclass Step(enum.Enum):\n    FIRST = 'first'\n"
            "\n\ndef square(number):\n    return number * number\n",
            "tests/test_it.py": "",
        },
        'data = ["*.txt", "queries/*.sql"]\n',
    )
    data = tmp_path / "data.csv"
    data.write_text("a,b\n")
    ran = repo.run("whole", artifacts={"data": GivenArtifact(uri=str(data))}, times=3)
    assert ran.code == 0, ran.output
    given = ran.outputs()
    assert given.parameters["rows"] == 3
    assert given.parameters["note"] == "written"
    assert given.parameters["told"] == {
        "query": "select 1",
        "beside": "beside the code",
        "row": ["a", "first", "components.whole.component"],
        "child": "1",
        "process": 25,
        "one": 1,
        "arguments": 7,
    }
    model = given.artifacts["model"]
    assert model.path is not None
    assert model.path.read_text() == "a,b\n" * 3
    assert model.metadata == {"framework": "none"}
    assert given.artifacts["metrics"].metadata == {"share": 0.5}
    assert given.artifacts["metrics"].path is None
    assert not [name for name in ran.compiled.bundle.files if "tests" in name]


def test_a_traceback_names_the_repositorys_files_and_lines(repo: Repo) -> None:
    """Of a component that raises in a helper's helper."""
    repo.write(HELPERS)
    repo.write(
        {"components/shared/one.py": "from .two import fail\n\ndef one():\n    fail('no')\n"}
    )
    repo.component(
        "it",
        {
            "component.py": """
                from components.shared.one import one
                from eggcrate import component


                @component
                def it(name: str = "x"):
                    one()
            """
        },
    )
    ran = repo.run("it")
    assert ran.code == 1
    for place in (
        '/components/it/component.py", line 7, in it',
        '/components/shared/one.py", line 4, in one',
        '/components/shared/two.py", line 6, in fail',
    ):
        assert place in ran.output
    assert "    one()\n" in ran.output
    assert ran.output.rstrip().endswith("ValueError: no")


def test_a_module_of_the_working_directory_is_not_imported(repo: Repo, tmp_path: Path) -> None:
    """Whatever lies where the container starts; what is on ``PYTHONPATH`` comes after ours."""
    for name in ("json", "base64", "zlib"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the wrong module')\n")
    other = tmp_path / "other" / "components"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("raise RuntimeError('the wrong components')\n")
    (tmp_path / "other" / "beyond.py").write_text("VALUE = 'from PYTHONPATH'\n")
    repo.component(
        "it",
        {
            "component.py": """
                import os

                import beyond
                from eggcrate import component


                @component
                def it(text: str) -> str:
                    return f"{text} {beyond.VALUE} {os.environ['PYTHONPATH'].count('other')}"
            """
        },
    )
    ran = repo.run("it", env={"PYTHONPATH": str(tmp_path / "other")}, text="$(HOME) {{x}} 'ä'")
    assert ran.code == 0, ran.output
    assert ran.outputs().parameters == {"Output": "$(HOME) {{x}} 'ä' from PYTHONPATH 1"}
    written = json.loads((ran.folder / "executor_output.json").read_text())
    assert written["parameterValues"]["Output"].startswith("$(HOME)")


def test_a_comment_in_an_unrelated_module_changes_nothing(repo: Repo) -> None:
    """One in a module that travels does: what runs is what is in the repository."""
    repo.write(HELPERS)
    repo.component(
        "it",
        {
            "component.py": "from components.shared import two\nfrom eggcrate import component\n"
            "\n\n@component\ndef it(x: int = 1) -> int:\n    return x\n"
        },
    )
    before = repo.compiled("it").bundle.sha256
    with (repo.root / "components/shared/deep/one.py").open("a") as file:
        file.write("# more\n")
    assert repo.compiled("it").bundle.sha256 == before
    with (repo.root / "components/shared/two.py").open("a") as file:
        file.write("# more\n")
    assert repo.compiled("it").bundle.sha256 != before
