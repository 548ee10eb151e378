"""Schedules on Vertex AI: ``aiplatform.PipelineJobSchedule``.

API: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.schedules.
"""

from __future__ import annotations

import enum
import zoneinfo
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from eggcrate.errors import SubmitError, UsageError
from eggcrate.pipelines.submit.bucket import check_bucket
from eggcrate.pipelines.submit.clients import told
from eggcrate.pipelines.submit.vertex import HINTS, Vertex
from eggcrate.retries import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eggcrate.pipelines.submit.options import VertexOptions
    from eggcrate.pipelines.submit.states import Submission

_FIELDS = 5
_SECONDS = 60.0


class ScheduleState(enum.Enum):
    """Of a schedule."""

    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Timing:
    """When runs are started, and how many."""

    cron: str
    time_zone: str = "UTC"
    start: str = ""
    """As RFC 3339 writes a moment; empty: at once."""
    end: str = ""
    """Empty: never."""
    max_concurrent: int = 1
    """Runs at the same time; further ones are left out."""
    max_runs: int = 0
    """In all; 0: no limit."""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            UsageError: it says what.
        """
        if len(self.cron.split()) != _FIELDS:
            raise UsageError(
                f"--cron {self.cron!r} must have five fields",
                hint='minute, hour, day, month, day of the week: "0 6 * * 1" is Mondays at six',
            )
        if self.time_zone not in zoneinfo.available_timezones():
            raise UsageError(
                f"--time-zone {self.time_zone!r} is none", hint="write it as Europe/Berlin"
            )
        if self.max_concurrent < 1 or self.max_runs < 0:
            raise UsageError("--max-concurrent must be 1 or more, --max-runs 0 or more")
        moments = {name: _moment(name, getattr(self, name)) for name in ("start", "end")}
        start, end = moments["start"], moments["end"]
        if start and end and end <= start:
            raise UsageError("--end must be later than --start")

    @property
    def start_moment(self) -> datetime | None:
        """:attr:`start` as a value."""
        return _moment("start", self.start)

    @property
    def end_moment(self) -> datetime | None:
        """:attr:`end` as a value."""
        return _moment("end", self.end)

    @property
    def expression(self) -> str:
        """With the time zone, as Vertex AI reads it."""
        return f"TZ={self.time_zone} {' '.join(self.cron.split())}"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A schedule as Vertex AI tells it."""

    name: str
    """What people call it."""
    resource: str
    """``projects/…/schedules/ID``."""
    state: ScheduleState
    cron: str
    next_run: str
    runs: int
    page: str

    @property
    def id(self) -> str:
        """The last part of :attr:`resource`."""
        return self.resource.rpartition("/")[2]


