"""The story of a change: what must be decided, what it costs, what is proven; and its comment."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.report.impact import MARKER
from support.forges import FakeForge, fake_forge
from support.planning import commit, git, package
from support.published import fill_store
from support.repository import Repository, packages
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Call = Callable[..., tuple[int, str, str]]

VISIBLE_LINES = 40


@pytest.fixture
def call(call: Call, repository: Repository) -> Call:
    """On a branch, with two components."""
    (repository.root / ".gitignore").write_text(".eggcrate\nbuild\n")
    component(repository, "load", "pandas>=2,<3")
    component(repository, "plain", "six")
    commit(repository.root, "components")
    git(repository.root, "checkout", "-qb", "change")
    return call


def component(repository: Repository, name: str, *needs: str) -> None:
    folder = repository.root / "components" / name
    (folder / "tests").mkdir(parents=True, exist_ok=True)
    (folder / "component.py").write_text(f"def {name}() -> int:\n    return 1\n")
    (folder / "tests" / f"test_{name}.py").write_text("def test_it() -> None: ...\n")
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nrequires-python = ">=3.10"\n'
        f"dependencies = {json.dumps(needs)}\n"
    )


def policy(repository: Repository, text: str) -> None:
    path = repository.root / "pyproject.toml"
    path.write_text(f"{path.read_text()}\n[tool.eggcrate.policy]\n{text}\n")


def impact(call: Call, *arguments: str, code: int = 0) -> dict[str, Any]:
    got, out, err = call("impact", "--offline", "--json", *arguments)
    assert got == code, err
    document: dict[str, Any] = json.loads(out)
    assert document["schema"] == "eggcrate.impact/1"
    return document


def decisions(document: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(one["weight"], one["kind"], one["subject"]) for one in document["decisions"]}


def test_no_change_is_one_line(repository: Repository, call: Call) -> None:
    """Also when files changed that have nothing to do with environments and components."""
    (repository.root / "README.md").write_text("new words")
    path = repository.root / "environments/one/pyproject.toml"
    path.write_text(f"# a comment\n{path.read_text()}")
    code, out, _ = call("impact", "--offline", "--exit-code")
    assert code == 0
    assert out.startswith("✅ **Impact: none.**")
    assert "at `main` (`" in out  # a terminal shows no markup of HTML
    assert len(out.strip().splitlines()) == 1
    assert (repository.root / "build/impact.md").read_text().startswith(f"{MARKER}\n✅")


def test_a_change_is_told_whole(repository: Repository, call: Call) -> None:
    """New, changed and removed environments; cells lost, gained and not proven; major moves."""
    repository.environment("one", (package("pandas", "3.0"), package("six")))
    repository.environment("three", (package("pandas", "2.2"), package("six")))
    git(repository.root, "rm", "-rq", "environments/two")
    component(repository, "fresh", "six")
    document = impact(call)
    assert (document["base"], document["unchanged"]) == ("main", 0)
    assert {one["name"]: one["fate"] for one in document["environments"]} == {
        "one": "changed",
        "three": "new",
        "two": "removed",
    }
    [one] = [one for one in document["environments"] if one["name"] == "one"]
    assert one["difference"]["changes"][0]["step"] == "major"
    assert (one["verdict"], one["reasons"]) == ("build", ["new"])
    assert one["key"] != one["key_before"] != ""
    components = {one["name"]: one for one in document["components"]}
    assert {name: one["fate"] for name, one in components.items()} == {
        "fresh": "new",
        "load": "affected",
        "plain": "affected",
    }
    [lost] = components["load"]["lost"]
    assert (lost["environment"], lost["reason"]) == ("one", "needs pandas<3,>=2, has 3.0")
    assert components["load"]["gained"] == [{"flavour": "", "environment": "three"}]
    assert [one["environment"] for one in components["plain"]["lost"]] == ["two"]
    assert decisions(document) == {
        ("look", "unproven", "matrix"),
        ("look", "upgrade", "one"),
        ("look", "lost", "load"),
        ("look", "removed", "two"),
    }
    assert document["cells"] == {"proven": 0, "failed": 0, "unproven": 5}
    assert document["good"]


def test_a_renamed_environment_is_no_other(repository: Repository, call: Call) -> None:
    """Its cells are neither lost nor gained; what still says the old name is listed.

    A description of its own does not make it another; other packages do.
    """
    config = repository.root / "components/load/pyproject.toml"
    config.write_text(f'{config.read_text()}[tool.eggcrate]\nenvironment = "one"\n')
    git(repository.root, "mv", "environments/one", "environments/frames")
    path = repository.root / "environments/frames/pyproject.toml"
    path.write_text(path.read_text().replace("[project]", '[project]\ndescription = "Frames"'))
    document = impact(call)
    [frames] = document["environments"]
    assert (frames["name"], frames["fate"], frames["renamed_from"]) == ("frames", "renamed", "one")
    assert frames["difference"]["changes"] == []
    assert frames["key"] != frames["key_before"] != ""
    assert all(not one["lost"] and not one["gained"] for one in document["components"])
    kinds = {(one["kind"], one["subject"]): one["hint"] for one in document["decisions"]}
    told = kinds["renamed", "frames"]
    assert told == "write frames for one in components/load/pyproject.toml"
    _, out, _ = call("impact", "--offline")
    assert "1 renamed, 1 unchanged" in out
    assert "renamed from one, 2 packages" in out
    repository.environment("frames", (package("pandas", "2.3"), package("six")))
    assert {one["fate"] for one in impact(call)["environments"]} == {"new", "removed"}


def test_what_is_nearly_the_same_is_said(repository: Repository, call: Call) -> None:
    """A copy of an environment under another name is a question to its author."""
    repository.environment("copy", (package("pandas", "2.2"), package("six")))
    document = impact(call)
    assert ("look", "twin", "copy") in decisions(document)
    assert document["environments"][0]["twins"] == ["one"]


def test_a_component_without_a_home_stops_the_change(repository: Repository, call: Call) -> None:
    """So does one whose code cannot be read, and a lock that is stale; each with its next step."""
    for name in ("one", "two"):
        repository.environment(name, (package("pandas", "3.0"),))
    document = impact(call, "--exit-code", code=1)
    stops = {one["subject"]: one for one in document["decisions"] if one["weight"] == "stop"}
    assert {"load", "plain"} <= set(stops)
    assert "eggcrate matrix --list" in stops["load"]["hint"]
    path = repository.root / "environments/one/pyproject.toml"
    path.write_text(path.read_text().replace("pandas==3.0", "pandas==3.1"))
    document = impact(call)
    [one] = [one for one in document["decisions"] if one["subject"] == "one"]
    assert (one["weight"], one["hint"]) == ("stop", "run: eggcrate lock one")
    assert [one["verdict"] for one in document["environments"] if one["name"] == "one"] == [
        "blocked"
    ]
    assert not document["good"]


def results_as(call: Call, repository: Repository, outcome: str) -> None:
    """Leave a ``matrix.json`` as a run on another machine would, of all cells as they are now."""
    from eggcrate.cli.context import Context  # noqa: PLC0415 - used here only
    from eggcrate.matrix.proving import harness_versions  # noqa: PLC0415 - as above
    from eggcrate.matrix.session import Limits, Selection, decide  # noqa: PLC0415 - as above
    from eggcrate.matrix.snapshot import Snapshot  # noqa: PLC0415 - as above
    from eggcrate.matrix.workbench import Keys  # noqa: PLC0415 - as above
    from eggcrate.progress import Silent  # noqa: PLC0415 - as above

    variables = {"EGGCRATE_CACHE": str(repository.cache)}
    context = Context.open(repository.root, variables, Silent())
    matrix = decide(context.monorepo, Selection())
    limits = Limits(memory=context.settings.memory, seconds=context.settings.timeout, workers=1)
    keys = Keys(matrix=matrix, limits=limits, harness=harness_versions(matrix))
    files = Snapshot(matrix, repository.root)
    digest = f"sha256:{'1' * 64}"
    cells = [
        {
            "component": cell.component,
            "flavour": "",
            "environment": cell.environment,
            "outcome": outcome,
            "reason": "" if outcome == "passed" else "test_it | failed @you <b>",
            "image": digest,
            "seconds": 1.0,
            "command": f"eggcrate matrix --component {cell.component}",
            "key": keys.of(cell, files, digest),
        }
        for cell in matrix.cells
    ]
    images = [
        {"name": one.environment.name, "key": one.recipe.key, "digest": digest}
        for one in matrix.resolved
    ]
    folder = repository.root / "build/matrix"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "matrix.json").write_text(json.dumps({"cells": cells, "images": images}))


def test_the_last_run_counts_while_nothing_changed(repository: Repository, call: Call) -> None:
    """Its passes and failures are told; after one more edit they are not believed any more."""
    component(repository, "plain", "six>=1")
    results_as(call, repository, "passed")
    document = impact(call)
    assert document["cells"] == {"proven": 2, "failed": 0, "unproven": 0}
    assert decisions(document) == set()
    results_as(call, repository, "failed")
    document = impact(call, "--exit-code", code=1)
    assert ("stop", "cell", "plain") in decisions(document)
    assert ("stop", "cell", "load") in decisions(document)  # it fails, whoever's fault it is
    _, out, _ = call("impact", "--offline")
    assert "@you" not in out
    assert "<b>" not in out
    assert "eggcrate matrix --component plain" in out
    (repository.root / "components/plain/component.py").write_text("def plain() -> int: ...\n")
    document = impact(call)
    cells = {one["name"]: one["cells"] for one in document["components"]}
    assert {one["outcome"] for one in cells["plain"]} == {"not-selected"}
    assert {one["outcome"] for one in cells["load"]} == {"failed"}
    (repository.root / "build/matrix/matrix.json").write_text("{")
    assert impact(call)["cells"]["unproven"] == 2


def test_rules_are_judged_for_what_changed(repository: Repository, call: Call) -> None:
    """Each violation says where its rule is set and how to ask; an exception makes it a note."""
    policy(repository, 'deny = ["pandas<2.3"]\nrequire = ["owner"]')
    commit(repository.root, "rules")
    git(repository.root, "branch", "-f", "main")
    repository.environment("two", (package("pandas", "2.2"), package("six")))
    document = impact(call, "--exit-code", code=1)
    assert [(one["environment"], one["rule"]) for one in document["violations"]] == [
        ("two", "deny"),
        ("two", "require"),
    ]
    assert document["violations"][0]["where"] == "pyproject.toml:6"
    code, out, _ = call("impact", "--offline")
    assert "How to ask for an exception" in out
    day = datetime.now(UTC).date() + timedelta(30)
    entries = "".join(
        f'\n[[tool.eggcrate.exceptions]]\nrule = "{name}"\n'
        f'reason = "until we moved"\nuntil = {day}\n'
        for name in ("deny", "require")
    )
    path = repository.root / "environments/two/pyproject.toml"
    path.write_text(path.read_text() + entries)
    document = impact(call, "--exit-code")
    assert {one["state"] for one in document["violations"]} == {"excepted"}
    assert ("note", "exception", "two") in decisions(document)
    code, out, _ = call("policy", "two", "--offline")
    assert (code, "until we moved" in out) == (0, True)
    code, out, _ = call("policy", "--offline", "--json")
    assert code == 1
    broken = {one["environment"] for one in json.loads(out)["violations"] if one["ask"]}
    assert broken == {"one"}


def test_sizes_are_held_against_budgets(
    repository: Repository, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after, the growth and its cause, the budget; and what is new to move."""
    links = tmp_path / "links"
    links.mkdir()
    wheel = make_wheel(links, "heavy", files={"heavy.bin": bytes(30_000_000)})
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    light = make_wheel(links, "light", files={"light.py": "x = 1\n"})
    repository.environment("two", packages(light))
    policy(repository, 'max-size = "20MB"')
    commit(repository.root, "light")
    git(repository.root, "branch", "-f", "main")
    repository.environment("two", packages(light, wheel))
    code, out, err = call("impact", "--json")
    assert code == 0, err
    document = json.loads(out)
    [two] = [one for one in document["environments"] if one["name"] == "two"]
    assert two["budget"] == 20_000_000
    assert two["difference"]["size_after"]["unpacked"] > 30_000_000
    assert (two["layers"]["measured"], two["layers"]["new"], two["layers"]["count"]) == (
        False,
        1,
        2,
    )
    assert two["layers"]["new_bytes"] == wheel.stat().st_size
    told = {(one["kind"], one["subject"]): one["what"] for one in document["decisions"]}
    assert "over the budget of 20.0 MB (set in pyproject.toml:6)" in told["policy", "two"]
    assert "heavy +30.0 MB" in told["size", "two"]


