"""``eggcrate compile``: pipelines with images by digest, the same bytes everywhere."""

from __future__ import annotations

import base64
import importlib.util
import json
import random
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from support.planning import package
from support.repository import Repository, make_repository

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("kfp") is None,
    reason="kfp (the extra `pipelines`) is not installed: run `make setup`",
)

FILES = {
    "components/__init__.py": "",
    "components/shared/__init__.py": "",
    "components/shared/sums.py": "def add(a, b):\n    return a + b\n",
    "components/shared/other.py": "# nobody imports this\n",
    "components/count/__init__.py": "",
    "components/count/pyproject.toml": """
        [project]
        name = "count"
        requires-python = ">=3.11"
        dependencies = ["pandas>=2"]

        [tool.eggcrate]
        environment = "one"
        env = { TZ = "UTC" }

        [tool.eggcrate.task]
        cpu = 2
        memory = "4Gi"
        accelerator = "NVIDIA_TESLA_T4"
        retries = 3
        timeout = 900
        cache = false
    """,
    "components/count/component.py": """
        import pandas as pd
        from kfp.dsl import Dataset, Output

        from components.shared.sums import add
        from eggcrate import component


        @component
        def count(x: int, table: Output[Dataset]) -> int:
            pd.DataFrame().to_csv(table.path)
            return add(x, 1)
    """,
    "pipelines/counting/pipeline.py": """
        from kfp import dsl

        from components.count.component import count
        from eggcrate import set_timeout


        @dsl.pipeline
        def counting(x: int, y: float = 0.5):
            first = count(x=x)
            second = count(x=first.outputs["Output"], environment="two")
            second.set_cpu_limit("8")
            set_timeout(second, 60)
    """,
    "pipelines/counting/config.toml": """
        [parameters]
        y = 0.25

        [projects.small.parameters]
        x = 1
    """,
}


def write(repository: Repository, path: str, text: str) -> None:
    file = repository.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text).lstrip("\n"))


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return filled(tmp_path)


def filled(folder: Path) -> Repository:
    made = make_repository(folder / "repo", folder / "cache")
    made.environment("one", (package("pandas", "2.2"),))
    made.environment("two", (package("pandas", "2.1"),))
    made.environment("old", (package("pandas", "1.5"),))
    for path, text in FILES.items():
        write(made, path, text)
    return made


def compiled(repository: Repository) -> dict[str, Any]:
    """The compiled pipeline. Nothing is built: images have digests of zeros."""
    ran = repository.run("compile", "--dry-run", "--json")
    assert ran.code == 0, ran.err + ran.out
    [told] = json.loads(ran.out)["pipelines"]
    found: dict[str, Any] = told
    return found


def refused(repository: Repository) -> str:
    ran = repository.run("compile", "--dry-run")
    assert ran.code == 1, ran.out
    assert "Traceback" not in ran.err
    return ran.err


def test_images_and_parameters_are_told(repository: Repository) -> None:
    """Each task in its environment; nothing is written by a dry run."""
    told = compiled(repository)
    assert [task["image"].partition("@sha256:")[0] for task in told["tasks"]] == [
        "localhost/eggcrate/one",
        "localhost/eggcrate/two",
    ]
    assert told["parameters"] == {"x": "NUMBER_INTEGER", "y": "NUMBER_DOUBLE"}
    assert not (repository.root / "build").exists()


def test_the_same_bytes_from_another_checkout(repository: Repository, tmp_path: Path) -> None:
    """Whatever folder, and whatever of the repository nobody imports; a helper's line counts."""
    first = compiled(repository)["sha256"]
    other = filled(tmp_path / "another" / "place")
    write(other, "components/shared/other.py", "# a comment\n")
    (other.root / "components/count/component.py").chmod(0o600)
    assert compiled(other)["sha256"] == first
    write(other, "components/shared/sums.py", "def add(a, b):\n    return b + a\n")
    assert compiled(other)["sha256"] != first


def test_an_environment_that_does_not_fit(repository: Repository) -> None:
    """Found at compile time, with the requirement that fails, or the names that there are."""
    path = "pipelines/counting/pipeline.py"
    text = (repository.root / path).read_text()
    write(repository, path, text.replace('"two"', '"old"'))
    told = refused(repository)
    assert "count cannot run in environment old" in told
    assert "needs pandas>=2, has 1.5" in told
    write(repository, path, text.replace('"two"', '"tow"'))
    told = refused(repository)
    assert "there is no environment 'tow'" in told
    assert "there are: old, one, two" in told


