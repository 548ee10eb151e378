"""``eggcrate new`` of components, of pipelines, and of what plugins add."""

from __future__ import annotations

import shutil
import tomllib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from support.adding import World


def test_a_component_has_what_it_was_asked_for(here: World) -> None:
    """Needs, flavours, inputs, its home; where it does not fit and why."""
    ran = here.run(
        *("new", "component", "clean", "epsilon>=1", "--environment", "two"),
        *("--flavour", "a=beta<2", "--flavour", "b=epsilon<9", "--flavour", "b=epsilon>0"),
        *("--input", "share:float", "--description", "Clean a table"),
    )
    assert ran.code == 0, ran.err
    path = here.repository.root / "components" / "clean"
    settings = tomllib.loads((path / "pyproject.toml").read_text())
    assert settings["project"]["dependencies"] == ["pandas>=2.2", "epsilon>=1"]
    assert settings["project"]["optional-dependencies"] == {
        "a": ["beta<2"],
        "b": ["epsilon<9", "epsilon>0"],
    }
    assert settings["project"]["name"] == "clean"
    assert settings["tool"]["eggcrate"]["environment"] == "two"
    assert "    share: float = 0.0,\n" in (path / "component.py").read_text()
    assert "fits no environment" in ran.out
    assert "not two: it needs pandas>=2.2, which it does not hold" in ran.out
    assert "eggcrate where 'pandas>=2.2' 'epsilon>=1'" in ran.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("clean-up",), "eggcrate new component clean_up"),
        (("uses_beta",), "components/uses_beta already"),
        (("x", "epsilon=1"), 'write "epsilon==1"'),
        (("x", "--environment", "tow"), "did you mean two?"),
        (("x", "--flavour", "sklearn"), "is not a flavour"),
        (("x", "--flavour", "a=b=c"), "is not a flavour"),
        (("x", "--input", "size:table"), "is not an input"),
        (("x", "--description", 'a "b"'), "is not a description"),
    ],
)
def test_mistakes_with_components(here: World, arguments: tuple[str, ...], told: str) -> None:
    """Usage errors, each before anything is made."""
    ran = here.run("new", "component", *arguments)
    assert (ran.code, told in ran.err) == (2, True), ran.err
    assert not (here.repository.root / "components" / "x").exists()


def test_a_pipeline_of_components(here: World) -> None:
    """Its steps are checked by name, and what feeds them is told."""
    assert here.run("new", "component", "clean").code == 0
    ran = here.run("new", "pipeline", "line", "--component", "clean", "--component", "clean")
    assert ran.code == 0, ran.err
    assert "clean: data is the parameter data" in ran.out
    assert "clean: data is cleaned of clean" in ran.out
    path = here.repository.root / "pipelines" / "line"
    assert sorted(one.name for one in path.iterdir()) == ["config.toml", "pipeline.py"]
    wrong = here.run("new", "pipeline", "x", "--component", "claen")
    assert (wrong.code, "did you mean clean?" in wrong.err) == (2, True)


def test_a_kind_that_is_none(here: World) -> None:
    """The kinds there are, are named."""
    ran = here.run("new", "banana", "x")
    assert ran.code == 2
    assert "environment" in ran.err


PLUGIN = """\
def service(name, root, words):
    assert (root / "environments").is_dir()
    return {f"services/{name}/main.py": f"# {' '.join(words)}\\n", f"services/{name}/data": b"\\0"}

def odd(name, root, words):
    return {"text": [], "outside": {"../x": ""}, "git": {".git/x": ""}, "none": {},
            "number": {"x": 1}, "root": {"/x": ""}, "link": {"away/x": ""}}[name]
"""


def test_a_plugin_makes_a_kind_of_its_own(
    here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are checked, listed, and written all or none; nothing is overwritten."""
    info = tmp_path / "acme_new-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-new\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[eggcrate.generators]\nservice = acme_new_plugin:service\nodd = acme_new_plugin:odd\n"
        "component = acme_new_plugin:odd\n"
    )
    (tmp_path / "acme_new_plugin.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    root = here.repository.root
    before = here.files()
    found = here.document("new", "service", "web", "a", "b", "--dry-run")
    assert found["files"] == ["services/web/data", "services/web/main.py"]
    (root / "away").symlink_to(tmp_path)
    try:
        for name in ("text", "outside", "git", "none", "number", "root", "link"):
            ran = here.run("new", "odd", name)
            assert (ran.code, "gave back what is no set of files" in ran.err) == (1, True), ran.err
        assert here.run("new", "odd", "raises").code == 1
        assert here.files() == before
        assert here.run("new", "service", "web", "a", "b").code == 0
        assert (root / "services" / "web" / "main.py").read_text() == "# a b\n"
        again = here.run("new", "service", "web")
        assert (again.code, "services/web/main.py already" in again.err) == (2, True)
    finally:
        (root / "away").unlink()
        shutil.rmtree(root / "services", ignore_errors=True)