def test_layers_are_counted_where_images_are(repository: Repository, call: Call) -> None:
    """Of an image that is built, what its earlier image and those of others do not have."""
    fill_store(repository)
    repository.environment("one", (package("pandas", "2.3"), package("six")))
    fill_store(repository, "one")
    [one] = impact(call)["environments"]
    assert one["verdict"] == "up-to-date"
    layers = one["layers"]
    assert (layers["measured"], layers["new"], layers["count"]) == (True, 1, 3)
    assert 0 < layers["new_bytes"] < layers["size"]


def test_published_images_in_use_are_told_beside(
    repository: Repository, call: Call, run: Call, publish: Callable[[], None]
) -> None:
    """With a registry: the verdict is its, and components stand in what production runs too."""
    publish()
    assert run("promote", "--all")[0] == 0
    repository.environment("one", (package("pandas", "2.3"), package("six")))
    document = impact(run)
    [one] = document["environments"]
    assert one["reasons"] == ["lock-changed"]
    assert document["registry"]
    places = {cell["environment"] for part in document["components"] for cell in part["cells"]}
    assert places == {"one", "one@stable"}


def test_a_clone_without_the_base_says_so(
    repository: Repository, call: Call, tmp_path: Path
) -> None:
    """With the setting of each CI that mends it; a name that is none is told apart."""
    git(tmp_path, "clone", "-q", "--depth=1", repository.root.as_uri(), "shallow")
    code, _, err = call("impact", "--base", "origin/main", root=tmp_path / "shallow")
    assert code == 1
    assert "this clone is shallow" in err
    assert "fetch-depth: 0" in err
    code, _, err = call("impact", "--base", "nowhere")
    assert (code, "git does not know nowhere here" in err) == (1, True)


