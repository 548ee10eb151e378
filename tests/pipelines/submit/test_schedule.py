"""``eggcrate schedule``: its whole life, against a server with state."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.errors import UsageError
from eggcrate.pipelines.submit.vertex_schedules import Timing
from support import pipelines

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.vertex_server import Vertex

HERE = Path(__file__).resolve().parents[3]
WHERE = ("--project", "ml-production", "--location", "europe-west4")
ROOT = ("--pipeline-root", "gs://artifacts/runs")
CREATE = ("--parameter", "rows=3", *WHERE, *ROOT)
WEEKLY = ("--cron", "0 6 * * 1", "--time-zone", "Europe/Berlin")


def test_create_list_pause_resume_delete(
    vertex: Vertex, eggcrate: Callable[..., Any], file: Path
) -> None:
    """Each step is seen by the next."""
    made = eggcrate(
        "schedule", "create", str(file), *WEEKLY, "--name", "weekly", "--json", *CREATE,
        *("--max-concurrent", "2", "--max-runs", "10", "--start", "2027-01-31T06:00:00+01:00"),
    )  # fmt: skip
    assert made.code == 0, made.err
    [schedule] = made.document["schedules"]
    assert schedule["state"] == "active"
    assert schedule["cron"] == "TZ=Europe/Berlin 0 6 * * 1"
    [sent] = vertex.schedules.values()
    assert (sent.max_concurrent_run_count, sent.max_run_count) == (2, 10)
    assert sent.start_time.isoformat() == "2027-01-31T05:00:00+00:00"
    assert sent.create_pipeline_job_request.pipeline_job.runtime_config.parameter_values == {
        "rows": 3
    }

    def state() -> list[str]:
        told = eggcrate("schedule", "list", "--json", *WHERE)
        return [one["state"] for one in told.document["schedules"]]

    assert eggcrate("schedule", "pause", "weekly", *WHERE).code == 0
    assert state() == ["paused"]
    assert eggcrate("schedule", "resume", schedule["id"], *WHERE).code == 0
    assert state() == ["active"]
    assert eggcrate("schedule", "delete", "weekly", "--dry-run", *WHERE).code == 0
    assert state() == ["active"]
    assert eggcrate("schedule", "delete", "weekly", *WHERE).code == 0
    assert state() == []


def test_two_of_one_name(vertex: Vertex, eggcrate: Callable[..., Any], file: Path) -> None:
    """A second one is refused: nobody could tell which to pause."""
    assert eggcrate("schedule", "create", str(file), *WEEKLY, *CREATE).code == 0
    again = eggcrate("schedule", "create", str(file), *WEEKLY, *CREATE)
    assert again.code == 1
    assert "there is a schedule train-and-register already" in again.err
    assert len(vertex.schedules) == 1


def test_more_than_a_page(vertex: Vertex, eggcrate: Callable[..., Any], file: Path) -> None:
    """The server tells two at a time; all are listed, by name."""
    for name in ("c", "a", "b"):
        made = eggcrate("schedule", "create", str(file), *WEEKLY, *CREATE, "--name", name)
        assert made.code == 0, made.err
    lines = eggcrate("schedule", "list", *WHERE).out.splitlines()[2:]
    assert [line.split()[0] for line in lines] == ["a", "b", "c"]


def test_one_that_is_not_there(vertex: Vertex, eggcrate: Callable[..., Any]) -> None:
    """The names that there are, are told."""
    ran = eggcrate("schedule", "pause", "nightly", *WHERE)
    assert ran.code == 1
    assert "there is no schedule nightly" in ran.err
    assert "there are: none" in ran.err


def test_permission_denied(vertex: Vertex, eggcrate: Callable[..., Any], file: Path) -> None:
    """With the roles that are needed."""
    vertex.denied.add("CreateSchedule")
    ran = eggcrate("schedule", "create", str(file), *WEEKLY, *CREATE)
    assert ran.code == 1
    assert "roles/aiplatform.user" in ran.err
    assert "Traceback" not in ran.err


def test_a_dry_run_needs_nobody(eggcrate: Callable[..., Any], file: Path, tmp_path: Path) -> None:
    """No client, no log-in, no server; the options are the file's, and flags override them."""
    config = tmp_path / "config.toml"
    config.write_text(
        '[vertex]\nproject = "ml-staging"\nlocation = "europe-west4"\n'
        'pipeline-root = "gs://artifacts/runs"\nlabels = { team = "ml" }\n'
    )
    ran = eggcrate(
        "schedule", "create", str(file), *WEEKLY, "--dry-run", "--json", "--config", str(config),
        *("--parameter", "rows=3", "--project", "ml-production", "--label", "stage=prod"),
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert ran.document["timing"]["cron"] == "TZ=Europe/Berlin 0 6 * * 1"
    assert ran.document["options"]["project"] == "ml-production"
    assert ran.document["options"]["labels"] == {"team": "ml", "stage": "prod"}
    assert ran.document["parameters"] == {"rows": 3}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"cron": "0 6 * *"}, "must have five fields"),
        ({"time_zone": "Berlin"}, "--time-zone 'Berlin' is none"),
        ({"start": "tomorrow"}, "--start 'tomorrow' is no moment"),
        ({"start": "2027-01-31T06:00:00"}, "is no moment"),
        (
            {"start": "2027-01-31T06:00:00Z", "end": "2027-01-31T06:30:00+01:00"},
            "--end must be later",
        ),
        ({"max_concurrent": 0}, "must be 1 or more"),
    ],
)
def test_a_time_that_cannot_be_meant(settings: dict[str, Any], told: str) -> None:
    """It is refused before anything is asked."""
    with pytest.raises(UsageError, match=told):
        Timing(**{"cron": "0 6 * * 1", **settings})


