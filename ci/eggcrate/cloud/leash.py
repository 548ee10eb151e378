"""A child build ends with its parent, whose machine may be gone before it could cancel anything.

Cancelling a build stops its machine at once: no signal reaches the steps.
"""

from __future__ import annotations

import contextlib
import re
import signal
import threading
from typing import TYPE_CHECKING

from eggcrate.cloud.cloud_build import CloudBuild, NoSuchBuildError, Region, Seen
from eggcrate.errors import CloudBuildError, UsageError
from eggcrate.retries import TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eggcrate.progress import Progress

_BUILD = re.compile(r"projects/([^/]+)/locations/([^/]+)/builds/([^/]+)")
LOOK = 60.0
"""Seconds between two looks."""


def parse_build(name: str) -> tuple[Region, str]:
    """Read ``projects/P/locations/L/builds/ID``.

    Raises:
        UsageError: it is none.
    """
    match = _BUILD.fullmatch(name)
    if not match:
        raise UsageError(
            f"{name} does not name a build", hint="write projects/P/locations/L/builds/ID"
        )
    return Region(project=match[1], location=match[2]), match[3]


@contextlib.contextmanager
def leashed(parent: str, progress: Progress) -> Iterator[None]:
    """End the main thread as SIGTERM does when the parent is over; without a parent do nothing.

    Args:
        parent: name of the build.
        progress: told of it.
    """
    if not parent:
        yield
        return
    region, build_id = parse_build(parent)
    done = threading.Event()

    def watch() -> None:
        while not done.wait(LOOK):
            seen = _look(api, region, build_id)
            if seen and not seen.status.live:
                progress.info(f"the build that asked for this is over: {seen.status.value}")
                main = threading.main_thread().ident
                if main is not None:
                    signal.pthread_kill(main, signal.SIGTERM)
                return

    with CloudBuild() as api:
        thread = threading.Thread(target=watch, name="leash", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _look(api: CloudBuild, region: Region, build_id: str) -> Seen | None:
    with contextlib.suppress(TransientError, NoSuchBuildError, CloudBuildError):
        return api.get(region, build_id)
    return None
