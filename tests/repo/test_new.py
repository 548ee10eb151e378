"""Names, texts and answers of what `eggcrate new` makes."""

from __future__ import annotations

import ast
import io
import sys
import tomllib
from datetime import date
from pathlib import Path

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from eggcrate.errors import ConfigError, UsageError
from eggcrate.questions import NobodyToAsk, Terminal, questions
from eggcrate.repo.known_answers import read_answers, remember
from eggcrate.repo.names import FOLDERS, check_new_name, is_slip, near_names
from eggcrate.repo.new_code import (
    check_description,
    parsed,
    read_inputs,
    renamed_files,
    with_inputs,
)
from eggcrate.repo.new_environment import (
    NewEnvironment,
    default_description,
    derived_description,
    environment_text,
    minor_of,
    python_range_of,
)
from support.repository import HERE
from support.terminals import Terminal as Screen

PATH = Path("environments/x/pyproject.toml")
COMPONENT = HERE / "components" / "_template"


@pytest.mark.parametrize(
    ("kind", "name", "better"),
    [
        ("environment", "Sklearn 1.8", "sklearn-1-8"),
        ("environment", "../x", "x"),
        ("environment", "a--b", "a-b"),
        ("environment", "_template", "template"),
        ("environment", "", "NAME"),
        ("component", "train-model", "train_model"),
        ("component", "2d", "NAME"),
        ("component", "class", "NAME"),
        ("component", "_hidden", "hidden"),
        ("pipeline", "a/b", "a_b"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_one_that_can(
    tmp_path: Path, kind: str, name: str, better: str
) -> None:
    """The rule is told, and a name that obeys it."""
    with pytest.raises(UsageError, match="is not a name") as caught:
        check_new_name(kind, name, tmp_path)
    assert caught.value.hint == f"eggcrate new {kind} {better}"
    if better != "NAME":
        check_new_name(kind, better, tmp_path)


@pytest.mark.parametrize("kind", FOLDERS)
def test_nothing_is_overwritten(tmp_path: Path, kind: str) -> None:
    """Not even an empty folder, or a file."""
    (tmp_path / FOLDERS[kind]).mkdir()
    (tmp_path / FOLDERS[kind] / "mine").touch()
    with pytest.raises(UsageError, match=f"there is {FOLDERS[kind]}/mine already"):
        check_new_name(kind, "mine", tmp_path)


def test_helpers_are_not_components(tmp_path: Path) -> None:
    """`components/shared` is no place for one, whether it is there or not."""
    with pytest.raises(UsageError, match="shared"):
        check_new_name("component", "shared", tmp_path)


def test_a_slip_is_told_and_a_family_is_not() -> None:
    """Names that differ in a digit are relatives; in a letter, perhaps the same."""
    existing = ["sklearn-1-7", "sklearn-1-5", "train_model"]
    assert near_names("sklearn-1-8", existing) == []
    assert near_names("sklern-1-7", existing) == ["sklearn-1-7"]
    assert near_names("skelarn-1-7", existing) == ["sklearn-1-7"]
    assert near_names("train-model", existing) == ["train_model"]
    assert near_names("train_models", existing) == ["train_model"]
    assert near_names("other", existing) == []


@given(st.text("abc1-", min_size=1, max_size=8), st.text("abc1-", min_size=1, max_size=8))
def test_a_slip_is_mutual_in_letters(one: str, other: str) -> None:
    """Whoever is taken for another, the other is taken for; nobody for himself."""
    letters = str.maketrans("1-", "xy")
    a, b = one.translate(letters), other.translate(letters)
    assert is_slip(a, b) == is_slip(b, a)
    assert not is_slip(a, a)


@pytest.mark.parametrize(
    ("description", "before", "after", "wanted"),
    [
        ("scikit-learn 1.7 with pandas 2", "sklearn-1-7", "sklearn-1-8", "scikit-learn 1.8 with"),
        ("sklearn-1-7, for old models", "sklearn-1-7", "sklearn-2", "sklearn-2, for old models"),
        ("numpy 11.7 and 1.7.1 stay", "x-1-7", "x-1-8", "numpy 11.7 and 1.7.1 stay"),
        ("xgboost 2, and 2.5", "xgboost-2", "xgboost-3", "xgboost 3, and 2.5"),
        ("ends with 1.7.", "x-1-7", "x-1-8", "ends with 1.8."),
        ("no version", "plain", "other", "no version"),
        ("scikit-learn 1.7", "sklearn-1-7", "t1", "scikit-learn 1.7"),
    ],
)
def test_a_description_follows_its_family(
    description: str, before: str, after: str, wanted: str
) -> None:
    """The version that the name has, where the description says it; other numbers stay."""
    assert derived_description(description, before, after).startswith(wanted)


def test_requirements_tell_the_version_where_names_do_not() -> None:
    """Of those that changed, the first two numbers of what they take at least."""
    asked = [("scikit-learn~=1.7.2", "scikit-learn~=1.8.0"), ("a<3", "a>=3"), ("b", "b==1.*")]
    told = derived_description("scikit-learn 1.7, a 3, b", "old", "next", asked)
    assert told == "scikit-learn 1.8, a 3, b"


def test_a_default_description_names_what_is_in_it() -> None:
    """Packages and Python."""
    assert default_description(["pandas>=2", "polars", "dask[array]"], "3.13") == (
        "pandas, polars and dask on Python 3.13"
    )
    assert default_description([], "3.11") == "Python 3.11"


@given(st.integers(0, 40))
def test_a_python_is_a_range_of_one_minor_version(minor: int) -> None:
    """Written and read again; anything else is no single version."""
    assert minor_of(python_range_of(f"3.{minor}")) == f"3.{minor}"
    assert minor_of(f">=3.{minor}") == ""
    assert minor_of(f">=3.{minor},<3.{minor + 2}") == ""


SOURCE = """\
# about one
[project]
name = 'one'            # its name
description = "alpha 1"
requires-python = ">=3.11,<3.12"  # decides
dependencies = [
    # what is imported
    'beta>=1',
    "alpha<2",          # 2 is too new
]
[tool.poetry]
package-mode = false
[tool.eggcrate]
owner = "a"      # whose
"""


def wanted(**more: object) -> NewEnvironment:
    return NewEnvironment(
        **{"name": "two", "description": "d", "python": "3.11", "owner": "", **more}
    )


def test_the_next_of_a_family_keeps_every_other_byte() -> None:
    """Comments, quotes and order of the one before; what is answered differently is changed."""
    text = environment_text(
        SOURCE, wanted(source="one", packages=("alpha~=2.0",), description="alpha 2"), path=PATH
    )
    assert text == (
        SOURCE.replace("'one' ", '"two" ')
        .replace('"alpha 1"', '"alpha 2"')
        .replace('"alpha<2"', '"alpha~=2.0"')
    )


def test_a_new_one_asks_for_its_own_packages_alone() -> None:
    """The template's are gone, its comments stay; Python, base, owner and day are written."""
    day = date(2030, 1, 2)
    text = environment_text(
        SOURCE,
        wanted(packages=("gamma",), python="3.13", base="b", owner="us", supported_until=day),
        path=PATH,
    )
    found = tomllib.loads(text)
    assert found["project"]["dependencies"] == ["gamma"]
    assert found["project"]["requires-python"] == ">=3.13,<3.14"
    assert found["tool"]["eggcrate"] == {"base": "b", "owner": "us", "supported-until": day}
    assert "# what is imported" in text
    assert "# whose" in text


def test_a_template_without_tables_of_ours_gets_them() -> None:
    """Another tool's project can be the template."""
    bare = '[project]\nname = "x"\ndependencies = []\n'
    found = tomllib.loads(environment_text(bare, wanted(owner="us"), path=PATH))
    assert found["tool"]["eggcrate"]["owner"] == "us"
    assert found["project"]["requires-python"] == ">=3.11,<3.12"


def test_a_template_that_is_none_is_named() -> None:
    """Its file is in the message."""
    with pytest.raises(ConfigError, match="environments/x"):
        environment_text('[project]\ndependencies = "no"\n', wanted(packages=("a",)), path=PATH)


def test_code_gets_its_own_name_and_text_keeps_its_words(tmp_path: Path) -> None:
    """Names in code are renamed; the same word in texts and comments is not."""
    (tmp_path / "component.py").write_text(
        '"""Old words."""\n\n\n@component\ndef template(template_size: int) -> str:\n'
        '    """Old words."""\n    # a template\n    return "template" * template_size\n'
    )
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(
        "from ..component import template\n\nassert template(1) == 'template'\n"
    )
    files, old = renamed_files(tmp_path, "mine", "New words", module="component.py")
    assert old == "template"
    assert files["tests/test_it.py"] == (
        "from ..component import mine\n\nassert mine(1) == 'template'\n"
    )
    assert "def mine(template_size: int)" in files["component.py"]
    assert '# a template\n    return "template"' in files["component.py"]
    assert files["component.py"].count("New words") == 2


def test_inputs_are_written_where_they_belong() -> None:
    """Signature, docstring, metadata: what results is Python, with every default."""
    files, _ = renamed_files(COMPONENT, "mine", "New words", module="component.py")
    inputs = read_inputs(["size:int", "name:str", "share:float", "strict:bool"])
    text = with_inputs(files["component.py"], inputs, COMPONENT)
    [function] = [one for one in ast.parse(text).body if isinstance(one, ast.FunctionDef)]
    defaults = [ast.literal_eval(one) for one in function.args.defaults]
    assert [one.arg for one in function.args.args][-4:] == list(inputs)
    assert defaults == [0, "", 0.0, False]
    assert 'cleaned.metadata["share"] = share\n' in text
    assert "        strict: What it is.\n\n    Returns:" in text
    assert with_inputs(text, {}, COMPONENT) == text
    with pytest.raises(UsageError, match="'column' already"):
        with_inputs(text, {"column": "str"}, COMPONENT)


@pytest.mark.parametrize(
    "given_", ["size", "size:list", "2x:int", "a:int:b", ":int", "size:int size:int"]
)
def test_what_is_no_input(given_: str) -> None:
    """Told with the types that there are."""
    with pytest.raises(UsageError, match="is not an input") as caught:
        read_inputs(given_.split(" "))
    assert "str, int, float, bool" in caught.value.why


@pytest.mark.parametrize("text", ["", "  ", 'a "b"', "a\\", "a\nb"])
def test_what_is_no_description(text: str) -> None:
    """It stands in docstrings, which it must not end."""
    with pytest.raises(UsageError, match="is not a description"):
        check_description(text)


def test_a_template_that_cannot_be_copied_says_why(tmp_path: Path) -> None:
    """No file, no Python, nothing decorated, too much decorated."""
    path = tmp_path / "component.py"
    with pytest.raises(ConfigError, match="cannot be copied"):
        parsed(path)
    for code, why in (
        ("def (", "invalid syntax"),
        ("def f(): ...\n", "holds 0"),
        ("@a\ndef f(): ...\n@a\ndef g(): ...\n", "holds 2"),
    ):
        path.write_text(code)
        with pytest.raises(ConfigError, match="cannot be copied") as caught:
            renamed_files(tmp_path, "mine", "d", module="component.py")
        assert why in caught.value.why
    bare = "@component\ndef f(a: int) -> int:\n    return a\n"
    with pytest.raises(ConfigError, match="no output artifact"):
        with_inputs(bare, {"b": "int"}, path)


def test_answers_are_remembered_and_the_team_has_the_last_word(tmp_path: Path) -> None:
    """Each answer with who gave it; a damaged or lost file costs a question."""
    root, cache = tmp_path / "repo", tmp_path / "cache"
    root.mkdir()
    (root / "pyproject.toml").write_text("[project]\n")
    assert read_answers(root, cache) == {}
    remember(root, cache, {"owner": "us", "description": "not this"})
    remember(root, cache, {"python": "3.13"})
    found = read_answers(root, cache)
    assert {key: one.value for key, one in found.items()} == {"owner": "us", "python": "3.13"}
    assert found["owner"].origin == "as last time"
    (root / "pyproject.toml").write_text('[tool.eggcrate.new]\nowner = "team"\n')
    found = read_answers(root, cache)
    assert (found["owner"].value, found["owner"].origin) == ("team", "by pyproject.toml:2")
    [path] = cache.rglob("*.json")
    path.write_text("[1")
    assert set(read_answers(root, cache)) == {"owner"}
    (root / "pyproject.toml").write_text('[tool.eggcrate.new]\nowned = "team"\n')
    with pytest.raises(ConfigError, match="owned"):
        read_answers(root, cache)


def test_a_question_is_asked_until_it_is_answered() -> None:
    """A wrong answer is told, nothing means the default, the end of input is an error."""
    told = io.StringIO()
    asker = Terminal(io.StringIO("list of a:int:b\nsize:int\n\n"), told)
    check = lambda answer: read_inputs(answer.split())  # noqa: E731 - a short one
    assert asker.ask("inputs", "", check) == "size:int"
    assert "is not an input" in told.getvalue()
    assert asker.ask("owner", "us") == "us"
    assert "owner [us]: " in told.getvalue()
    with pytest.raises(UsageError, match="nobody answers"):
        asker.ask("owner", "us")


def test_nobody_is_asked_where_nobody_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """No terminal on either side, a CI job with one, `--yes`; else whoever sits there."""
    monkeypatch.setattr(sys, "stdin", streams := Screen())
    monkeypatch.setattr(sys, "stderr", streams)
    assert isinstance(questions({}, yes=False), Terminal)
    assert isinstance(questions({"CI": "true"}, yes=False), NobodyToAsk)
    assert isinstance(questions({}, yes=True), NobodyToAsk)
    monkeypatch.setattr(sys, "stdin", io.StringIO("nobody"))
    asker = questions({}, yes=False)
    assert isinstance(asker, NobodyToAsk)
    assert asker.ask("owner", "us") == "us"


def test_the_templates_are_what_new_expects() -> None:
    """Each kind's own template can be copied under another name."""
    for kind, module in (("components", "component.py"), ("pipelines", "pipeline.py")):
        files, old = renamed_files(HERE / kind / "_template", "mine", "New", module=module)
        assert f"def mine({'' if kind == 'components' else 'source'}" in files[module]
        assert not any(f"import {old}" in text for text in files.values())
    text = (HERE / "environments" / "_template" / "pyproject.toml").read_text()
    made = environment_text(text, wanted(packages=("polars",), python="3.11"), path=PATH)
    assert tomlkit.parse(made)["project"]["dependencies"] == ["polars"]  # type: ignore[index]
