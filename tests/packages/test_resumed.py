"""Downloads that go on: whatever a partial file holds and a server answers, the hash decides."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING

import httpx2
import pytest

from eggcrate.packages.resumed import fetch_rest
from eggcrate.retries import TransientError
from support.repository import noise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CONTENT = noise("resumed", 700_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """Answers with the file, or as a bad server does."""

    def __init__(self, kind: str = "good", *, cut: int | None = None) -> None:
        self.kind, self.cut = kind, cut
        self.asked: list[str] = []

    @contextlib.contextmanager
    def ask(self, headers: Mapping[str, str]) -> Iterator[httpx2.Response]:
        wanted = headers.get("Range", "")
        self.asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if not start or self.kind == "whole":
            answer = httpx2.Response(200, content=iter([CONTENT[: self.cut]]))
        elif self.kind == "416":
            answer = httpx2.Response(416)
        elif self.kind == "silent":
            answer = httpx2.Response(206, content=iter([CONTENT[start:]]))
        else:
            at = start + 5 if self.kind == "elsewhere" else start
            said = {"Content-Range": f"bytes {at}-{len(CONTENT) - 1}/{len(CONTENT)}"}
            answer = httpx2.Response(206, headers=said, content=iter([CONTENT[at:]]))
        yield answer


def check(response: httpx2.Response) -> None:
    assert response.is_success


def fetch(server: Server, partial: Path, size: int | None) -> str:
    """As callers do: once more after each failure that may heal."""
    for _ in range(3):
        with contextlib.suppress(TransientError):
            return fetch_rest(partial, SHA256, ask=server.ask, check=check, size=size)
    raise AssertionError("it never ends")


@pytest.mark.parametrize("size", [None, len(CONTENT)])
@pytest.mark.parametrize("kind", ["good", "whole", "416", "elsewhere", "silent"])
def test_every_server_ends_with_the_file(tmp_path: Path, kind: str, size: int | None) -> None:
    """One that goes on, and those that send all, nothing, another part, or do not say which."""
    partial = tmp_path / "partial"
    partial.write_bytes(CONTENT[:1000])
    server = Server(kind)
    assert fetch(server, partial, size) == SHA256
    assert partial.read_bytes() == CONTENT
    assert server.asked[0] == "bytes=1000-"


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_what_is_whole_is_not_asked_for(tmp_path: Path, size: int | None) -> None:
    """The hash tells."""
    partial = tmp_path / "partial"
    partial.write_bytes(CONTENT)
    server = Server()
    assert fetch(server, partial, size) == SHA256
    assert server.asked == []


@pytest.mark.parametrize("start", [b"wrong", b"x" * len(CONTENT), b"x" * (len(CONTENT) + 9)])
def test_a_wrong_beginning_is_told_by_its_hash(tmp_path: Path, start: bytes) -> None:
    """Never taken for the file; longer than the file may be it is fetched anew at once."""
    partial = tmp_path / "partial"
    partial.write_bytes(start)
    found = fetch(Server(), partial, len(CONTENT))
    assert (found == SHA256) == (len(start) >= len(CONTENT))


def test_a_file_that_is_too_long_is_broken_off(tmp_path: Path) -> None:
    """A server cannot fill the disk where the size is known."""
    partial = tmp_path / "partial"
    assert fetch_rest(partial, "0" * 64, ask=Server().ask, check=check, size=10) != SHA256
    assert partial.stat().st_size < len(CONTENT)


def test_an_early_end_may_heal(tmp_path: Path) -> None:
    """What came stays, and the next attempt asks for the rest."""
    server = Server(cut=300_000)
    with pytest.raises(TransientError, match="ended early"):
        fetch_rest(tmp_path / "p", SHA256, ask=server.ask, check=check, size=len(CONTENT))
    assert fetch(server, tmp_path / "p", len(CONTENT)) == SHA256
    assert server.asked == ["", "bytes=300000-"]
