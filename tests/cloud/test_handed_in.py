"""What child builds hand in arrives as it was, and nothing else is ever made of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eggcrate.build.attest import Attested
from eggcrate.build.engine import BuildResult
from eggcrate.build.published import PublishResult, ToPublish
from eggcrate.build.values import Verdict
from eggcrate.cloud.children import child, pattern_of, resolved_source, source_of
from eggcrate.cloud.division import Job, Share, Why
from eggcrate.cloud.handed_in import NAME, HandedIn
from eggcrate.cloud.inventory import Held, uses
from eggcrate.errors import ConfigError, EggcrateError, LockStaleError, UsageError
from eggcrate.matrix.cells import Cell, CellResult, Outcome, Proof
from eggcrate.matrix.evidence import Evidence, Lines
from eggcrate.registry.push import PushReport
from eggcrate.wire import decoded, encoded
from support.matrices import with_everything

TEXTS = st.text(st.characters(codec=None), max_size=40)
ERRORS = st.builds(
    lambda kind, what, why: kind(what, why=why, hint="h"),
    st.sampled_from([EggcrateError, LockStaleError, UsageError]),
    TEXTS,
    TEXTS,
)
PROOFS = st.builds(
    Proof,
    name=TEXTS,
    outcome=st.sampled_from(Outcome),
    reason=TEXTS,
    seconds=st.floats(0, 1e6),
    exit_code=st.none() | st.integers(0, 255),
    output=TEXTS,
    evidence=st.builds(
        Evidence,
        imported=st.tuples(TEXTS),
        lines=st.dictionaries(
            TEXTS,
            st.builds(
                Lines,
                statements=st.frozensets(st.integers()),
                covered=st.frozensets(st.integers()),
            ),
            max_size=2,
        ),
    ),
)
CELLS = st.builds(
    CellResult,
    cell=st.builds(Cell, component=TEXTS, flavour=TEXTS, environment=TEXTS),
    outcome=st.sampled_from(Outcome),
    seconds=st.floats(0, 1e6) | st.just(3),
    memory_peak=st.none() | st.integers(),
    proofs=st.tuples(PROOFS),
    earlier=st.tuples(),
)
BUILDS = st.builds(
    BuildResult,
    environment=TEXTS,
    platform=TEXTS,
    verdict=st.sampled_from(Verdict),
    size=st.integers(),
    error=st.none() | ERRORS,
)
PUBLISHED = st.builds(
    PublishResult,
    image=st.builds(ToPublish, environment=TEXTS, platform=TEXTS, tag=TEXTS, digest=TEXTS),
    report=st.none()
    | st.builds(
        PushReport,
        digest=TEXTS,
        tags=st.tuples(TEXTS),
        new_bytes=st.integers(),
        uploaded=st.integers(),
        mounted=st.integers(),
        existed=st.integers(),
    ),
    seconds=st.floats(0, 1e6),
    error=st.none() | ERRORS,
)
TOLD = st.builds(
    HandedIn,
    commit=TEXTS,
    builds=st.tuples(BUILDS),
    published=st.tuples(PUBLISHED),
    attested=st.tuples(
        st.builds(Attested, environment=TEXTS, platform=TEXTS, digest=TEXTS, added=st.tuples(TEXTS))
    ),
    cells=st.tuples(CELLS),
)


def _same(value: Any) -> Any:
    """With errors as what they say: two of them are never equal."""
    return encoded(value)


@given(told=TOLD)
@settings(max_examples=25)
def test_what_is_handed_in_arrives(told: HandedIn) -> None:
    """Outcomes, proofs, evidence and errors with their classes, whatever letters tests write."""
    arrived = decoded(HandedIn, json.loads(json.dumps(encoded(told))))
    assert _same(arrived) == _same(told)
    assert arrived.cells == told.cells
    assert arrived.cells[0].proofs[0].evidence == told.cells[0].proofs[0].evidence
    [here], [there] = told.builds, arrived.builds
    assert type(there.error) is type(here.error)


def test_a_whole_session_arrives() -> None:
    """Every outcome that there is, with a hostile log."""
    told = HandedIn(cells=with_everything().results)
    assert decoded(HandedIn, json.loads(json.dumps(encoded(told)))) == told


@pytest.mark.parametrize(
    "data",
    [
        [],
        {"cells": 1},
        {"cells": [{"cell": {}}]},
        {"strange": 1},
        {"commit": 5},
        {"builds": [{"environment": "e", "platform": "p", "verdict": "splendid"}]},
        {"builds": [{"environment": "e", "platform": "p", "verdict": "built", "size": "big"}]},
        {
            "builds": [
                {"environment": "e", "platform": "p", "verdict": "failed", "error": {"error": "x"}}
            ]
        },
    ],
    ids=range(8),
)
def test_anything_else_is_refused(data: Any) -> None:
    """Fields that there are not, or of other types: not one is believed."""
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        decoded(HandedIn, data)


def test_only_errors_of_ours_are_made() -> None:
    """A class that is none of Eggcrate's errors is a plain one, whatever its name."""
    for name in ("annotations", "EXIT_OK", "SystemExit", "__builtins__"):
        told = {"error": name, "what": "w", "why": "", "hint": ""}
        data = {"environment": "e", "platform": "p", "verdict": "failed", "error": told}
        assert type(decoded(BuildResult, data).error) is EggcrateError


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("gs://b/o/p.tgz", {"storageSource": {"bucket": "b", "object": "o/p.tgz"}}),
        (
            "gs://b/o.tgz#17",
            {"storageSource": {"bucket": "b", "object": "o.tgz", "generation": "17"}},
        ),
        (
            "projects/p/locations/l/connections/c/repositories/r@main",
            {
                "connectedRepository": {
                    "repository": "projects/p/locations/l/connections/c/repositories/r",
                    "revision": "main",
                }
            },
        ),
        (
            "https://git.example/a/b.git@v1",
            {"gitSource": {"url": "https://git.example/a/b.git", "revision": "v1"}},
        ),
    ],
    ids=["object", "generation", "connected", "git"],
)
def test_a_source_by_hand(text: str, source: dict[str, Any]) -> None:
    """Each form that the service takes."""
    assert source_of(text) == source


