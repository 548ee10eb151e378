"""Fixtures: a signing key and a Debian archive on loopback."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from eggcrate.packages.debian import http
from eggcrate.retries import Retries
from packages.debian.support import FakeArchive, Signer, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def signer() -> Iterator[Signer]:
    if not (shutil.which("gpg") and shutil.which("gpgv")):
        pytest.skip("gpg and gpgv, which sign and check the test's archive, are not installed")
    signer = Signer()
    yield signer
    signer.close()


@pytest.fixture
def archive(
    tmp_path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeArchive]:
    monkeypatch.setattr(http, "RETRIES", Retries(attempts=5, first=0.001))
    root = tmp_path / "archive"
    root.mkdir()
    with serve(root, signer) as fake:
        yield fake