CONFIG = """
[vertex]
location = "europe-west4"
[schedule]
cron = "0 6 * * 1"
[stages.staging.vertex]
project = "ml-staging"
pipeline-root = "gs://artifacts/staging"
[stages.staging.parameters]
rows = 1
[stages.production.vertex]
project = "ml-production"
pipeline-root = "gs://artifacts/runs"
[stages.production.schedule]
time-zone = "Europe/Berlin"
max-concurrent = 2
[stages.production.parameters]
rows = 3
[stages.production.upload]
to = "gs://artifacts/pipelines/"
"""


@pytest.fixture
def configured(eggcrate: Callable[..., Any], tmp_path: Path) -> Path:
    """A pipeline with stages, compiled."""
    root = tmp_path / "repo"
    folder = root / "pipelines" / "train"
    folder.mkdir(parents=True)
    (folder / "pipeline.py").touch()
    (folder / "config.toml").write_text(CONFIG)
    built = root / "build" / "pipelines"
    built.mkdir(parents=True)
    return pipelines.write(built, pipelines.compiled())


def test_a_schedule_is_applied_from_the_configuration_of_a_stage(
    vertex: Vertex,
    eggcrate: Callable[..., Any],
    configured: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Made, then left as it is; changed when time, parameter or pipeline change, never twice.

    The stage is a flag's or the environment's; a paused schedule stays paused.
    """
    assert configured.exists()

    def apply(*flags: str) -> tuple[str, dict[str, Any]]:
        ran = eggcrate("schedule", "apply", "train", "--json", *flags)
        assert ran.code == 0, ran.err
        return ran.document["outcome"], (ran.document["schedules"] or [{}])[0]

    production = ("--stage", "production")
    assert apply(*production, "--dry-run")[0] == "created"
    assert vertex.schedules == {}
    outcome, made = apply(*production)
    assert (outcome, made["name"]) == ("created", "train-production")
    assert made["cron"] == "TZ=Europe/Berlin 0 6 * * 1"
    monkeypatch.setenv("EGGCRATE_STAGE", "production")
    assert apply() == ("up-to-date", made)
    assert "UpdateSchedule" not in vertex.calls
    assert eggcrate("schedule", "pause", "train-production", *WHERE).code == 0
    outcome, changed = apply("--cron", "0 7 * * 1")
    assert (outcome, changed["cron"]) == ("updated", "TZ=Europe/Berlin 0 7 * * 1")
    assert (changed["id"], changed["state"]) == (made["id"], "paused")
    assert apply("--cron", "0 7 * * 1")[0] == "up-to-date"
    assert apply("--cron", "0 7 * * 1", "--parameter", "rows=4")[0] == "updated"
    pipelines.write(configured.parent, pipelines.compiled(code="print()"))
    assert apply("--cron", "0 7 * * 1", "--parameter", "rows=4", "--dry-run")[0] == "updated"
    assert apply("--cron", "0 7 * * 1", "--parameter", "rows=4")[0] == "updated"
    [sent] = vertex.schedules.values()
    run = sent.create_pipeline_job_request.pipeline_job
    assert run.runtime_config.parameter_values == {"rows": 4}
    assert "print()" in str(type(sent).pb(sent))
    assert sent.max_concurrent_run_count == 2


def test_a_schedule_cannot_lose_its_end(
    vertex: Vertex, eggcrate: Callable[..., Any], configured: Path
) -> None:
    """Vertex AI removes no setting: it is said, and what there is stays."""
    assert configured.exists()
    ends = ("--end", "2099-01-31T06:00:00+01:00")
    assert eggcrate("schedule", "apply", "train", "--stage", "production", *ends).code == 0
    ran = eggcrate("schedule", "apply", "train", "--stage", "production")
    assert ran.code == 1
    assert "has end, and cannot be without it" in ran.err
    assert next(iter(vertex.schedules.values())).end_time


def test_what_a_stage_lacks_is_told(
    eggcrate: Callable[..., Any], configured: Path, tmp_path: Path
) -> None:
    """No stage, an unknown one, no time: errors before anything is asked."""
    assert configured.exists()
    without = eggcrate("schedule", "apply", "train")
    assert without.code == 1
    assert "rows has no value" in without.err
    unknown = eggcrate("schedule", "apply", "train", "--stage", "nightly")
    assert unknown.code == 2
    assert "nightly" in unknown.err
    (tmp_path / "repo" / "pipelines" / "train" / "config.toml").write_text("")
    ran = eggcrate("schedule", "apply", "train", *WHERE, *ROOT)
    assert ran.code == 2
    assert "cron under [schedule]" in ran.err


def test_an_upload_goes_where_its_stage_says(
    vertex: Vertex, eggcrate: Callable[..., Any], configured: Path
) -> None:
    """And is an error where nothing says."""
    assert configured.exists()
    ran = eggcrate("upload", "train", "--stage", "production", "--json")
    assert ran.code == 0, ran.err
    assert ran.document["to"] == "gs://artifacts/pipelines/train-and-register.yaml"
    assert "pipelines/train-and-register.yaml" in vertex.storage.buckets["artifacts"]
    none = eggcrate("upload", "train", "--stage", "staging")
    assert none.code == 2
    assert "to under [upload]" in none.err


def test_a_compiled_file_is_of_no_project(
    vertex: Vertex, eggcrate: Callable[..., Any], configured: Path, tmp_path: Path
) -> None:
    """An upload asks for none, where there are several; what a project says of it holds by name."""
    file = tmp_path / "repo" / "pipelines" / "train" / "config.toml"
    projects = '[projects.one]\n[projects.two.upload]\nto = "gs://artifacts/two/"\n'
    file.write_text(CONFIG + projects)
    for asked, to in (("train", "pipelines"), ("train/one", "pipelines"), ("train/two", "two")):
        ran = eggcrate("upload", asked, "--stage", "production", "--json")
        assert ran.code == 0, ran.err
        assert ran.document["to"] == f"gs://artifacts/{to}/train-and-register.yaml"


def test_ci_uploads_each_pipeline_where_it_says(
    vertex: Vertex, eggcrate: Callable[..., Any], configured: Path, tmp_path: Path
) -> None:
    """By its own table and the stage, else to the place of all; where there is none, it is told."""
    root = tmp_path / "repo"
    shutil.copy(configured, configured.with_name("other.yaml"))
    (root / "scripts").mkdir()
    shutil.copy(HERE / "scripts" / "ci_upload.sh", root / "scripts")
    (root / ".venv").symlink_to(sys.prefix)

    def told(**variables: str) -> str:
        done = subprocess.run(
            [root / "scripts" / "ci_upload.sh"],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    first = told(STAGE="production")
    assert "other: left out: there is no place for it" in first
    assert set(vertex.storage.buckets["artifacts"]) == {"pipelines/train-and-register.yaml"}, first
    vertex.storage.buckets["artifacts"].clear()
    second = told(STAGE="production", PIPELINES="gs://artifacts/all")
    assert set(vertex.storage.buckets["artifacts"]) == {
        "pipelines/train-and-register.yaml",
        "all/train-and-register.yaml",
    }, second
    assert "to under [upload]" in told()