CONFIGS = {
    "unknown": (
        "[parameters]\nz = 1\n",
        "config.toml:2: parameters.z is not a parameter of unknown",
    ),
    "mistyped": ("[parameters]\nx = 'a'\n", "config.toml:2: parameters.x must be a whole number"),
    "missing": ("[projects.a]\n", "missing: x has no value in project a"),
    "misspelt": ("[project.a]\n", "config.toml:1: project is not a setting Eggcrate knows"),
    "unstaged": (
        "[projects.a.parameters]\nx = 1\n[projects.a.stages.b.parameters]\nx = 2\n",
        "is a stage that [stages] does not name",
    ),
}
MISTAKES = {
    "named": ("count(x=x)", "count(x=x, nmae=1)", 'got an unexpected keyword argument "nmae"'),
    "shared": ("count(x=x)", "count(x=x, share='bag')", "no way to share code called 'bag'"),
    "placed": ("count(x=x)", "count(x=x, environment=y)", "cannot be an environment"),
    "marked": ("@dsl.pipeline", "", "has no pipeline in it"),
    "imported": ("import count", "import counts", "cannot import name 'counts'"),
    "raised": (
        "@dsl.pipeline",
        "1 / 0\n\n        @dsl.pipeline",
        "ZeroDivisionError: division by zero (",
    ),
}


def errors(repository: Repository, files: dict[str, dict[str, str]]) -> dict[str, str]:
    """What is told of each pipeline, all compiled by one run."""
    for name, texts in files.items():
        for file, text in texts.items():
            renamed = text.replace("def counting(", f"def {name}(")
            write(repository, f"pipelines/{name}/{file}", renamed)
    ran = repository.run("compile", "--dry-run", "--json", *files, "counting")
    assert ran.code == 1
    assert "Traceback" not in ran.err
    told = {item["name"]: item for item in json.loads(ran.out)["pipelines"]}
    assert told.pop("counting")["tasks"]  # it is not stopped by the others
    return {name: item["error"] for name, item in told.items()}


def test_a_configuration_that_does_not_fit(repository: Repository) -> None:
    """With file and line: its users see nothing else of the pipeline."""
    pipeline = FILES["pipelines/counting/pipeline.py"]
    files = {
        name: {"pipeline.py": pipeline, "config.toml": text} for name, (text, _) in CONFIGS.items()
    }
    found = errors(repository, files)
    for name, (_, told) in CONFIGS.items():
        assert told in found[name]


def test_mistakes_of_authors(repository: Repository) -> None:
    """In a pipeline's file, each told in a sentence, with the line."""
    pipeline = FILES["pipelines/counting/pipeline.py"]
    files = {
        name: {"pipeline.py": pipeline.replace(before, after)}
        for name, (before, after, _) in MISTAKES.items()
    }
    found = errors(repository, files)
    for name, (_, _, told) in MISTAKES.items():
        assert told in found[name]
    assert "(pipelines/raised/pipeline.py, line 7)" in found["raised"]


def test_the_nearest_name(repository: Repository) -> None:
    """Of a pipeline that does not exist."""
    ran = repository.run("compile", "contign")
    assert ran.code == 2
    assert "did you mean counting?" in ran.err


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ('cpu = "many"', "task.cpu is 'many'; KFP takes processors"),
        ("accelerators = 2", "task.accelerators needs accelerator"),
        ("retries = 11", "task.retries must be one of"),
        ("tmieout = 1", "did you mean 'timeout'?"),
    ],
)
def test_settings_of_tasks_are_checked(repository: Repository, setting: str, told: str) -> None:
    """With file and line."""
    path = "components/count/pyproject.toml"
    text = (repository.root / path).read_text().partition("[tool.eggcrate.task]")[0]
    write(repository, path, f"{text}[tool.eggcrate.task]\n{setting}\n")
    assert told in refused(repository)


