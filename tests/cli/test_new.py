"""``eggcrate new environment``: what it makes, tells and refuses."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from support.newly import folder

if TYPE_CHECKING:
    from support.adding import World


def test_a_new_environment_is_locked_and_planned_at_once(here: World) -> None:
    """Packages with a range, Python, owner of most others; what is copied has its comments."""
    found = here.document("new", "environment", "mine", "modern", "epsilon")
    assert found["schema"] == "eggcrate.new/1"
    assert found["requirements"] == ["epsilon>=1", "modern>=1.0,<2"]
    assert (found["python"], found["base"]) == ("3.13", "python-3.13")
    assert (found["owner"], found["supported_until"]) == ("ml-platform", "2028-12-31")
    assert found["description"] == "modern and epsilon on Python 3.13"
    changes = {one["package"]: one["to"] for one in found["difference"]["changes"]}
    assert changes == {"epsilon": "1.2.3", "modern": "1.0"}
    assert found["size"]["unpacked"] > 300_000
    fits = {one["component"]: (one["fits"], one["reason"]) for one in found["components"]}
    assert fits["uses_epsilon"] == (True, "")
    assert fits["uses_beta"] == (False, "it needs beta<2, which it does not hold")
    text = (folder(here, "mine") / "pyproject.toml").read_text()
    assert "# what your components import" in text
    assert "# who is asked" in text
    assert sorted(path.name for path in folder(here, "mine").iterdir()) == [
        "Dockerfile.example",
        "poetry.lock",
        "pyproject.toml",
    ]
    assert folder(here, "mine").stat().st_mode & 0o777 == 0o755
    again = here.document("lock", "mine", "--dry-run")
    assert again["totals"] == {"changed": 0, "unchanged": 1, "failed": 0}
    plan = here.document("plan", "mine")
    assert [(one["verdict"], one["reasons"]) for one in plan["environments"]] == [
        ("build", ["new"])
    ]


def test_the_next_of_a_family_moves_what_it_must(here: World) -> None:
    """Pins stay though newer versions exist; the difference and the next command are told."""
    ran = here.run("new", "environment", "one-2", "--from", "one", "--set", "alpha~=2.0")
    assert ran.code == 0, ran.err
    assert "environments/one-2, the next version of one" in ran.out
    assert "* alpha    1.0   2.0  major" in ran.out
    assert "beta" not in ran.out.partition("components that fit")[0].partition("against")[2]
    assert "components that fit: uses_beta" in ran.out
    assert "uses_epsilon does not: it needs epsilon>=1, which it does not hold" in ran.out
    assert ran.out.endswith("next: eggcrate matrix --environment one-2\n")
    old = (here.one / "pyproject.toml").read_text()
    text = (folder(here, "one-2") / "pyproject.toml").read_text()
    assert text == old.replace('name = "one"', 'name = "one-2"').replace("alpha<2", "alpha~=2.0")
    lock = tomllib.loads((folder(here, "one-2") / "poetry.lock").read_text())
    assert {one["name"]: one["version"] for one in lock["package"]} == {
        "alpha": "2.0",
        "beta": "1.0",
    }


def test_a_family_can_move_to_another_python(here: World) -> None:
    """Its base is named, so it is named anew; other packages may be added on the way."""
    found = here.document(
        "new", "environment", "one-3", "modern", "--from", "one", "--python", "3.13"
    )
    assert (found["python"], found["base"]) == ("3.13", "python-3.13")
    assert found["requirements"] == ["alpha<2", "modern>=1.0,<2"]
    settings = tomllib.loads((folder(here, "one-3") / "pyproject.toml").read_text())
    assert settings["tool"]["eggcrate"]["base"] == "python-3.13"


def test_a_dry_run_leaves_nothing(here: World) -> None:
    """Of any kind: the same is told, a name close to another too; every file is as it was."""
    before = here.files()
    for kind, name, near in (
        ("environment", "twoo", ["two"]),
        ("component", "use_beta", ["uses_beta"]),
        ("pipeline", "mine", []),
    ):
        found = here.document("new", kind, name, "--dry-run")
        assert (found["kind"], found["written"], found["near"]) == (kind, False, near)
    told = here.run("new", "component", "use_beta", "--dry-run").out
    assert "its name is close to uses_beta" in told
    assert "nothing was written" in told
    assert here.files() == before


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("x", "epsiln"), 1, ("no package 'epsiln'", "did you mean epsilon?")),
        (("x", "epsilon==9"), 1, ("no epsilon ==9", "eggcrate new environment x epsilon")),
        (("x", "epsilon=1"), 2, ('write "epsilon==1"',)),
        (("x", "gamma==1.0", "delta"), 1, ("nothing satisfies all", "delta", "it asks for")),
        (("x", "native"), 1, ("no file for Python 3.13", "cp311 win_amd64")),
        (("x", "--python", "3.12"), 2, ("no base has Python 3.12", "3.11, 3.13")),
        (("x", "--python", "3.13.1"), 2, ("write 3.13",)),
        (("x", "--base", "python-3.12"), 2, ("no base 'python-3.12'", "did you mean")),
        (("x", "--base", "python-3.13", "--python", "3.11"), 2, ("does not have Python 3.11",)),
        (("x", "--set", "alpha<2"), 2, ("--from ENV",)),
        (("x", "--from", "oen", "--set", "alpha"), 2, ("no environment 'oen'", "mean one?")),
        (
            ("x", "--from", "one", "--set", "alpha"),
            2,
            ("asks for alpha<2 already", "--set 'alpha~=2.1.0'"),
        ),
        (("x", "--from", "one", "--set", "alpha~~2"), 2, ("is not a package",)),
        (("x", "--from", "one", "--set", "alhpa<2"), 1, ("no package 'alhpa'",)),
        (("x", "--from", "one", "--set", "beta<1"), 1, ("there is no beta <1", "--set beta")),
        (("one",), 2, ("there is environments/one already",)),
        (("One",), 2, ("eggcrate new environment one",)),
        (("x", "--supported-until", "soon"), 2, ("'soon' is no day such as",)),
    ],
)
def test_mistakes(
    here: World, arguments: tuple[str, ...], code: int, told: tuple[str, ...]
) -> None:
    """Each is told with the nearest names and a next step, and leaves nothing behind."""
    before = here.files()
    ran = here.run("new", "environment", *arguments)
    assert ran.code == code
    assert all(words in ran.err for words in told), ran.err
    assert here.files() == before


def test_the_teams_answers_are_taken(here: World) -> None:
    """From the root pyproject.toml, told with the line; one that cannot be is an error of it."""
    path = here.repository.root / "pyproject.toml"
    kept = path.read_text()
    arguments = ("new", "environment", "mine", "epsilon", "--dry-run")
    try:
        path.write_text(f'{kept}[tool.eggcrate.new]\nowner = "us"\npython = "3.11"\n')
        ran = here.run(*arguments)
        assert "python: 3.11, by pyproject.toml:6 (--python says another)" in ran.err
        assert "Python 3.11 on python-3.11, owner us," in ran.out
        path.write_text(f'{kept}[tool.eggcrate.new]\npython = "3.12"\n')
        ran = here.run(*arguments)
        assert ran.code == 1
        assert "pyproject.toml:5: python is '3.12', which no base has" in ran.err
    finally:
        path.write_text(kept)


def test_rules_are_told_beside_what_it_costs(here: World) -> None:
    """By new and by add: the rule, where it is set, how to ask; only what they would cause."""
    path = here.repository.root / "pyproject.toml"
    kept = path.read_text()
    path.write_text(
        f'{kept}[tool.eggcrate.policy]\nmax-size = "200kB"\nmax-growth = "100kB"\n'
        'deny = ["epsilon", "alpha"]\nrequire = ["owner"]\n'
    )
    try:
        added = here.run("add", "one", "epsilon", "--dry-run")
        assert added.code == 0, added.err
        assert "one: violation max-size: its packages are" in added.out
        assert "one: violation max-growth: it grew by" in added.out
        assert (
            "one: violation deny: epsilon 1.2.3 is denied by 'epsilon' (set in pyproj" in added.out
        )
        assert "alpha" not in added.out.partition("violation")[2].replace("[tool.egg", "")
        assert "add to environments/one/pyproject.toml:" in added.out
        assert "[[tool.eggcrate.exceptions]]" in added.out
        new = here.document("new", "environment", "mine", "epsilon", "--dry-run")
        assert [(one["rule"], one["where"]) for one in new["violations"]] == [
            ("max-size", "pyproject.toml:5"),
            ("deny", "pyproject.toml:7"),
        ]
        assert new["violations"][0]["ask"].startswith("[[tool.eggcrate.exceptions]]")
    finally:
        path.write_text(kept)


def test_an_exception_that_is_copied_is_told(here: World) -> None:
    """It was granted to another environment: where it stands in the new one is said."""
    root, path = here.repository.root / "pyproject.toml", here.one / "pyproject.toml"
    kept, own = root.read_text(), path.read_text()
    root.write_text(f'{kept}[tool.eggcrate.policy]\ndeny = ["alpha"]\n')
    path.write_text(
        f'{own}[[tool.eggcrate.exceptions]]\nrule = "deny"\npackage = "alpha"\n'
        'reason = "old models"\nuntil = 2099-01-01\n'
    )
    try:
        ran = here.run("new", "environment", "one-2", "--from", "one", "--set", "alpha~=2.0")
        assert ran.code == 0, ran.err
        assert "one-2: excepted deny: alpha 2.0 is denied" in ran.out
        assert "by environments/one-2/pyproject.toml:" in ran.out
    finally:
        root.write_text(kept)
        path.write_text(own)