@pytest.mark.parametrize(
    "text", ["", "here", "gs://b", "https://git.example/a/b.git", "gs://b/o#x"]
)
def test_what_is_no_source_is_refused(text: str) -> None:
    """A git repository without a revision would be another one for each child."""
    with pytest.raises(UsageError, match="--source"):
        source_of(text)


def test_a_source_is_the_very_one_that_the_parent_got() -> None:
    """A branch moves on while children wait in the queue; an object gets another generation."""
    build = {
        "source": {"storageSource": {"bucket": "b", "object": "o"}},
        "sourceProvenance": {"resolvedStorageSource": {"generation": "5"}},
    }
    expected = {"storageSource": {"bucket": "b", "object": "o", "generation": "5"}}
    assert resolved_source(build) == expected
    for nothing in ({}, {"source": {"developerConnectConfig": {}}}):
        with pytest.raises(ConfigError, match="no source"):
            resolved_source(nothing)


NOW = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)
PARENT = {
    "source": {"gitSource": {"url": "u", "revision": "r"}},
    "steps": [{"name": "${_BUILDER}"}],
    "timeout": "3600s",
    "startTime": "2026-11-26T11:50:00.123456789Z",
    "substitutions": {"_BUILDER": "python:3.13", "COMMIT_SHA": "x"},
    "options": {
        "env": ["EGGCRATE_REGISTRY=old", "A=$_B"],
        "pool": {"name": "p"},
        "substitutionOption": "MUST_MATCH",
    },
}


def _share(why: Why = Why.WORK, platform: str = "linux/amd64") -> Share:
    job = Job(name="one", environment="one", platform=platform, seconds=1.0)
    return Share(number=1, why=why, jobs=(job,))


def test_a_child_has_what_is_left_of_its_parents_time() -> None:
    """It could not be of use for longer; when nothing is left it still gets a minute."""
    pattern = pattern_of(PARENT, name="b", parent="p", run="r", now=NOW)
    assert pattern.timeout == pytest.approx(3000, abs=1)
    assert pattern_of(PARENT, name="", parent="p", run="r", now=NOW).timeout == 3600
    late = NOW.replace(hour=20)
    assert pattern_of(PARENT, name="b", parent="p", run="r", now=late).timeout == 60


