"""The catalogue's tables: made from the repository, and stale when it changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eggcrate import cli
from support.adding import World, world, write_code
from support.planning import package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Call = Callable[..., tuple[int, str, str]]

ROOT = Path(__file__).resolve().parents[2]
MARKS = "# Ours\n\n<!-- catalogue:{} -->\nold\n<!-- /catalogue -->\nkept\n"


def test_the_catalogue_of_this_repository_is_not_stale(capsys: pytest.CaptureFixture[str]) -> None:
    """`make test` fails when a lock, component or pipeline changed and the tables did not."""
    code = cli.main(["--repo", str(ROOT), "report", "--check"])
    assert code == 0, capsys.readouterr().out


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A repository with an index of its own; its components have functions."""
    with world(tmp_path_factory.mktemp("world")) as found:
        root = found.repository.root
        write_code(root, "Use | it.", "Do <b>it</b>.", ["", 'environment="x"'])
        (root / "README.md").write_text(MARKS.format("environments-short"))
        yield found


def test_tables_are_written_checked_and_told_stale(made: World) -> None:
    """Written once, found up to date without an index, stale with each change, and why."""
    root = made.repository.root
    assert made.run("report", "--check").code == 1
    ran = made.run("report", "--catalogue", "--dry-run")
    assert (ran.code, ran.err.count("would be written")) == (0, 3)
    assert not (root / "docs").exists()
    assert made.run("report", "--catalogue").code == 0
    readme = (root / "README.md").read_text()
    assert readme.startswith("# Ours\n\n<!-- catalogue:environments-short -->\n| environment")
    assert readme.endswith("|\n<!-- /catalogue -->\nkept\n")
    assert "| `one` | 3.11 | alpha 1.0 |" in readme
    page = (root / "docs" / "catalogue.md").read_text()
    assert "Use \\| it." in page
    assert "Do \\<b\\>it\\</b\\>." in page
    assert "`uses_beta` in `one` → `uses_beta` in `x`" in page
    before = made.files()
    asked = made.index.count("/")
    ran = made.run("report", "--check")
    assert (ran.code, ran.out) == (0, "the catalogue is up to date\n")
    assert made.index.count("/") == asked
    assert made.run("report", "--catalogue").code == 0
    assert made.files() == before

    sizes = json.loads((root / "docs" / "catalogue-sizes.json").read_text())["environments"]
    assert sizes["two"]["size"][1] >= 300_000
    pyproject = root / "environments" / "two" / "pyproject.toml"
    kept = pyproject.read_text()
    pyproject.write_text(kept + 'owner = "someone"\n')
    ran = made.run("report", "--check")
    assert (ran.code, "docs/catalogue.md: its tables" in ran.out) == (1, True)
    assert "make catalogue" in ran.out
    assert "sizes of two" not in ran.out  # the same files are as large as they were
    pyproject.write_text(kept)
    assert made.run("add", "two", "modern").code == 0
    ran = made.run("report", "--check")
    assert "the sizes of two are not those of its lock" in ran.out
    assert "sizes of one" not in ran.out
    assert made.run("report", "--catalogue").code == 0
    again = json.loads((root / "docs" / "catalogue-sizes.json").read_text())["environments"]
    assert again["one"] == sizes["one"]
    assert again["two"]["size"][1] > sizes["two"]["size"][1]
    assert made.run("report", "--check").code == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (MARKS.format("enviroments"), "README.md:3: there is no block 'enviroments'"),
        ("<!-- catalogue:fits -->\n", "README.md:1: the block fits is not ended"),
        (
            "<!-- catalogue:fits -->\n<!-- catalogue:fits -->\n<!-- /catalogue -->\n",
            "README.md:2: a block of the catalogue begins inside another",
        ),
    ],
)
def test_a_mark_that_is_wrong_is_told(made: World, text: str, told: str) -> None:
    """With file and line; nothing is written."""
    path = made.repository.root / "README.md"
    kept = path.read_text()
    path.write_text(text)
    ran = made.run("report", "--catalogue")
    assert (ran.code, told in ran.err, path.read_text()) == (1, True, text)
    path.write_text(kept)


def test_what_cannot_be_read_stops_the_tables(made: World) -> None:
    """A part is never told for the whole; the document tells both."""
    folder = made.repository.root / "environments" / "broken"
    folder.mkdir()
    (folder / "pyproject.toml").write_text("[project\n")
    before = made.files()
    for arguments in (("--catalogue",), ("--check",)):
        ran = made.run("report", *arguments)
        assert (ran.code, "environments/broken cannot be read" in ran.err) == (1, True)
    assert made.files() == before
    ran = made.run("report", "--json")
    document = json.loads(ran.out)
    assert (ran.code, document["schema"]) == (1, "eggcrate.catalogue/1")
    assert [one["name"] for one in document["environments"]] == ["one", "two"]
    assert "environments/broken" in document["errors"]
    (folder / "pyproject.toml").unlink()
    folder.rmdir()


def test_sizes_that_nobody_tells_are_no_obstacle(made: World) -> None:
    """They are `?`, said, and asked for again by the next run; a damaged file is an error."""
    repository = made.repository
    repository.environment("far", (package("unseen"),))
    ran = made.run("report", "--catalogue", "--offline")
    assert (ran.code, "the size of far is not known" in ran.err) == (0, True)
    assert "| ? | ? |" in (repository.root / "docs" / "catalogue.md").read_text()
    assert made.run("report", "--check").code == 0
    (repository.root / "docs" / "catalogue-sizes.json").write_text("<<<<<<< HEAD\n")
    ran = made.run("report", "--check")
    assert (ran.code, "take either side of it" in ran.err) == (1, True)
    assert made.run("report").code == 2
