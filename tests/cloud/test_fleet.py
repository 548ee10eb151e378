"""Child builds beside a Cloud Build on loopback that fails in the ways it is known to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.cloud.cloud_build import ENDPOINT, CloudBuild, Region
from eggcrate.cloud.fleet import Fleet, Order, Pace
from eggcrate.errors import CloudBuildError
from eggcrate.progress import Silent
from eggcrate.retries import Retries
from support.cloud_build_server import LIVE, PROJECT, REGION, cloud_build_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eggcrate.cloud.fleet import Ended
    from support.cloud_build_server import CloudBuildServer, FakeBuild

pytestmark = pytest.mark.vertex

HASTY = Pace(poll=0.02, blind=0.5, quota=5.0, retries=Retries(first=0.01, ceiling=0.05, attempts=8))
WHERE = Region(project=PROJECT, location=REGION)


class Heard(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, line: str) -> None:
        self.lines.append(line)

    def warn(self, line: str) -> None:
        self.lines.append(f"warning: {line}")


@pytest.fixture
def server() -> Iterator[CloudBuildServer]:
    with cloud_build_server() as found:
        yield found


@pytest.fixture
def api(server: CloudBuildServer) -> Iterator[CloudBuild]:
    with CloudBuild({ENDPOINT: server.endpoint}) as found:
        yield found


def _orders(count: int) -> list[Order]:
    def order(number: int) -> Order:
        def build(tag: str) -> dict[str, Any]:
            step = {"name": "x", "script": f"do {number}"}
            return {"steps": [step], "tags": ["eggcrate-run-me", tag]}

        return Order(name=f"child {number}", build=build)

    return [order(number) for number in range(1, count + 1)]


def _run(
    api: CloudBuild, count: int = 1, pace: Pace = HASTY, heard: Heard | None = None
) -> tuple[Ended, ...]:
    with Fleet(
        api, WHERE, "eggcrate-run-me", _orders(count), progress=heard or Silent(), pace=pace
    ) as fleet:
        return fleet.ended()


def _linger(build: FakeBuild) -> None:
    """Go on until somebody cancels it."""
    build.cancelled.wait(5)


def _words(ended: tuple[Ended, ...]) -> list[str]:
    return [one.seen.status.value for one in ended]


def test_all_are_followed_with_one_poll(server: CloudBuildServer, api: CloudBuild) -> None:
    """Five children over three pages: one filtered list tells of all, and none is asked for."""
    ended = _run(api, 5)
    assert _words(ended) == ["SUCCESS"] * 5
    assert [one.attempts for one in ended] == [1] * 5
    assert server.filters == {'tags="eggcrate-run-me"'}
    assert "get" not in server.asked
    assert len(server.builds) == 5


def test_a_full_quota_is_waited_out(server: CloudBuildServer, api: CloudBuild) -> None:
    """Creation is tried again, more and more slowly, and each child is made once."""
    server.create_faults[:] = [429, 429, 429]
    heard = Heard()
    assert _words(_run(api, 2, heard=heard)) == ["SUCCESS", "SUCCESS"]
    assert len(server.builds) == 2
    assert sum("asks to wait" in line for line in heard.lines) == 3


def test_a_quota_that_stays_full_ends(server: CloudBuildServer, api: CloudBuild) -> None:
    """Nobody waits for ever: the child is told as one that was never let in."""
    server.create_faults[:] = [429] * 500
    [one] = _run(api, pace=Pace(poll=0.02, quota=0.2, retries=HASTY.retries))
    assert "could not be started for 0.2 s" in one.why
    assert not server.builds


def test_a_creation_whose_answer_was_lost_is_not_made_twice(
    server: CloudBuildServer, api: CloudBuild
) -> None:
    """The list tells that it was made after all; one that was not is made."""
    server.create_faults[:] = ["lost", 503]
    assert _words(_run(api, 2)) == ["SUCCESS", "SUCCESS"]
    assert sorted(one.script for one in server.builds.values()) == ["do 1", "do 2"]


def test_googles_failures_are_tried_again(server: CloudBuildServer, api: CloudBuild) -> None:
    """An internal error, an expired queue, a source that could not be fetched: once more each."""
    ends = [("INTERNAL_ERROR", ""), ("EXPIRED", ""), ("FAILURE", "FETCH_SOURCE_FAILED")]

    def work(build: FakeBuild) -> None:
        number = int(build.script.removeprefix("do ")) - 1
        first = "-1" in build.tags[1][-2:]
        status, failure = ends[number] if first else ("SUCCESS", "")
        build.end(status, failure=failure)

    server.work = work
    ended = _run(api, 3)
    assert _words(ended) == ["SUCCESS"] * 3
    assert [one.attempts for one in ended] == [2, 2, 2]


def test_google_may_fail_so_often_only(server: CloudBuildServer, api: CloudBuild) -> None:
    """After three attempts it is told, with the service's own words."""
    server.work = lambda build: build.end("INTERNAL_ERROR", "disk melted")
    [one] = _run(api)
    assert (one.attempts, one.why) == (3, "it ended as INTERNAL_ERROR: disk melted, 3 times")