@pytest.mark.network  # the base's packages, when no cache holds them
def test_what_is_written(repository: Repository) -> None:
    """KFP's own format: settings reach the tasks, and what the pipeline says comes after them."""
    from support.repository import take_debs  # noqa: PLC0415 - for this test alone

    take_debs(repository.cache)
    for name in ("one", "two"):
        repository.environment(name, ())
    path = "components/count/pyproject.toml"
    text = (repository.root / path).read_text()
    write(repository, path, text.replace('"pandas>=2"', ""))
    component = (repository.root / "components/count/component.py").read_text()
    write(
        repository,
        "components/count/component.py",
        component.replace("import pandas as pd\n", "").replace(
            "pd.DataFrame().to_csv(table.path)", "pass"
        ),
    )
    ran = repository.run("compile")
    assert ran.code == 0, ran.err
    file = repository.root / "build/pipelines/counting.yaml"
    spec = yaml.safe_load(file.read_text())
    first, second = (
        executor["container"] for _, executor in sorted(spec["deploymentSpec"]["executors"].items())
    )
    digests = {ref: item.digest for ref, item in repository.store.refs().items()}
    assert first["image"] == f"localhost/eggcrate/one@{digests['one']}"
    assert second["image"] == f"localhost/eggcrate/two@{digests['two']}"
    assert first["resources"]["resourceCpuLimit"] == "2"
    assert second["resources"]["resourceCpuLimit"] == "8"
    assert first["resources"]["resourceMemoryLimit"] == "4Gi"
    assert first["resources"]["accelerator"]["resourceType"] == "NVIDIA_TESLA_T4"
    assert {"name": "EGGCRATE_TIMEOUT", "value": "900"} in first["env"]
    assert {"name": "EGGCRATE_TIMEOUT", "value": "60"} in second["env"]
    assert {"name": "TZ", "value": "UTC"} in first["env"]
    tasks = spec["root"]["dag"]["tasks"]
    assert tasks["count"]["retryPolicy"]["maxRetryCount"] == 3
    assert tasks["count"]["cachingOptions"] == {}
    assert tasks["count-2"]["dependentTasks"] == ["count"]
    before = file.read_bytes()
    assert repository.run("compile").code == 0
    assert file.read_bytes() == before


def test_a_run_says_where_and_what(repository: Repository) -> None:
    """A pipeline that is not there, a place too many, or no compiled pipeline: told before."""
    ran = repository.run("run", "countin")
    assert ran.code == 2
    assert "did you mean counting" in ran.err
    ran = repository.run("run", "counting", "--local", "--vertex")
    assert ran.code == 2
    assert "--local is this machine" in ran.err
    ran = repository.run("run", "counting", "--vertex")
    assert ran.code == 1
    assert "compile it first: eggcrate compile" in ran.err


def heavy(repository: Repository, times: int) -> None:
    """A pipeline of so many components, each with 66 kB of data that nothing makes smaller."""
    data = base64.b64encode(random.Random(times).randbytes(50_000)).decode()  # noqa: S311 - a filler
    component = FILES["components/count/component.py"]
    settings = FILES["components/count/pyproject.toml"]
    for name in (f"count{at}" for at in range(times)):
        write(repository, f"components/{name}/__init__.py", f'DATA = "{data}"\n')
        write(
            repository,
            f"components/{name}/pyproject.toml",
            settings.replace('"count"', f'"{name}"'),
        )
        write(
            repository,
            f"components/{name}/component.py",
            component.replace("def count", f"def {name}"),
        )
    lines = [f"from components.count{at}.component import count{at}" for at in range(times)]
    lines += [
        "from kfp import dsl",
        "",
        "",
        "@dsl.pipeline",
        "def counting(x: int, y: float = 0.5):",
    ]
    lines += [f"    count{at}(x=x)" for at in range(times)]
    write(repository, "pipelines/counting/pipeline.py", "\n".join(lines) + "\n")


def test_a_pipeline_that_kubeflow_cannot_finish_is_warned_of(repository: Repository) -> None:
    """Not where it goes to Vertex AI alone, nor when its code travels in images instead."""
    heavy(repository, 3)
    ran = repository.run("compile", "--dry-run", "--json")
    assert ran.code == 0, ran.err
    [warning] = json.loads(ran.out)["pipelines"][0]["warnings"]
    assert "counting: a run of it on Kubeflow takes about 1.5 MB" in warning
    assert warning in ran.err
    for quiet in (["--for", "vertex"], ["--share", "image"]):
        ran = repository.run("compile", "--dry-run", "--json", *quiet)
        assert ran.code == 0, ran.err
        [told] = json.loads(ran.out)["pipelines"]
        assert told["warnings"] == []
    assert {task["share"] for task in told["tasks"]} == {"image"}
    assert max(task["command"] for task in told["tasks"]) < 2000


def test_what_was_chosen_otherwise_stays(repository: Repository) -> None:
    """The flag is for code that would be injected."""
    path = "pipelines/counting/pipeline.py"
    text = (repository.root / path).read_text()
    write(repository, path, text.replace("count(x=x)", "count(x=x, share='config-map')"))
    ran = repository.run("compile", "--dry-run", "--json", "--share", "image")
    [told] = json.loads(ran.out)["pipelines"]
    assert [task["share"] for task in told["tasks"]] == ["config-map", "image"]
