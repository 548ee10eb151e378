"""``eggcrate audit`` and ``fix``: a database, real locks, and a real resolver."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from support.adding import World, world
from support.osv import affected, findings, write
from support.repository import take_debs
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.network  # Debian's packages say which sources they are from

LOW = "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("audit")
    with world(folder) as found:
        take_debs(found.repository.cache)
        found.index.add(make_wheel(found.wheels, "beta", "1.1"))
        found.index.add(make_wheel(found.wheels, "beta", "1.2"))
        yield found


@pytest.fixture
def here(made: World, tmp_path: Path) -> Iterator[World]:
    """The world, put back as it was."""
    files = {path: made.repository.root / path for path in made.files()}
    before = {path: where.read_bytes() for path, where in files.items()}
    yield made
    for path, where in files.items():
        if where.read_bytes() != before[path]:
            where.write_bytes(before[path])


def test_a_finding_says_how_bad_whom_and_what_to_do(here: World, tmp_path: Path) -> None:
    """Severity, fixed version, environment, the way to the package, and the components."""
    database = write(tmp_path / "osv", affected("B-1", "PyPI", "beta", "1.1"))
    code, found = findings(here, database)
    assert (code, set(found)) == (1, {"B-1"})
    one = found["B-1"]
    assert (one["severity"], one["score"], one["fixed"]) == ("critical", 9.8, ["1.1"])
    assert (one["image"], one["package"], one["version"]) == ("one", "beta", "1.0")
    assert (one["through"], one["components"]) == (["alpha", "beta"], ["uses_beta"])
    told = here.run("audit", "--database", database).out
    assert "critical 9.8  B-1 (CVE-B-1)  beta 1.0" in told
    assert findings(here, write(tmp_path / "none")) == (0, {})
    assert findings(here, database, "two") == (0, {})


def test_debian_packages_are_judged_by_their_source(here: World, tmp_path: Path) -> None:
    """In the release of their base; a vulnerability without a severity closes the gate."""
    glibc = affected("D-1", "Debian:12", "glibc", vector="")
    code, found = findings(here, write(tmp_path / "osv", glibc), "--severity", "critical")
    assert (code, found["D-1"]["severity"], found["D-1"]["image"]) == (1, "unknown", "one")
    code, _ = findings(here, str(tmp_path / "osv"), "--fixable")
    assert code == 0


def test_the_gate_closes_at_a_severity(here: World, tmp_path: Path) -> None:
    """What is less is told, and does not fail."""
    database = write(tmp_path / "osv", affected("B-1", "PyPI", "beta", "1.1", vector=LOW))
    assert findings(here, database)[0] == 1
    code, found = findings(here, database, "--severity", "medium")
    assert (code, found["B-1"]["fails"]) == (0, False)


@pytest.mark.parametrize(
    ("entry", "days", "told"),
    [
        ('package = "beta"', 1, "is excused until"),
        ('id = "CVE-B-1"', 1, "is excused until"),
        ('id = "B-1"\npackage = "beta"', 1, "is excused until"),
        ('package = "beta"', -1, "the exception for B-1 ended on"),
        ('id = "CVE-other"', 1, "no vulnerability needs this exception"),
        ('package = "alpha"', 1, "no vulnerability needs this exception"),
    ],
)
def test_exceptions_have_a_reason_and_an_end(
    entry: str, days: int, told: str, here: World, tmp_path: Path
) -> None:
    """By package or name; one that has ended, or fits nothing, is told."""
    until = datetime.now(UTC).date() + timedelta(days=days)
    path = here.one / "pyproject.toml"
    path.write_text(
        f'{path.read_text()}\n[[tool.eggcrate.exceptions]]\nrule = "vulnerability"\n{entry}\n'
        f'reason = "not reachable"\nuntil = {until}\n'
    )
    database = write(tmp_path / "osv", affected("B-1", "PyPI", "beta", "1.1"))
    ran = here.run("audit", "--database", database)
    excused = told == "is excused until"
    assert (ran.code == 0, "not reachable" in ran.out) == (excused, excused), ran.out
    assert told in ran.out
    # The policy's own verdict is about its own rules.
    assert "vulnerability" not in here.run("policy", "one", "--offline").out


def test_an_unreachable_database_is_never_green(here: World, tmp_path: Path) -> None:
    """Exit code 1 for both verbs, nothing judged, nothing written."""
    before = here.files()
    for where in ("http://127.0.0.1:9/osv", str(tmp_path / "missing"), ""):
        for verb in ("audit", "fix"):
            ran = here.run(verb, "--database", where)
            assert (ran.code, ran.out) == (1, ""), ran
    assert here.files() == before


def test_fix_moves_one_pin_and_no_other(here: World, tmp_path: Path) -> None:
    """To the oldest version that has none of the vulnerabilities, not to the newest."""
    database = write(
        tmp_path / "osv",
        affected("B-1", "PyPI", "beta", "1.1"),
        affected("B-2", "PyPI", "beta", "1.2", introduced="1.1"),
        affected("D-1", "Debian:12", "glibc", "99"),
    )
    before = here.files()
    ran = here.run("fix", "--database", database, "--dry-run", "--json")
    assert here.files() == before
    document = json.loads(ran.out)
    [one] = document["environments"]
    assert one["changes"] == [{"package": "beta", "from": "1.0", "to": "1.2"}]
    assert (one["removed"], one["left"], one["requirements"]) == (["B-1"], [], [])
    assert "eggcrate lock --bases" in document["rest"][0]
    ran = here.run("fix", "--database", database)
    assert ran.code == 0, ran.err
    assert "beta 1.0 -> 1.2" in ran.out
    changed = {path for path, content in here.files().items() if content != before[path]}
    assert {path for path in changed if before[path][0] != here.files()[path][0]} == {
        "environments/one/poetry.lock"
    }
    code, found = findings(here, database)
    assert (code, set(found)) == (1, {"D-1"})
    assert here.run("lock", "one", "--dry-run").out == "one: unchanged\n"


def test_fix_changes_a_range_only_when_it_must(here: World, tmp_path: Path) -> None:
    """``alpha<2`` has no version without it: the requirement is told and written."""
    database = write(tmp_path / "osv", affected("A-1", "PyPI", "alpha", "2.0"))
    ran = here.run("fix", "one", "--database", database)
    assert ran.code == 0, ran.err
    assert "pyproject.toml: alpha<2 -> alpha>=2.0,<3" in ran.out
    text = (here.one / "pyproject.toml").read_text()
    assert '"alpha>=2.0,<3",  # 2 is too new' in text
    assert findings(here, database)[0] == 0


def test_a_fix_that_breaks_a_component_is_put_back(here: World, tmp_path: Path) -> None:
    """``uses_beta`` needs ``beta<2``: with ``--prove`` the matrix says so, and files stay."""
    before = here.files()
    database = write(tmp_path / "osv", affected("B-1", "PyPI", "beta", "2.0"))
    ran = here.run("fix", "one", "--database", database, "--prove")
    assert ran.code == 1, ran.err
    assert "they were put back" in ran.err
    after = here.files()
    assert {path: after[path][0] for path in before} == {
        path: content for path, (content, _) in before.items()
    }
    ran = here.run("fix", "one", "--database", database, "--prove", "--dry-run")
    assert ran.code == 2


def test_what_nothing_fixes_is_told(here: World, tmp_path: Path) -> None:
    """No version without it, or none that goes together with the rest: files stay."""
    before = here.files()
    ran = here.run("fix", "--database", write(tmp_path / "a", affected("B-1", "PyPI", "beta")))
    assert (ran.code, ran.out) == (0, "there is nothing to fix\n")
    database = write(tmp_path / "b", affected("B-1", "PyPI", "beta", "77"))
    ran = here.run("fix", "--database", database)
    assert (ran.code, "one cannot have beta 77" in ran.out) == (1, True), ran
    assert here.files() == before