@pytest.mark.parametrize(
    ("status", "failure"),
    [("FAILURE", "USER_BUILD_STEP"), ("TIMEOUT", ""), ("CANCELLED", ""), ("FAILURE", "")],
)
def test_a_failure_of_its_own_is_not_tried_again(
    server: CloudBuildServer, api: CloudBuild, status: str, failure: str
) -> None:
    """A step that failed, too little time, somebody's wish: another attempt would meet it too."""
    server.work = lambda build: build.end(status, "tests failed", failure)
    [one] = _run(api)
    assert (one.attempts, len(server.builds)) == (1, 1)
    assert one.why == f"it ended as {status}: tests failed"


def test_a_flaky_poll_does_no_harm(server: CloudBuildServer, api: CloudBuild) -> None:
    """Errors, cuts, torn and stale answers: the next one counts."""
    server.list_faults[:] = [500, "cut", "stale", 503, "torn", 429, "stale"]
    assert _words(_run(api, 3)) == ["SUCCESS"] * 3
    assert len(server.builds) == 3
    assert not server.list_faults


def test_a_service_that_stays_silent_is_told(server: CloudBuildServer, api: CloudBuild) -> None:
    """Children that cannot be followed are not left running either."""
    server.work = _linger
    server.list_faults[:] = [500] * 12
    with pytest.raises(CloudBuildError, match="does not tell"):
        _run(api, 2, pace=Pace(poll=0.02, blind=0.05, retries=HASTY.retries))
    assert not server.live


def test_a_child_that_the_list_forgets_is_asked_for(
    server: CloudBuildServer, api: CloudBuild
) -> None:
    """It is there when it is asked for by name, so that it is not started again."""

    def work(build: FakeBuild) -> None:
        server.hidden.add(build.id)
        time.sleep(0.3)
        build.end("SUCCESS")

    server.work = work
    [one] = _run(api)
    assert (one.seen.status.value, one.attempts) == ("SUCCESS", 1)
    assert "get" in server.asked


def test_a_lost_child_is_started_again(server: CloudBuildServer, api: CloudBuild) -> None:
    """Nobody knows it any more: Google's fault. When it turns up after all it is cancelled."""

    def work(build: FakeBuild) -> None:
        if build.tags[1].endswith("-1-1"):
            server.gone.add(build.id)
            build.cancelled.wait(5)
            return
        server.gone.clear()
        time.sleep(0.2)
        build.end("SUCCESS")

    server.work = work
    [one] = _run(api)
    assert (one.seen.status.value, one.attempts) == ("SUCCESS", 2)
    assert sorted(build.status for build in server.builds.values()) == ["CANCELLED", "SUCCESS"]


@pytest.mark.parametrize("raised", [KeyboardInterrupt, ValueError], ids=lambda kind: kind.__name__)
def test_no_child_outlives_its_parent(
    server: CloudBuildServer, api: CloudBuild, raised: type[BaseException]
) -> None:
    """However the block is left; even one whose creation was not answered, when cancelling fails.

    What others run is left alone.
    """
    server.work = _linger
    stranger = server.add(tags=["eggcrate-run-other"])
    server.create_faults[:] = ["", "lost"]
    heard = Heard()

    def parent() -> None:
        with Fleet(api, WHERE, "eggcrate-run-me", _orders(3), progress=heard, pace=HASTY):
            while len(server.builds) < 4:
                time.sleep(0.01)
            server.list_faults[:] = [500, "cut"]
            server.cancel_faults[:] = [503, 500]
            raise raised

    with pytest.raises(raised):
        parent()
    assert server.live == [stranger.id]
    assert "cancelled 3 child builds" in heard.lines
    assert all(one.status not in LIVE for one in server.tagged("eggcrate-run-me"))


def test_a_build_that_nobody_may_start_is_told_at_once(
    server: CloudBuildServer, api: CloudBuild
) -> None:
    """Denied is denied: with the role that is missing; those that were started are cancelled."""
    server.work = _linger
    server.create_faults[:] = ["", 403]
    with pytest.raises(CloudBuildError, match="start a build") as told:
        _run(api, 2)
    assert "builds.editor" in told.value.hint
    assert not server.live
