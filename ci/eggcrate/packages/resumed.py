"""A download that goes on where an earlier one ended, in this process or another."""

from __future__ import annotations

import hashlib
import os
from http import HTTPStatus
from typing import TYPE_CHECKING

from eggcrate.retries import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    import httpx2

_CHUNK = 1 << 18
_NOT_FROM_THE_START = (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)


def fetch_rest(
    partial: Path,
    sha256: str,
    *,
    ask: Callable[[Mapping[str, str]], AbstractContextManager[httpx2.Response]],
    check: Callable[[httpx2.Response], None],
    received: Callable[[int], None] = lambda _: None,
    size: int | None = None,
) -> str:
    """One request for what a partial file still lacks.

    Args:
        partial: the file; it may be missing, whole, or hold anything after a crash.
        sha256: of the whole; when the file has it already nothing is asked for.
        ask: sends the request with these headers.
        check: raises for an answer that is no success.
        received: told of the bytes as they come; may raise to break it off.
        size: bytes of the whole, where they are known: no more than one piece beyond is read.

    Returns:
        The SHA-256 of the whole, flushed to the disk; of other bytes than those wanted when it
        is not ``sha256``.

    Raises:
        TransientError: the server cannot go on, or ended early; the next attempt may do better.
    """
    digest = hashlib.sha256()
    partial.parent.mkdir(parents=True, exist_ok=True)
    with partial.open("a+b") as file:
        file.seek(0)
        while block := file.read(_CHUNK):
            digest.update(block)
        have = file.tell()
        if have and digest.hexdigest() == sha256:
            return sha256
        if size is not None and have >= size:
            file.truncate(0)
            have, digest = 0, hashlib.sha256()
        # Bytes must come as those that the hash names.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with ask(headers) as response:
            if have and not _continues(response, have):
                file.truncate(0)
                have, digest = 0, hashlib.sha256()
                if response.status_code in _NOT_FROM_THE_START:
                    raise TransientError("it cannot go on with a download")
            check(response)
            for block in response.iter_raw(_CHUNK):
                file.write(block)
                digest.update(block)
                have += len(block)
                received(len(block))
                if size is not None and have > size:
                    break
        file.flush()
        os.fsync(file.fileno())
        if size is not None and have < size:
            raise TransientError("the connection ended early")
    return digest.hexdigest()


def _continues(response: httpx2.Response, have: int) -> bool:
    """Whether an answer begins where our bytes end (or is a failure that says nothing)."""
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        return bool(response.headers.get("Content-Range", "").startswith(f"bytes {have}-"))
    return not response.is_success and response.status_code not in _NOT_FROM_THE_START