def test_a_huge_change_stays_readable(repository: Repository, call: Call) -> None:
    """Some forty lines before what is folded, and never more than a comment may have."""
    names = [f"team-{number:03}" for number in range(120)]
    for number in range(40):
        many = tuple(package(f"p{index}", f"{number}.1") for index in range(60))
        repository.environment(names[number], many)
        component(repository, f"c{number}", "six" if number % 2 else f"p{number}")
    policy(repository, 'require = ["owner"]')
    impact(call)
    text = (repository.root / "build/impact.md").read_text()
    assert len(text) <= 60_000
    unfolded = re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)
    assert len([line for line in unfolded.splitlines() if line]) <= VISIBLE_LINES
    assert text.count("<details>") == text.count("</details>")
    assert "parts of this report did not fit here; `build/impact.json`" in text
    assert (
        len(json.loads((repository.root / "build/impact.json").read_text())["environments"]) == 40
    )


@pytest.fixture(params=["github", "gitlab"])
def forge(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeForge]:
    """One of the two, and a CI job of it."""
    with fake_forge(request.param) as found:
        for name, value in found.environ.items():
            monkeypatch.setenv(name, value)
        yield found


def test_the_comment_follows_the_change(
    repository: Repository, call: Call, forge: FakeForge
) -> None:
    """Nothing is said of a change that does nothing; then one comment, mended at each push."""
    flag = f"--{forge.kind}"
    code, _, err = call("impact", "--offline", flag)
    assert (code, "skipped" in err, forge.bodies) == (0, True, [])
    repository.environment("one", (package("pandas", "2.3"), package("six")))
    code, _, err = call("impact", "--offline", flag, "--dry-run")
    assert (code, "would be created" in err, forge.bodies) == (0, True, [])
    assert call("impact", "--offline", flag)[0] == 0
    assert forge.bodies == [(repository.root / "build/impact.md").read_text()]
    git(repository.root, "checkout", "-q", ".")
    assert call("impact", "--offline", flag)[0] == 0
    [body] = forge.bodies
    assert "Impact: none" in body
    forge.writable = False
    repository.environment("one", (package("pandas", "2.4"),))
    code, _, err = call("impact", "--offline", flag)
    assert (code, "does not allow it" in err) == (1, True)
    assert (repository.root / "build/impact.md").is_file()


def test_a_section_of_a_plugin_is_in_the_report(
    repository: Repository, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is called with the document; one that fails is named in its place."""
    site = tmp_path / "site"
    info = site / "acme_report-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-report\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[eggcrate.report_sections]\nacme = acme_impact_report:section\n"
        "broken = acme_impact_report:broken\n"
    )
    (site / "acme_impact_report.py").write_text(
        "def section(document):\n"
        "    assert document['schema'] == 'eggcrate.impact/1'\n"
        "    names = [one['name'] for one in document['environments']]\n"
        "    return f'### Acme\\n\\nask the owners of {names}' if names else None\n"
        "def broken(document):\n    return 3\n"
    )
    monkeypatch.syspath_prepend(str(site))
    repository.environment("one", (package("pandas", "2.3"), package("six")))
    code, out, err = call("impact", "--offline")
    assert code == 0
    assert "ask the owners of ['one']" in out
    assert "The section broken is missing" in out
    assert "gave back what is no text" in err
