"""``eggcrate schedule``: its whole life, against a server with state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.errors import UsageError
from eggcrate.pipelines.submit.vertex_schedules import Timing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.vertex_server import Vertex

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
