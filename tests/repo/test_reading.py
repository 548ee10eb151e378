"""Environments, components and settings are read into values; every complaint names its place."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eggcrate.errors import ConfigError, UsageError
from eggcrate.repo.components import read_component
from eggcrate.repo.environments import read_environment
from eggcrate.repo.monorepo import find_root, pick, read_monorepo
from eggcrate.repo.quantities import parse_size
from eggcrate.repo.settings import read_settings


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_an_environment_is_a_standard_project_with_a_few_settings(tmp_path: Path) -> None:
    """Standard metadata first; everything under [tool.eggcrate] has a default."""
    folder = tmp_path / "mine-1"
    write(
        folder / "pyproject.toml",
        '[project]\ndescription = "d"\nrequires-python = ">=3.11"\ndependencies = ["pandas>=2"]\n'
        '[tool.eggcrate]\nowner = "me"\nsupported-until = 2027-12-31\n',
    )
    found = read_environment(folder)
    assert (found.name, found.dependencies, found.base) == ("mine-1", ("pandas>=2",), "")
    assert (found.platforms, found.compile, found.user) == (("linux/amd64",), True, "")
    assert found.supported_until == date(2027, 12, 31)


@pytest.mark.parametrize(
    ("text", "where", "hint"),
    [
        ('[tool.eggcrate]\nowner = "x"\nbse = "python-3.11"\n', ":3: tool.eggcrate.bse", "'base'"),
        ("[tool.eggcrate]\nowner = 3\n", ":2: tool.eggcrate.owner must be a string", ""),
        ('[tool.eggcrate]\ncompile = "yes"\n', ":2: tool.eggcrate.compile must be true", ""),
        ('[tool.eggcrate]\nuser = "me"\n', ":2: tool.eggcrate.user must be root or nonroot", ""),
        ("[tool.eggcrate]\nplatforms = []\n", ":2: tool.eggcrate.platforms must name", ""),
        ('[project]\nrequires-python = "3.11 or so"\n', ":2: project.requires-python", ""),
        ('[project]\ndependencies = [\n  "pandas",\n  "not a = name",\n]\n', ":4: 'not a", ""),
        ("[project\n", "is not valid TOML", ""),
    ],
)
def test_a_mistake_names_file_line_and_way_out(
    tmp_path: Path, text: str, where: str, hint: str
) -> None:
    """A typo in a setting, a wrong type, a bad requirement: each with its line."""
    write(tmp_path / "env" / "pyproject.toml", text)
    with pytest.raises(ConfigError) as caught:
        read_environment(tmp_path / "env")
    assert where in caught.value.what
    assert hint in caught.value.hint


def test_who_an_image_runs_as_is_asked_for_once(tmp_path: Path) -> None:
    """In the settings, or in the ``Dockerfile``: never in both."""
    folder = tmp_path / "mine"
    write(folder / "pyproject.toml", '[tool.eggcrate]\nuser = "nonroot"\n')
    assert read_environment(folder).user == "nonroot"
    write(folder / "Dockerfile", "FROM x\n")
    with pytest.raises(ConfigError, match=r":2: tool\.eggcrate\.user is the Dockerfile's to set"):
        read_environment(folder)


def test_poetry_notation_gives_requires_python(tmp_path: Path) -> None:
    """A project in Poetry's own tables says which Python it wants, too."""
    write(
        tmp_path / "env" / "pyproject.toml",
        '[tool.poetry.dependencies]\npython = "^3.11"\npandas = "^2"\n',
    )
    assert read_environment(tmp_path / "env").requires_python == ">=3.11,<4.0"


def test_one_broken_environment_does_not_hide_the_others(tmp_path: Path) -> None:
    """What cannot be read is kept with its error beside what can."""
    write(tmp_path / "environments/good/pyproject.toml", "[project]\n")
    write(tmp_path / "environments/bad/pyproject.toml", "[project\n")
    write(tmp_path / "environments/_template/pyproject.toml", "[project]\n")
    write(tmp_path / "environments/stray.txt", "")
    write(tmp_path / "bases/odd/base.toml", "suite = 3\n")
    (tmp_path / "bases/left-behind").mkdir()  # git removes files, not what lies beside them
    write(tmp_path / "components/step/pyproject.toml", "[project]\n")
    write(tmp_path / "components/shared/frames.py", "")
    write(tmp_path / "components/_template/pyproject.toml", "[project]\n")
    repo = read_monorepo(tmp_path)
    assert (list(repo.environments), list(repo.components)) == (["good"], ["step"])
    assert list(repo.broken) == ["bases/odd", "environments/bad"]
    assert repo.bases == {}


