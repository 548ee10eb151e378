"""Child builds: started, followed by one poll for all, started again, cancelled.

A failure of Google's is met by another attempt; a build that failed by itself is not. Whatever
happens, when the block of a :class:`Fleet` is left no child goes on.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable  # noqa: TC003 - a dataclass field's type
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from eggcrate.cloud.cloud_build import NoSuchBuildError, QuotaError, Seen, Status
from eggcrate.errors import CloudBuildError
from eggcrate.retries import Retries, TransientError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eggcrate.cloud.cloud_build import CloudBuild, Region
    from eggcrate.progress import Progress

ANY = "eggcrate-child"
"""A tag of every child build."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How patient it is."""

    poll: float = 15.0
    """Seconds between two looks, give or take a third."""
    attempts: int = 3
    """How often a child is started, when Google is to blame."""
    missing: int = 3
    """Looks in a row that a child may not show up in."""
    blind: float = 600.0
    """Seconds without any answer after which it gives up."""
    quota: float = 1800.0
    """Seconds that a child may wait to be let in."""
    retries: Retries = field(default_factory=lambda: Retries(first=5.0, ceiling=120.0))


PACE = Pace()
"""How patient the command is."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """A child build that is wanted."""

    name: str
    """For people."""
    build: Callable[[str], dict[str, Any]]
    """Gives the build, with this tag among its own."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What became of a child."""

    seen: Seen
    attempts: int
    seconds: float
    why: str = ""
    """Why it did not succeed, in a sentence; empty where it did."""


@dataclass(kw_only=True)
class _Child:
    order: Order
    number: int
    attempt: int = 1
    begun: float = 0.0
    id: str = ""
    told: Status | None = None
    missed: int = 0
    unsure: bool = False
    """Whether it may have been started without our having heard of it."""
    refused: int = 0
    not_before: float = 0.0
    waits_since: float = 0.0
    ended: Ended | None = None

    @property
    def tag(self) -> str:
        """Of this attempt alone."""
        return f"{ANY}-{self.number}-{self.attempt}"