class Schedules:
    """The schedules of one project and location.

    Args:
        options: of the pipeline that is scheduled, or with project and location alone.
        warn: told what does not stop the work.
    """

    def __init__(
        self, options: VertexOptions, *, warn: Callable[[str], None] = lambda _: None
    ) -> None:
        for key in ("project", "location"):
            if not getattr(options, key):
                raise UsageError(f"schedules need a {key}", hint=f"--{key}")
        self.options = options
        self._vertex = Vertex(options, warn=warn)
        self._warn = warn
        self._where = {"project": options.project, "location": options.location}

    def create(self, submission: Submission, timing: Timing, name: str) -> Schedule:
        """Have a pipeline run again and again.

        Raises:
            SubmitError: it is refused, or there is a schedule of that name.
        """
        options = self._vertex.options
        if taken := [one for one in self.list() if one.name == name]:
            raise SubmitError(
                f"there is a schedule {name} already: {taken[0].id}",
                hint=f"eggcrate schedule delete {taken[0].id}, or choose another --name",
            )
        check_bucket(options.pipeline_root, options, self._warn)
        job = self._vertex.job(submission)

        def make() -> Any:
            return job.create_schedule(
                cron=timing.expression,
                display_name=name,
                start_time=timing.start or None,
                end_time=timing.end or None,
                max_run_count=timing.max_runs or None,
                max_concurrent_run_count=timing.max_concurrent,
                service_account=options.service_account or None,
                network=options.network or None,
                create_request_timeout=_SECONDS,
            )

        return _seen(_done(f"creating schedule {name}", make))

    def list(self) -> list[Schedule]:
        """All of them, by name.

        Raises:
            SubmitError: they may not be seen.
        """
        found = _done("listing schedules", lambda: self._class.list(**self._where))
        return sorted((_seen(one) for one in found), key=lambda one: (one.name, one.resource))

    def pause(self, name: str) -> Schedule:
        """Start no more runs; those that run go on.

        Raises:
            SubmitError: there is none, or it is over.
        """
        return self._turned("pausing", name, lambda one: one.pause())

    def resume(self, name: str) -> Schedule:
        """Start runs again; those missed are not made up for.

        Raises:
            SubmitError: there is none, or it is over.
        """
        return self._turned("resuming", name, lambda one: one.resume(catch_up=False))

    def delete(self, name: str) -> Schedule:
        """Have it no more; its runs stay.

        Raises:
            SubmitError: there is none, or it is refused.
        """
        schedule = self.find(name)
        _done(
            f"deleting schedule {name}",
            lambda: self._class.get(schedule.resource, **self._where).delete(),
        )
        return schedule

    def named(self, name: str) -> tuple[Schedule, Any] | None:
        """The schedule of a name, and Vertex AI's whole answer; nothing when there is none.

        Raises:
            SubmitError: it may not be seen, or there are several.
        """
        if not any(name in (one.name, one.id, one.resource) for one in self.list()):
            return None
        seen = self.find(name)
        found = _done(
            f"looking at schedule {name}", lambda: self._class.get(seen.resource, **self._where)
        )
        return seen, found.gca_resource

    def job(self, submission: Submission) -> Any:
        """What is to be run, as the client's own object.

        Raises:
            SubmitError: the client does not take it.
        """
        return self._vertex.job(submission)

    def update(self, schedule: Schedule, wanted: Any, changed: Sequence[str]) -> Schedule:
        """Change fields of a schedule.

        Args:
            schedule: which.
            wanted: Vertex AI's message, whole.
            changed: names of the fields.

        Raises:
            SubmitError: it is refused.
        """
        from google.protobuf.field_mask_pb2 import FieldMask  # noqa: PLC0415 - slow

        check_bucket(self.options.pipeline_root, self.options, self._warn)

        def act() -> Any:
            found = self._class.get(schedule.resource, **self._where)
            found.api_client.update_schedule(
                schedule=wanted, update_mask=FieldMask(paths=list(changed)), timeout=_SECONDS
            )
            return self._class.get(schedule.resource, **self._where)

        return _seen(_done(f"updating schedule {schedule.name}", act))

    def find(self, name: str) -> Schedule:
        """The schedule of this name or id.

        Raises:
            SubmitError: there is none, or there are several of the name.
        """
        known = self.list()
        found = [one for one in known if name in (one.id, one.resource)]
        found = found or [one for one in known if one.name == name]
        if not found:
            names = ", ".join(one.name for one in known) or "none"
            raise SubmitError(f"there is no schedule {name}", hint=f"there are: {names}")
        if len(found) > 1:
            ids = ", ".join(one.id for one in found)
            raise SubmitError(f"several schedules are called {name}", hint=f"name one of {ids}")
        return found[0]

    @property
    def _class(self) -> Any:
        return self._vertex.sdk.PipelineJobSchedule

    def _turned(self, doing: str, name: str, turn: Callable[[Any], None]) -> Schedule:
        resource = self.find(name).resource

        def act() -> Any:
            turn(self._class.get(resource, **self._where))
            return self._class.get(resource, **self._where)

        return _seen(_done(f"{doing} schedule {name}", act))


def _done(doing: str, act: Callable[[], Any]) -> Any:
    try:
        with told(doing, hints=HINTS):
            return act()
    except TransientError as error:
        raise SubmitError(
            f"{doing} failed",
            why=error.reason,
            hint="try again; `eggcrate schedule list` shows whether it was done after all",
        ) from error


def _seen(found: Any) -> Schedule:
    message = found.gca_resource
    states = {state.name: state for state in ScheduleState}
    where = message.name.split("/")
    return Schedule(
        name=message.display_name,
        resource=message.name,
        state=states.get(message.state.name, ScheduleState.UNKNOWN),
        cron=message.cron,
        next_run=message.next_run_time.isoformat() if message.next_run_time else "",
        runs=message.started_run_count,
        page=f"https://console.cloud.google.com/vertex-ai/locations/{where[3]}/pipelines/schedules/"
        f"{where[5]}?project={where[1]}",
    )


def _moment(name: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(
            f"--{name} {text!r} is no moment", hint="write it as 2027-01-31T06:00:00+01:00"
        )
    return moment