def test_a_component_has_flavours_and_limits(tmp_path: Path) -> None:
    """Flavours are optional dependencies; limits and data are settings."""
    write(
        tmp_path / "train_model" / "pyproject.toml",
        '[project]\ndependencies = ["pandas"]\n[project.optional-dependencies]\n'
        'sklearn = ["scikit-learn>=1.3"]\n[tool.eggcrate]\nmemory = "2GiB"\ntimeout = 60\n'
        'data = ["*.sql"]\nenvironment = "sklearn-1-5"\n',
    )
    found = read_component(tmp_path / "train_model")
    assert found.flavours == {"sklearn": ("scikit-learn>=1.3",)}
    assert (found.memory, found.timeout, found.data) == ("2GiB", 60.0, ("*.sql",))


@pytest.mark.parametrize(
    ("folder", "text", "problem"),
    [
        ("train-model", "", "not a name Python can import"),
        ("step", '[tool.eggcrate]\nmemory = "lots"\n', "is not a size"),
        ("step", "[tool.eggcrate]\ntimeout = -1\n", "must be a positive number"),
        ("step", '[tool.eggcrate.stand-ins]\nxgboost = "xgboost-cpu"\n', ":2: .*must be a list"),
    ],
)
def test_a_component_that_cannot_work_is_refused(
    tmp_path: Path, folder: str, text: str, problem: str
) -> None:
    """A name that cannot be imported and limits that mean nothing."""
    write(tmp_path / folder / "pyproject.toml", text)
    with pytest.raises(ConfigError, match=problem):
        read_component(tmp_path / folder)


def test_a_typo_gets_the_nearest_name() -> None:
    """An environment that does not exist: the error suggests the one that was meant."""
    with pytest.raises(UsageError) as caught:
        pick("environment", ["sklearn-1.5"], ["sklearn-1-5", "xgboost-2"])
    assert "sklearn-1-5" in caught.value.hint
    assert pick("environment", [], ["b", "a"]) == ("a", "b")


def test_the_root_is_found_from_anywhere_inside(tmp_path: Path) -> None:
    """Commands work in any folder of the repository, and say so outside of one."""
    (tmp_path / "environments").mkdir()
    (tmp_path / "components" / "deep" / "down").mkdir(parents=True)
    assert find_root(tmp_path / "components" / "deep" / "down") == tmp_path
    with pytest.raises(UsageError, match="not in an Eggcrate repository"):
        find_root(Path("/"))


def test_a_repository_without_components_is_one(tmp_path: Path) -> None:
    """Git keeps no empty folder: the first environment comes before the first component."""
    write(tmp_path / "environments/good/pyproject.toml", "[project]\n")
    (tmp_path / "bases").mkdir()
    assert find_root(tmp_path / "environments") == tmp_path
    assert list(read_monorepo(tmp_path).environments) == ["good"]


def test_settings_come_from_file_then_environment_and_say_so(tmp_path: Path) -> None:
    """A variable overrides the file, the file the default; each value knows its origin."""
    write(tmp_path / "pyproject.toml", '[tool.eggcrate]\nmemory = "1GiB"\nruntime = "docker"\n')
    settings = read_settings(tmp_path, {"EGGCRATE_RUNTIME": "sandbox", "HOME": "/home/me"})
    origins = {item.name: item.origin for item in settings.origins}
    assert (settings.runtime, settings.memory) == ("sandbox", 1 << 30)
    assert origins["runtime"] == "$EGGCRATE_RUNTIME"
    assert origins["memory"] == "pyproject.toml:2"
    assert origins["timeout"] == "default"
    assert settings.cache == Path("/home/me/.cache/eggcrate")


@pytest.mark.parametrize(
    ("name", "value"),
    [("RUNTIME", "lxc"), ("MEMORY", "much"), ("TIMEOUT", "0"), ("JOBS", "-1"), ("JOBS", "nan")],
)
def test_a_setting_that_means_nothing_is_refused(tmp_path: Path, name: str, value: str) -> None:
    """The error says which setting, which value, and where it came from."""
    write(tmp_path / "pyproject.toml", "")
    with pytest.raises(ConfigError) as caught:
        read_settings(tmp_path, {f"EGGCRATE_{name}": value, "HOME": "/"})
    assert f"$EGGCRATE_{name}" in caught.value.why


@given(st.integers(1, 10**15))
def test_a_plain_number_is_a_size_in_bytes(size: int) -> None:
    """Sizes without a unit are bytes; powers of two and of ten are told apart."""
    assert parse_size(str(size)) == size
    assert parse_size(f"{size}KiB") == size * 1024
    assert parse_size(f"{size} kB") == size * 1000


@pytest.mark.parametrize("text", ["", "GiB", "-1", "0", "1 XB", "1e3", "1GiB2"])
def test_what_is_not_a_size_is_refused(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="not a size"):
        parse_size(text)
