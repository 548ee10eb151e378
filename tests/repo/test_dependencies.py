"""Editing what a pyproject.toml asks for changes that, and not one byte more."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from eggcrate.errors import ConfigError, UsageError
from eggcrate.repo.arrays import ArrayText
from eggcrate.repo.dependencies import (
    edited,
    listed,
    read_requirement,
    replaced_requirement,
    with_range,
    with_requirement,
    without_requirement,
)
from support.repository import HERE

PATH = Path("environments/some/pyproject.toml")
NAMES = ("alpha", "Beta", "gamma-ray", "delta_9", "zeta.core")
REQUIREMENTS = (
    *("{}", "{}>=1,<2", "{} ~= 1.5", "{}[fast,io]>=2"),
    "{}>=1; python_version < '3.13'",
    "{} @ https://files.invalid/{}.whl",
)

SPACE = st.sampled_from(("", " ", "  ", "\n    ", "\n\t", "\n\n  ", "\n  # about it\n  "))
AFTER = st.sampled_from(("", " ", "  # why", " #"))


@st.composite
def arrays(draw: st.DrawFn) -> str:
    """Arrays of requirements in every layout that TOML allows, comments in odd places included."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4))
    parts = ["["]
    for number, name in enumerate(names):
        text = draw(st.sampled_from(REQUIREMENTS)).replace("{}", name)
        quote = '"' if "'" in text else draw(st.sampled_from("\"'"))
        parts += [draw(SPACE), f"{quote}{text}{quote}", draw(st.sampled_from(("", " ", "\n  ")))]
        if number + 1 < len(names) or draw(st.booleans()):
            parts.append(",")
        after = draw(AFTER)
        parts += [after, "\n" if "#" in after else ""]
    tail = draw(st.sampled_from(("", " ", "\n", "\n  # end\n", "\n    # a\n    # b\n  ")))
    text = "".join([*parts, tail, "]"])
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Whole files around such an array, in the three notations of a table."""
    array = draw(arrays())
    after = draw(st.sampled_from(("", "  # the list", "\t")))
    frame = draw(
        st.sampled_from(
            (
                "[project]\nname = 'x' # name\ndependencies = {}\n\n# end\n[tool.poetry]\na = 1\n",
                "# top\nproject.name = 'x'\nproject.dependencies = {}\n[tool.z]\nb = [ 1,2 ]\n",
                "[build-system]\nrequires=[ 'a' ]\n[project]\ndependencies={}\n[tool.x]\ny=1\n",
            )
        )
    )
    newline = "\r\n" if "\r\n" in array else "\n"
    return frame.replace("\n", newline).replace("{}", array + after)


def comments(text: str) -> list[str]:
    return re.findall(r"#[^\r\n]*", text)


@given(arrays())
def test_an_array_is_the_sum_of_its_parts(text: str) -> None:
    """Taken apart and put together it is the same text, with an item for every value."""
    array = ArrayText.parse(text)
    assert str(array) == text
    values = tomllib.loads(f"x = {text}")["x"]
    assert [tomllib.loads(f"x = {item.text}")["x"] for item in array.items] == values


@given(arrays(), st.data())
def test_what_is_inserted_can_be_taken_out(text: str, data: st.DataObject) -> None:
    """At every place: the same bytes again, and all comments stay in between."""
    array = ArrayText.parse(text)
    place = data.draw(st.integers(0, len(array.items)))
    more = str(array.inserted(place, '"new>=1"'))
    values = tomllib.loads(f"x = {text}")["x"]
    assert tomllib.loads(f"x = {more}")["x"] == [*values[:place], "new>=1", *values[place:]]
    assert comments(more) == comments(text)
    assert str(ArrayText.parse(more).removed(place)) == text


@given(documents(), st.sampled_from(("omega", "aaa>=1,<2", "mid[x]~=1.2; os_name == 'posix'")))
def test_added_and_removed_again(text: str, wanted: str) -> None:
    """The same bytes, whatever the layout; every comment and every other value stays."""
    more = with_requirement(text, wanted, path=PATH)
    before, after = tomllib.loads(text), tomllib.loads(more)
    asked = before["project"].pop("dependencies")
    assert [one for one in after["project"].pop("dependencies") if one not in asked] == [wanted]
    assert after == before
    assert comments(more) == comments(text)
    assert without_requirement(more, Requirement(wanted).name.upper(), path=PATH) == text


@given(documents())
def test_asked_for_twice_stands_once(text: str) -> None:
    """Another version of the same package is written where it stands, and nothing moves."""
    for name, entries in listed(text).items():
        more = with_requirement(text, f"{name}==9", path=PATH)
        assert list(listed(more)) == list(listed(text))
        (entry,) = listed(more)[name]
        old, new = Requirement(entries[0]), Requirement(entry)
        assert str(new.specifier) == "==9"
        assert (new.extras, str(new.marker)) == (old.extras, str(old.marker))
        assert comments(more) == comments(text)


REAL_WORLD = {
    "grouped": """\
[project]
name = "risk"   # the team's
requires-python = ">=3.11,<3.12"
dependencies = [
    # --- modelling ---
    "scikit-learn~=1.5.2",
    "catboost>=1.2",  # pinned for the audit
    # --- data ---
    'pandas[performance] >=2.2,<3',   'pyarrow',

    # nothing below this line
]

[project.optional-dependencies]
dev = ["pytest"]
""",
    "one line": """\
[project]
dependencies = ["numpy>=1.26 ; python_version < '3.13'", "numpy>=2 ; python_version >= '3.13'"]
name = "n"
[tool.eggcrate]
platforms = [ "linux/amd64" , "linux/arm64" ]  # both
""",
    "comma first": """\