def test_a_child_as_the_service_reads_it() -> None:
    """Variables of ours win and are not expanded; what the parent's meant is kept."""
    pattern = pattern_of(
        PARENT, name="b", parent="p", run="r", now=NOW, variables={"EGGCRATE_REGISTRY": "new$1"}
    )
    made = child(pattern, _share(), ["matrix", "--cells", "-"], "t-1", stdin="a in one\n")
    env = made["options"]["env"]
    assert env == ["A=$_B", "BUILD_ID=$BUILD_ID", "EGGCRATE_REGISTRY=new$$1"]
    assert made["options"]["substitutionOption"] == "ALLOW_LOOSE"
    assert made["options"]["logging"] == "CLOUD_LOGGING_ONLY"
    assert made["substitutions"] == {"_BUILDER": "python:3.13"}
    assert made["tags"] == [
        "eggcrate",
        "eggcrate-child",
        "eggcrate-parent-p",
        "eggcrate-run-r",
        "t-1",
        "one",
    ]
    assert [step["id"] for step in made["steps"]] == ["set-up", "work"]
    assert made["steps"][1]["script"].endswith(
        '.venv/bin/eggcrate matrix --cells - --child-of b --hand-in "results-$BUILD_ID" '
        "<<'EGGCRATE_CELLS'\na in one\nEGGCRATE_CELLS\n"
    )


def test_a_child_has_the_secrets_that_every_step_has() -> None:
    """One that no step of it has would be refused by the service."""
    secrets = [{"versionName": name, "env": name} for name in ("KEY", "TOKEN")]
    build = {
        **PARENT,
        "options": {"secretEnv": ["KEY"]},
        "availableSecrets": {"secretManager": secrets},
    }
    pattern = pattern_of(build, name="b", parent="p", run="r", now=NOW)
    made = child(pattern, _share(), ["build"], "t")
    assert made["availableSecrets"] == {"secretManager": secrets[:1]}
    assert made["options"]["secretEnv"] == ["KEY"]
    assert (
        "availableSecrets"
        not in pattern_of({**build, "options": {}}, name="b", parent="p", run="r", now=NOW).more
    )


def test_a_dockerfile_brings_its_client_and_where_needed_an_emulator() -> None:
    """Images of steps have no Docker client; the machine is no arm64 by itself."""
    pattern = pattern_of(PARENT, name="", parent="p", run="r", now=NOW, emulator="binfmt")
    here = child(pattern, _share(Why.DOCKERFILE), ["build"], "t")
    assert "scripts/ci_docker.sh" in here["steps"][-1]["script"]
    assert len(here["steps"]) == 2
    there = child(pattern, _share(Why.DOCKERFILE, "linux/arm64"), ["build"], "t")
    assert there["steps"][0] == {"id": "emulator", "name": "binfmt", "args": ["--install", "arm64"]}
    # The layered builder runs nothing of the image: no emulator is needed.
    layered = child(pattern, _share(Why.PLATFORM, "linux/arm64"), ["build"], "t")
    assert len(layered["steps"]) == 2
    many = Share(
        number=1,
        why=Why.WORK,
        jobs=tuple(replace(_share().jobs[0], environment=f"e{n}") for n in range(99)),
    )
    assert len(child(pattern, many, ["build"], "t")["tags"]) == 60


def test_what_was_handed_in_uses_nothing() -> None:
    """Clean-up takes it by age, as it takes proofs; durations stay, for they have a plain name."""
    mine = Held(
        name=NAME, digest="sha256:1", tags=("results-0b5c1f5e-7d0e-4b0a-9d57-3d3b7f5a1c2e",)
    )
    durations = Held(name=NAME, digest="sha256:2", tags=("durations",))
    found = uses([mine, durations], keys={}, root=Path("nowhere"), prefix="host/path")
    assert found == {(NAME, "sha256:2"): ("tag durations",)}
    assert (mine.kind, durations.kind) == ("results", "image")
