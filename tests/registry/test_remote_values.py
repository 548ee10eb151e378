"""Addresses, refusals and patience as values: offline."""

from __future__ import annotations

import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eggcrate.errors import (
    AccessDeniedError,
    ConfigError,
    EggcrateError,
    ImmutableTagError,
    NoRoomError,
    NoSuchRepositoryError,
    NotARegistryError,
    RegistryError,
    StoreError,
    TlsError,
)
from eggcrate.registry import oci
from eggcrate.registry.address import Address, check_tag, is_google
from eggcrate.registry.refusals import Wanted, explain
from eggcrate.registry.remote import Remote
from eggcrate.retries import Retries, retry_after


@pytest.mark.parametrize(
    ("text", "origin", "path"),
    [
        ("127.0.0.1:5000/egg", "http://127.0.0.1:5000", "egg"),
        ("localhost/a/b", "http://localhost", "a/b"),
        ("[::1]:5/x", "http://[::1]:5", "x"),
        ("http://localhost:5/x/", "http://localhost:5", "x"),
        ("https://localhost:5/x", "https://localhost:5", "x"),
        ("r.example:5/x", "https://r.example:5", "x"),
        ("r.example", "https://r.example", ""),
        ("127.0.0.1.example/x", "https://127.0.0.1.example", "x"),
        ("us-docker.pkg.dev/my-project/eggs", "https://us-docker.pkg.dev", "my-project/eggs"),
    ],
)
def test_an_address(text: str, origin: str, path: str) -> None:
    """TLS everywhere but on this machine, where it can be asked for."""
    address = Address.parse(text)
    assert (address.origin, address.path) == (origin, path)
    assert Address.parse(f"https://{address}").host == address.host
    assert address.repository("one") == f"{path}/one".lstrip("/")


@pytest.mark.parametrize(
    "text", ["", "egg", "egg/x", "a b.example/x", "r.example/X", "ftp://r.x/y"]
)
def test_what_is_no_address(text: str) -> None:
    """A prefix without a host, or with a name that no image can have, is told."""
    with pytest.raises(ConfigError, match="is not a registry"):
        Address.parse(text)


def test_names_and_tags_are_checked() -> None:
    """What becomes a part of a URL is what the specification allows, and nothing else."""
    address = Address.parse("r.example/x")
    for name in ("", "A", "../y", "a//b", "a?b", "a#", "a b", "-a"):
        with pytest.raises(ConfigError, match="cannot name an image"):
            address.repository(name)
    for tag in ("", ".a", "a/b", "a?b", "a" * 129):
        with pytest.raises(ConfigError, match="cannot be a tag"):
            check_tag(tag)
    assert check_tag("key-0123") == "key-0123"
    with pytest.raises(TlsError, match="without TLS"):
        Address.parse("http://r.example/x")


def test_googles_hosts() -> None:
    """Google's access token goes to Google's own registries alone."""
    assert is_google("europe-west1-docker.pkg.dev")
    assert is_google("gcr.io")
    assert is_google("eu.gcr.io")
    for other in ("docker.pkg.dev.example", "notgcr.io", "pkg.dev", "x-docker.pkg.dev.example:5"):
        assert not is_google(other)


def body(code: str, message: str = "") -> bytes:
    """A refusal as registries write it."""
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [
        (400, body("MANIFEST_INVALID", "cannot update tag x: tag immutability"), ImmutableTagError),
        (400, body("TAG_INVALID", "already exists and cannot be overwritten"), ImmutableTagError),
        (412, body("PRECONDITION", "configured as immutable"), ImmutableTagError),
        (401, b"", AccessDeniedError),
        (403, body("DENIED", "no"), AccessDeniedError),
        (403, body("DENIED", "storage quota exceeded"), NoRoomError),
        (507, b"", NoRoomError),
        (500, body("UNKNOWN", "write: no space left on device"), NoRoomError),
        (404, body("NAME_UNKNOWN", "Repository not found"), NoSuchRepositoryError),
        (404, body("BLOB_UPLOAD_UNKNOWN"), RegistryError),
        (400, body("MANIFEST_BLOB_UNKNOWN"), RegistryError),
    ],
)
def test_a_refusal(status: int, content: bytes, expected: type[StoreError]) -> None:
    """What the great registries are known to answer becomes the error that says it."""
    wanted = Wanted(
        host="eu-docker.pkg.dev", repository="p/eggs/one", what="manifest x", write=True, user="me"
    )
    found = explain(wanted, status, content)
    assert type(found) is expected
    assert "p/eggs/one" in str(found)
    if expected is NoSuchRepositoryError:
        assert "gcloud artifacts repositories create eggs" in found.hint
        assert "--location=eu" in found.hint
    if expected is AccessDeniedError:
        assert "roles/artifactregistry.writer" in found.hint


def test_a_web_page_is_no_registry() -> None:
    """HTML comes from something else."""
    wanted = Wanted(host="r.example", repository="one", what="manifest x")
    found = explain(wanted, 404, b"<html>", {"content-type": "text/html; charset=utf-8"})
    assert isinstance(found, NotARegistryError)


@given(st.integers(400, 599), st.binary(max_size=200) | st.text(max_size=80).map(body))
def test_every_refusal_has_words(status: int, content: bytes) -> None:
    """Whatever a server sends, the error is one of ours and names the image."""
    wanted = Wanted(host="r.example", repository="x/one", what="blob sha256:0")
    found = explain(wanted, status, content)
    assert isinstance(found, EggcrateError)
    assert "r.example" in found.what or "x/one" in found.what


@given(st.integers(0, 50), st.none() | st.floats(0, 1e6))
def test_waits_are_bounded(attempt: int, asked: float | None) -> None:
    """No wait is longer than a minute, whatever a server asks."""
    assert 0 <= Retries().delay(attempt, asked) <= 60


def test_retry_after() -> None:
    """Seconds and dates; anything else is nothing."""
    assert retry_after("7") == 7
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after("soon") is None
    assert retry_after("") is None


def test_media_types() -> None:
    """A manifest's own word for what it is comes first."""
    layer = oci.describe(b"x", oci.LAYER_TAR)
    manifest = oci.Manifest(config=layer, layers=(layer,))
    assert oci.media_type_of(manifest.encode()) == oci.MANIFEST
    assert oci.media_type_of(oci.Index(manifests=()).encode()) == oci.INDEX
    plain = json.loads(manifest.encode())
    assert oci.media_type_of(json.dumps({**plain, "mediaType": oci.DOCKER_MANIFEST}).encode()) == (
        oci.DOCKER_MANIFEST
    )
    del plain["mediaType"]
    assert oci.media_type_of(json.dumps(plain).encode()) == oci.MANIFEST


def test_the_first_failure_ends_the_rest() -> None:
    """Work not yet begun when one item fails is never begun."""
    begun: list[int] = []
    late = threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        if item == 1:
            raise StoreError("one")
        late.wait(5)

    with Remote("127.0.0.1:9/x", parallel=2) as remote:
        with pytest.raises(StoreError, match="one"):
            remote.each(work, range(50))
        late.set()
    assert len(begun) < 10