class Fleet:
    """Child builds of one command; a context manager, followed in a thread of its own.

    Args:
        api: the service.
        region: where they run.
        tag: that all of them have, and no other build.
        orders: what is wanted.
        progress: told of each start and end.
        pace: how patient it is.
    """

    def __init__(
        self,
        api: CloudBuild,
        region: Region,
        tag: str,
        orders: Sequence[Order],
        *,
        progress: Progress,
        pace: Pace,
    ) -> None:
        self._api, self._region, self._progress, self._pace = api, region, progress, pace
        self._tag = tag
        self._children = [_Child(order=one, number=n) for n, one in enumerate(orders, 1)]
        self._doubt = False
        """Whether a build may go on that no child stands for any more."""
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="fleet", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._doubt or any(child.ended is None for child in self._children):
            self._cancel_all()

    def ended(self) -> tuple[Ended, ...]:
        """Wait for all, in the order they were wanted in.

        Raises:
            CloudBuildError: they cannot be started, or not be followed any more.
        """
        self._thread.join()
        if self._error:
            raise self._error
        return tuple(child.ended for child in self._children if child.ended)

    def _work(self) -> None:
        try:
            self._follow()
        except BaseException as error:  # handed on: who waits would wait for ever
            self._error = error

    def _follow(self) -> None:
        heard = time.monotonic()
        while not self._stop.is_set():
            for child in self._children:
                if not (child.ended or child.id or child.unsure or self._stop.is_set()):
                    self._start(child)
            if all(child.ended for child in self._children):
                return
            self._stop.wait(self._pace.poll * random.uniform(2 / 3, 4 / 3))  # noqa: S311 - jitter
            try:
                seen = self._api.list(self._region, self._tag)
            except TransientError as error:
                if time.monotonic() - heard > self._pace.blind:
                    raise CloudBuildError(
                        "Cloud Build does not tell what its builds do", why=error.reason
                    ) from error
                continue
            heard = time.monotonic()
            for child in self._children:
                if child.ended is None:
                    self._look(child, seen)
            self._cancel_strangers(seen)

    def _start(self, child: _Child) -> None:
        now = time.monotonic()
        child.begun = child.begun or now
        if now < child.not_before:
            return
        try:
            seen = self._api.create(self._region, child.order.build(child.tag))
        except TransientError as error:
            child.waits_since = child.waits_since or now
            if now - child.waits_since > self._pace.quota:
                told = f"it could not be started for {self._pace.quota:g} s: {error.reason}"
                self._end(child, Seen(id="", status=Status.EXPIRED), told)
                return
            child.not_before = now + self._pace.retries.delay(child.refused, None)
            child.refused += 1
            if isinstance(error, QuotaError):
                self._progress.info(f"{child.order.name}: Cloud Build asks to wait: {error.reason}")
            else:
                child.unsure, child.missed = True, 0  # the list tells whether it was started
        else:
            self._began(child, seen)

    def _began(self, child: _Child, seen: Seen) -> None:
        child.id, child.unsure, child.missed, child.waits_since = seen.id, False, 0, 0.0
        again = f", attempt {child.attempt}" if child.attempt > 1 else ""
        self._progress.info(f"{child.order.name}: build {seen.id}{again} {seen.log}".rstrip())

    def _look(self, child: _Child, seen: dict[str, Seen]) -> None:
        if child.unsure:
            mine = [one for one in seen.values() if child.tag in one.tags]
            if mine:
                self._began(child, mine[0])
            else:
                child.missed += 1
                child.unsure = child.missed < self._pace.missing
                self._doubt |= not child.unsure
                return
        if not child.id:
            return
        found = seen.get(child.id)
        if found is None:
            child.missed += 1
            if child.missed >= self._pace.missing:
                self._ask(child)
            return
        child.missed = 0
        self._settle(child, found)

    def _ask(self, child: _Child) -> None:
        """Ask for one that the list does not show."""
        try:
            found = self._api.get(self._region, child.id)
        except TransientError:
            return
        except NoSuchBuildError:
            self._doubt = True
            gone = Seen(id=child.id, status=Status.STATUS_UNKNOWN)
            self._again(child, gone, "Cloud Build does not know it any more")
            return
        child.missed = 0
        self._settle(child, found)

    def _settle(self, child: _Child, seen: Seen) -> None:
        if seen.status.live:
            return
        told = f": {seen.detail}" if seen.detail else ""
        if seen.status is Status.SUCCESS:
            self._end(child, seen, "")
        elif seen.googles:
            self._again(child, seen, f"it ended as {seen.status.value}{told}")
        else:
            self._end(child, seen, f"it ended as {seen.status.value}{told}")

    def _again(self, child: _Child, seen: Seen, why: str) -> None:
        if child.attempt >= self._pace.attempts:
            self._end(child, seen, f"{why}, {child.attempt} times")
            return
        self._progress.warn(f"{child.order.name}: build {child.id}: {why}; it is started again")
        child.id, child.attempt, child.missed = "", child.attempt + 1, 0

    def _end(self, child: _Child, seen: Seen, why: str) -> None:
        seconds = time.monotonic() - child.begun
        child.ended = Ended(seen=seen, attempts=child.attempt, seconds=seconds, why=why)
        self._progress.info(f"{child.order.name}: {why or 'done'}, after {seconds:.0f} s")

    def _cancel_strangers(self, seen: dict[str, Seen]) -> None:
        """Cancel attempts that were given up and go on after all."""
        unsure = {child.tag for child in self._children if child.unsure}
        ours = {child.id for child in self._children}
        for one in seen.values():
            if one.status.live and one.id not in ours and not unsure.intersection(one.tags):
                self._cancel(one.id)

    def _cancel_all(self) -> None:
        live = {child.id for child in self._children if child.id and not child.ended}
        left: set[str] = set()
        # One that was started without our having heard of it may not be in the list at once.
        looks = self._pace.missing if any(child.unsure for child in self._children) else 1
        for attempt in range(self._pace.retries.attempts):
            try:
                seen = self._api.list(self._region, self._tag)
            except (TransientError, CloudBuildError):
                seen, looks = {}, looks + 1
            live |= {one.id for one in seen.values() if one.status.live}
            left = {one for one in sorted(live) if not self._cancel(one)}
            if not left and attempt + 1 >= looks:
                break
            time.sleep(min(self._pace.poll, self._pace.retries.delay(attempt, None)))
        if left:
            self._progress.warn(f"builds could not be cancelled, and go on: {', '.join(left)}")
        elif live:
            count = len(live)
            self._progress.info(f"cancelled {count} child build{'' if count == 1 else 's'}")

    def _cancel(self, build_id: str) -> bool:
        try:
            self._api.cancel(self._region, build_id)
        except (TransientError, CloudBuildError):
            return False
        return True
