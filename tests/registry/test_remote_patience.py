"""Patience with a registry: how long it is waited, for whom, and what is said meanwhile."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import RegistryUnreachableError
from eggcrate.registry.remote import Remote
from eggcrate.retries import Retries
from support.images import file, put_image
from support.registry_proxy import Fault, RegistryProxy, error

if TYPE_CHECKING:
    from eggcrate.registry.layout import Layout
    from support.images import Made

NOBODY = "127.0.0.1:9/x"
"""A port that nobody listens at."""


def image(layout: Layout) -> Made:
    """An image with a layer of some pieces."""
    layers = [[file("big", os.urandom(6_000_000))], [file("small", b"2" * 5000)]]
    return put_image(layout, "x", layers)


def test_retry_after_is_kept_to(proxy: RegistryProxy, prefix: str, layout: Layout) -> None:
    """429 and 503 are waited for as long as they ask, in seconds or until a date."""
    made = image(layout)
    waits: list[float] = []
    proxy.faults += [
        Fault(method="HEAD", answer=error(429, "TOOMANYREQUESTS", Retry_After="7")),
        Fault(method="POST", answer=error(503, "UNAVAILABLE", Retry_After="3")),
        Fault(method="PUT", path="manifests", answer=error(429, "TOOMANYREQUESTS")),
    ]
    with Remote(f"{proxy.address}/{prefix}", retries=Retries(sleep=waits.append)) as remote:
        remote.push_image(layout, made.digest, "one", ["key-1"])
    assert sorted(waits)[1:] == [3.0, 7.0]
    assert 0.0 < min(waits) <= 0.5


def test_a_slow_registry(remote: Remote, proxy: RegistryProxy, layout: Layout) -> None:
    """Slowness alone is no failure."""
    made = image(layout)
    proxy.faults.append(Fault(times=99, slow=0.005))
    remote.push_image(layout, made.digest, "one", ["key-1"])
    assert proxy.up["upload"] < made.layers[0].size + 10_000


def test_who_was_never_there_is_given_up_soon() -> None:
    """A wrong address is told in seconds, with what was wanted."""
    waits: list[float] = []
    with (
        Remote(NOBODY, retries=Retries(sleep=waits.append)) as remote,
        pytest.raises(RegistryUnreachableError, match="cannot be reached") as caught,
    ):
        remote.resolve("one", "stable")
    assert "tried 3 times; wanted: manifest stable" in caught.value.why
    assert sum(waits) < 2


def test_who_was_there_is_waited_for(proxy: RegistryProxy, prefix: str) -> None:
    """A registry that is restarted comes back: it is tried as often as any failure."""
    waits: list[float] = []
    with Remote(f"{proxy.address}/{prefix}", retries=Retries(sleep=waits.append)) as remote:
        assert remote.resolve("one", "stable") is None
        remote.session.address = type(remote.address).parse(NOBODY)
        with pytest.raises(RegistryUnreachableError) as caught:
            remote.resolve("one", "stable")
    assert "tried 6 times" in caught.value.why
    assert len(waits) == 5


def test_waiting_is_told(proxy: RegistryProxy, prefix: str) -> None:
    """Once for all that is under way, with the reason; nothing when all goes well."""
    told: list[str] = []
    hasty = Retries(attempts=20, sleep=lambda _: None)
    with Remote(f"{proxy.address}/{prefix}", retries=hasty, tell=told.append) as remote:
        remote.resolve("one", "stable")
        assert told == []
        busy = error(503, "UNAVAILABLE", Retry_After="4")
        proxy.faults.append(Fault(method="HEAD", times=8, answer=busy))
        remote.resolve_many([("one", f"key-{number}") for number in range(8)])
    assert told == [f"registry {proxy.address}: it answered 503; trying again in 4.0 s"]