[project]
name = 'c'
dependencies = [
    'a'
  , 'b>=1'  # second
  , 'c'
]
""",
    "inline": 'project = { name = "i", dependencies = ["a", "b"] }\n\n[tool.poetry]\n',
    "tabs": "[project]\r\nname='t'\r\ndependencies=[\r\n\t'zlib-ng',\r\n\t'abc'\r\n]\r\n",
}


@pytest.mark.parametrize(
    "text",
    [
        *REAL_WORLD.values(),
        *(path.read_text() for path in sorted(HERE.glob("environments/*/pyproject.toml"))),
        (HERE / "pyproject.toml").read_text(),
    ],
)
@pytest.mark.parametrize("wanted", ["aaa>=1", "mm", "zzzz[extra]==2"])
def test_files_as_people_write_them(text: str, wanted: str) -> None:
    """Added to and removed from, they have the same bytes again; their own packages as well."""
    more = with_requirement(text, wanted, path=PATH)
    gone = set(text.splitlines()) - set(more.splitlines())
    # Only a line that gets a comma, or another item, is another line.
    assert not any(line.rstrip().endswith(",") for line in gone)
    assert without_requirement(more, Requirement(wanted).name, path=PATH) == text


def test_a_sorted_list_stays_sorted() -> None:
    """A new package comes where a person would look for it; elsewhere it comes last."""
    text = '[project]\ndependencies = ["alpha", "gamma"]\n'
    assert 'a", "beta", "g' in with_requirement(text, "beta", path=PATH)
    text = '[project]\ndependencies = ["gamma", "alpha"]\n'
    assert 'alpha", "beta"]' in with_requirement(text, "beta", path=PATH)


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        ("pandas[x]>=2 ; python_version < '4'", "pandas>=3", "pandas[x]>=3 ; python_version < '4'"),
        ("Pandas >=2,<3", "pandas[perf]", "Pandas[perf] >=2,<3"),
        ("a[b]", "a[c]==1", "a[b,c]==1"),
        ("a>=1", "a>=2; os_name == 'posix'", "a>=2; os_name == 'posix'"),
        ("a @ https://x.invalid/a.whl", "a>=2", "a>=2"),
        ("a>=1", "a @ https://x.invalid/a.whl", "a @ https://x.invalid/a.whl"),
        ("a(>=1)", "a", "a(>=1)"),
        ("a>=1", "a ; os_name == 'posix'", "a>=1 ; os_name == 'posix'"),
    ],
)
def test_extras_and_markers_are_kept(before: str, wanted: str, after: str) -> None:
    """What is not said again stays as it was said."""
    assert replaced_requirement(before, wanted) == after
    Requirement(after)


def test_several_entries_of_a_package_need_a_marker() -> None:
    """Which of them is meant cannot be guessed; with its marker it is clear."""
    text = REAL_WORLD["one line"]
    with pytest.raises(ConfigError, match="asks for numpy 2 times"):
        with_requirement(text, "numpy>=3", path=PATH)
    more = with_requirement(text, "numpy>=3; python_version >= '3.13'", path=PATH)
    assert listed(more)["numpy"][0] == "numpy>=1.26 ; python_version < '3.13'"
    assert "numpy>=3" in listed(more)["numpy"][1]
    assert listed(without_requirement(more, "numpy", path=PATH)) == {}


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("pandas=2.2", '"pandas==2.2"'),
        ("pandas^2", '"pandas>=2"'),
        ("pandas@^2.1", '"pandas>=2.1"'),
        ("pandas@2.1", '"pandas==2.1"'),
        ("pandas>", '"pandas>=2.2,<3"'),
        ("", '"pandas"'),
        ("two words", '"pandas"'),
    ],
)
def test_notations_of_other_tools_are_translated(typed: str, hint: str) -> None:
    """conda's, npm's and Poetry's are mistakes of usage that say what to write."""
    with pytest.raises(UsageError) as caught:
        read_requirement(typed)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[tool.poetry]\nname = 'x'\n", "no \\[project\\] table"),
        ("[project]\ndynamic = ['dependencies']\n", "dynamic"),
        ("[project]\ndependencies = 'a'\n", "cannot be edited"),
        ("[project\n", "not valid TOML"),
    ],
)
def test_what_cannot_be_edited_says_so(text: str, why: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ConfigError, match=why):
        with_requirement(text, "a", path=PATH)


def test_a_list_is_made_where_there_is_none() -> None:
    """A project that asks for nothing can be added to."""
    more = with_requirement("[project]\nname = 'x'\n[tool.a]\n", "b>=1", path=PATH)
    assert listed(more) == {"b": ("b>=1",)}


def test_a_range_is_put_between_name_and_marker() -> None:
    """Extras and marker stay around it."""
    assert with_range("a[b] ; x == 'y'", ">=1,<2") == "a[b]>=1,<2 ; x == 'y'"


def test_lists_elsewhere_are_edited_too() -> None:
    """Optional dependencies and groups: replaced in place, added, removed."""
    text = "[project.optional-dependencies]\nx = ['a>=1', 'b'] # keep\n"
    at = ("project", "optional-dependencies", "x")
    assert "['a>=2', 'b'] # keep" in edited(text, at, "a", ["a>=2"], path=PATH)
    assert "['b'] # keep" in edited(text, at, "a", [], path=PATH)
    assert "['a>=1', 'b', 'c'] # keep" in edited(text, at, "c", ["c"], path=PATH)
