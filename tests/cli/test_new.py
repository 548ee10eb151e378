"""``eggcrate new`` on an index of its own: what it makes, tells, asks and refuses."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import time
import tomllib
from typing import TYPE_CHECKING

import pytest

from support.adding import World, world
from support.repository import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEMPLATE = """\
[project]
name = "template"
description = "What this environment is for, in one line"
requires-python = ">=3.13,<3.14"
dependencies = [
    # what your components import
    "epsilon>=1",
]

[tool.poetry]
package-mode = false

[tool.eggcrate]
owner = "your-team"            # who is asked
supported-until = 2028-12-31
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("new")) as found:
        root = found.repository.root
        folder = root / "environments" / "_template"
        folder.mkdir()
        (folder / "pyproject.toml").write_text(TEMPLATE)
        (folder / "Dockerfile.example").write_text("# a line\n")
        (found.one / "pyproject.toml").write_text(
            (found.one / "pyproject.toml").read_text() + 'owner = "ml-platform"\n'
        )
        for kind in ("components", "pipelines"):
            shutil.copytree(HERE / kind / "_template", root / kind / "_template")
        yield found


@pytest.fixture
def here(made: World) -> Iterator[World]:
    """What a test makes is removed after it."""
    root = made.repository.root
    before = set(root.glob("*/*"))
    yield made
    for path in set(root.glob("*/*")) - before:
        shutil.rmtree(path)
    for path in (made.repository.cache / "answers").glob("*"):
        path.unlink()
    assert not [path.name for path in root.glob("*/.*") if path.name != ".keep"]


def folder(here: World, name: str) -> Path:
    return here.repository.root / "environments" / name


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


class Conversation:
    """The command line on a terminal of its own."""

    def __init__(self, here: World, *arguments: str, **extra: str) -> None:
        argv = here.repository.argv(*arguments)
        variables = here.repository.variables({"TERM": "dumb", **extra})
        variables.pop("CI", None)
        variables |= extra
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execve(argv[0], argv, variables)  # noqa: S606 - ours
        self.seen = ""

    def until(self, words: str) -> None:
        """Read until these words were shown."""
        end = time.monotonic() + 60
        while words not in self.seen and self._read():
            assert time.monotonic() < end, self.seen
        assert words in self.seen, self.seen

    def type(self, text: str) -> None:
        """Type, as a person does."""
        os.write(self.terminal, text.encode())

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._read():
            pass
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self) -> bool:
        ready, _, _ = select.select([self.terminal], [], [], 60)
        assert ready, self.seen
        try:
            data = os.read(self.terminal, 65536)
        except OSError:  # the other side is closed
            return False
        self.seen += data.decode(errors="replace").replace("\r", "")
        return bool(data)


def test_a_person_is_asked_once(here: World) -> None:
    """Defaults in brackets, a wrong answer again; next time what was answered is told instead."""
    talk = Conversation(here, "new", "environment", "asked")
    talk.until("packages, separated by spaces [epsilon>=1]: ")
    talk.type("modern=1\n")
    talk.until('write "modern==1"')
    talk.type("modern\n")
    talk.until("Python (3.11, 3.13) [3.13]: ")
    talk.type("3.12\n")
    talk.until("no base has Python 3.12")
    talk.type("\n")
    talk.until("description, in one line [modern on Python 3.13]: ")
    talk.type("Modern things\n")
    talk.until("breaks [ml-platform]: ")
    talk.type("data-team\n")
    assert talk.end() == 0, talk.seen
    assert "environments/asked: Modern things" in talk.seen
    assert "owner data-team" in talk.seen
    again = Conversation(here, "new", "environment", "again", "epsilon", "--description", "e")
    assert again.end() == 0, again.seen
    assert "python: 3.13, as last time (--python says another)" in again.seen
    assert "owner: data-team, as last time (--owner says another)" in again.seen
    assert "]: " not in again.seen


def test_a_person_describes_a_component(here: World) -> None:
    """The same for components; an empty answer takes the default."""
    talk = Conversation(here, "new", "component", "asked")
    talk.until("description, in one line [What this component does, in one line]: ")
    talk.type("Ask things\n")
    talk.until("beside the template's: ")
    talk.type("epsilon>=1\n")
    talk.until("xgboost=xgboost-cpu>=2: ")
    talk.type("\n")
    talk.until("threshold:float: ")
    talk.type("size:int\n")
    talk.until("environment it runs in by default (none fits): ")
    talk.type("tow\n")
    talk.until("did you mean two?")
    talk.type("two\n")
    assert talk.end() == 0, talk.seen
    assert "components/asked: Ask things" in talk.seen


@pytest.mark.parametrize(("key", "code"), [("\x03", 130), ("\x04", 2)])
def test_whoever_leaves_leaves_nothing(here: World, key: str, code: int) -> None:
    """Ctrl-C and Ctrl-D at a question."""
    talk = Conversation(here, "new", "environment", "left")
    talk.until("packages")
    talk.type(key)
    assert talk.end() == code, talk.seen
    assert "Traceback" not in talk.seen
    assert not folder(here, "left").exists()


def test_an_interrupted_lock_leaves_nothing(here: World) -> None:
    """The resolver is under way when the job is ended: no folder, no half of one."""
    before = here.files()
    asked = len(here.index.requests)
    started = subprocess.Popen(
        here.repository.argv("new", "environment", "cut", "epsilon", "modern"),
        env=here.repository.variables(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 30
    while len(here.index.requests) == asked and time.monotonic() < end:
        time.sleep(0.01)
    started.send_signal(signal.SIGTERM)
    _, err = started.communicate(timeout=60)
    assert started.returncode == 130, err
    assert here.files() == before
    assert not list((here.repository.root / "environments").glob("*cut*"))


def test_without_a_terminal_nothing_waits(here: World) -> None:
    """No input at all, and a terminal in a CI job: defaults, and the same result."""
    quiet = subprocess.run(
        here.repository.argv("new", "environment", "quiet", "--json"),
        env=here.repository.variables(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = json.loads(quiet.stdout)
    assert found["requirements"] == ["epsilon>=1"]
    assert not list((here.repository.cache / "answers").glob("*"))
    talk = Conversation(here, "new", "pipeline", "calm", CI="true")
    assert talk.end() == 0, talk.seen
    assert "pipelines/calm: What this pipeline does, in one line" in talk.seen


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
