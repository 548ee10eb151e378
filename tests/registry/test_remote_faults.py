"""A real registry behind a bad network: nothing half-pushed is ever found, errors are clear."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import (
    AccessDeniedError,
    ImmutableTagError,
    IntegrityError,
    NoRoomError,
    NoSuchRepositoryError,
    NotARegistryError,
    RegistryError,
    RegistryUnreachableError,
    TlsError,
)
from eggcrate.registry import oci
from eggcrate.registry.remote import Remote
from eggcrate.registry.upload import Uploads
from eggcrate.retries import Retries
from registry.conftest import HASTY
from support.endless import endless
from support.images import file, put_image
from support.logins import log_in
from support.registry_proxy import (
    Answer,
    Fault,
    RegistryProxy,
    error,
    immutable_tags,
    read_only,
    upload_status,
)
from support.services import RegistryServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from eggcrate.registry.layout import Layout
    from support.images import Made

    Check = Callable[..., tuple[str, ...]]

pytestmark = pytest.mark.tools
SIZE = 6_000_000


def image(layout: Layout, ref: str = "x") -> Made:
    """An image with a layer large enough to be cut in the middle."""
    return put_image(layout, ref, [[file("big", os.urandom(SIZE))], [file("small", b"2" * 5000)]])


@pytest.mark.parametrize("uploads", list(Uploads))
def test_a_cut_upload(
    proxy: RegistryProxy, prefix: str, layout: Layout, check_whole: Check, uploads: Uploads
) -> None:
    """A connection cut in the middle of a blob, more than once: it is sent again until it is in."""
    made = image(layout)
    proxy.faults.append(Fault(method="PUT|PATCH", path="/uploads/", cut_up=4_000, times=3))
    with Remote(f"{proxy.address}/{prefix}", retries=HASTY, uploads=uploads) as remote:
        remote.push_image(layout, made.digest, "one", ["key-1"])
    assert check_whole() == ("one:key-1",)


@pytest.mark.parametrize("uploads", list(Uploads))
def test_a_cut_upload_goes_on_where_it_ended(
    tmp_path: Path, prefix: str, layout: Layout, check_whole: Check, uploads: Uploads
) -> None:
    """Where the registry tells how far it has come, only the rest is sent."""
    made = image(layout)
    big = made.layers[0]
    with RegistryServer(tmp_path / "r") as server, RegistryProxy(server.address) as proxy:
        proxy.gates.append(upload_status(tmp_path / "r" / "data", "eggcrate-tests"))
        proxy.faults.append(Fault(method="PUT|PATCH", path="/uploads/", cut_up=4_000_000))
        proxy.faults.append(Fault(method="PATCH", path="/uploads/", cut_up=1_000_000))
        with Remote(f"{proxy.address}/{prefix}", retries=HASTY, uploads=uploads) as remote:
            remote.push_blob("one", layout.blob_path(big.digest), big)
            again = proxy.up["upload"] - big.size
            remote.push_image(layout, made.digest, "one", ["key-1"])
        assert check_whole(server.address) == ("one:key-1",)
    assert again >= 4_000_000 if uploads is Uploads.MONOLITHIC else again < 300_000


def test_a_registry_that_cannot_continue(
    remote: Remote,
    proxy: RegistryProxy,
    layout: Layout,
    check_whole: Check,
) -> None:
    """Where nothing but whole uploads is known, as in Artifact Registry, all is sent again."""
    made = image(layout)
    big = made.layers[0].digest
    proxy.faults += [
        Fault(method="PUT", path=big, cut_up=4_000_000),
        Fault(method="PATCH", times=99, answer=error(405, "UNSUPPORTED")),
    ]
    remote.push_image(layout, made.digest, "one", ["key-1"])
    assert check_whole() == ("one:key-1",)


@pytest.mark.parametrize("method", ["POST", "PUT", "HEAD"])
def test_a_registry_restarted_in_the_middle(
    tmp_path: Path,
    prefix: str,
    layout: Layout,
    check_whole: Check,
    method: str,
) -> None:
    """A push outlives a registry that goes away in the middle of it and comes back."""
    made = image(layout)
    with RegistryServer(tmp_path / "r") as server, RegistryProxy(server.address) as proxy:

        def restart() -> None:
            server.stop(kill=method == "PUT")
            server.start()

        cut = 3_000_000 if method == "PUT" else None
        path = made.layers[0].digest if method == "PUT" else ""
        proxy.faults.append(Fault(method=method, path=path, cut_up=cut, before=restart))
        with Remote(f"{proxy.address}/{prefix}", retries=Retries(first=0.2)) as remote:
            remote.push_image(layout, made.digest, "one", ["key-1"])
        assert check_whole(server.address) == ("one:key-1",)


def test_a_cut_download_goes_on_where_it_ended(
    remote: Remote, proxy: RegistryProxy, layout: Layout, tmp_path: Path
) -> None:
    """By ``Range``, in the same process or in a later one; wrong bytes are never kept."""
    blob = image(layout).layers[0]
    remote.push_blob("one", layout.blob_path(blob.digest), blob)
    proxy.forget()
    proxy.faults += [Fault(path=blob.digest, cut_down=2_000_000, times=2)]
    path = remote.fetch_blob("one", blob, tmp_path / "cache")
    assert path.read_bytes() == layout.blob_path(blob.digest).read_bytes()
    assert blob.size <= proxy.down["blob"] < blob.size + 500_000
    assert [item.name for item in path.parent.iterdir() if "partial" in item.name] == []
    hopeless = Retries(attempts=1)
    proxy.faults += [Fault(path=blob.digest, cut_down=3_000_000)]
    with Remote(str(remote), retries=hopeless) as other, pytest.raises(RegistryUnreachableError):
        other.fetch_blob("one", blob, tmp_path / "later")
    proxy.forget()
    remote.fetch_blob("one", blob, tmp_path / "later")
    assert proxy.down["blob"] < blob.size - 2_000_000
    wrong = Answer(status=200, body=bytes(blob.size))
    proxy.faults += [Fault(method="GET", path=blob.digest, times=99, answer=wrong)]
    with pytest.raises(IntegrityError, match="does not send"):
        remote.fetch_blob("one", blob, tmp_path / "wrong")
    assert not [item for item in (tmp_path / "wrong").rglob("*") if item.stat().st_size > 4096]


@pytest.mark.parametrize("seed", range(4))
def test_a_storm(
    proxy: RegistryProxy,
    prefix: str,
    layout: Layout,
    check_whole: Check,
    seed: int,
) -> None:
    """Whatever mixture of cuts, lost answers, 429s and 500s: the push ends well and whole."""
    made, chance = image(layout), random.Random(seed)  # noqa: S311 - a repeatable choice
    for _ in range(14):
        proxy.faults.append(
            chance.choice(
                [
                    Fault(method="PUT", path="uploads", cut_up=chance.randrange(1, SIZE)),
                    Fault(method=chance.choice(["PUT", "POST", "HEAD"]), lose_answer=True),
                    Fault(method="PUT|POST", answer=error(500, "UNKNOWN")),
                    Fault(answer=error(429, "TOOMANYREQUESTS", Retry_After="0")),
                    Fault(method="PUT", path="manifests", answer=Answer(status=502, body=b"<p>")),
                ]
            )
        )
    patient = Retries(attempts=16, first=0.02, ceiling=0.1)
    with Remote(f"{proxy.address}/{prefix}", retries=patient) as remote:
        remote.push_image(layout, made.digest, "one", ["key-1", "stable"])
    assert check_whole() == ("one:key-1", "one:stable")


@pytest.mark.parametrize("after", [1, 2, 4, 6, 8, 9])
def test_a_push_killed_at_any_moment(
    proxy: RegistryProxy,
    prefix: str,
    layout: Layout,
    check_whole: Check,
    after: int,
) -> None:
    """A killed push leaves whole images alone, and the next one completes it."""
    made = image(layout)
    code = """
import sys
from pathlib import Path
from eggcrate.registry.layout import Layout
from eggcrate.registry.remote import Remote
with Remote(sys.argv[1], parallel=1) as remote:
    remote.push_image(Layout(Path(sys.argv[2])), sys.argv[3], "one", ["key-1", "stable"])
"""
    argv = [sys.executable, "-c", code, f"{proxy.address}/{prefix}", str(layout.root), made.digest]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    proxy.faults.append(Fault(times=99, slow=0.01))
    with subprocess.Popen(argv, env=environment, stderr=subprocess.DEVNULL) as push:
        while len(proxy.requests) < after and push.poll() is None:
            time.sleep(0.005)
        push.send_signal(signal.SIGKILL)
    proxy.faults.clear()
    check_whole()
    with Remote(f"{proxy.address}/{prefix}", retries=HASTY) as remote:
        remote.push_image(layout, made.digest, "one", ["key-1", "stable"])
    assert check_whole() == ("one:key-1", "one:stable")


REFUSALS = {
    "permission": (
        error(403, "DENIED", "requested access to the resource is denied"),
        AccessDeniedError,
        r"does not let us write t/",
    ),
    "repository": (error(404, "NAME_UNKNOWN", "no x"), NoSuchRepositoryError, "has no repository"),
    "room": (error(507, "UNKNOWN"), NoRoomError, "has no room for blob"),
    "quota": (error(403, "DENIED", "Quota exceeded"), NoRoomError, "has no room for blob"),
    "disk": (
        error(500, "UNKNOWN", "write /x: no space left on device"),
        NoRoomError,
        "has no room for blob",
    ),
    "large": (Answer(status=413), NoRoomError, "has no room for blob"),
    "busy": (error(503, "UNAVAILABLE"), RegistryUnreachableError, "does not take blob"),
    "other": (error(400, "NAME_INVALID", "bad"), RegistryError, "refuses blob"),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_is_explained(
    remote: Remote, proxy: RegistryProxy, layout: Layout, kind: str
) -> None:
    """Each refusal of a write is an error of its own, with what to do; no manifest appears."""
    answer, expected, words = REFUSALS[kind]
    made = image(layout)
    proxy.faults.append(Fault(method="POST", times=99, answer=answer))
    with pytest.raises(expected, match=words) as caught:
        remote.push_image(layout, made.digest, "one", ["key-1"])
    assert type(caught.value) is expected
    assert str(answer.status) in caught.value.why or "no x" in caught.value.why
    if kind != "other":
        assert caught.value.hint
    assert proxy.count("POST") <= (18 if kind == "busy" else 3)
    assert remote.resolve("one", "key-1") is None


def test_a_manifest_refused_while_others_push(
    remote: Remote, proxy: RegistryProxy, layout: Layout, check_whole: Check
) -> None:
    """CNCF Distribution misses a blob while another push rewrites its link: it is asked again."""
    made = image(layout)
    refusal = error(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry")
    proxy.faults.append(Fault(method="PUT", path="manifests", answer=refusal, times=2))
    remote.push_image(layout, made.digest, "one", ["key-1"])
    assert check_whole() == ("one:key-1",)
    proxy.faults.append(Fault(method="PUT", path="manifests", answer=refusal, times=99))
    with pytest.raises(RegistryError, match="refuses manifest") as caught:
        remote.push_image(layout, made.digest, "two", ["key-1"])
    assert "tried 6 times" in caught.value.why


def test_who_may_read_alone_writes_nothing(
    remote: Remote, proxy: RegistryProxy, layout: Layout
) -> None:
    """A read-only user is told at the first write, and can read on."""
    made = image(layout)
    remote.push_image(layout, made.digest, "one", ["key-1"])
    proxy.gates.append(read_only)
    other = image(layout, "y")
    proxy.forget()
    with pytest.raises(AccessDeniedError, match="does not let us write"):
        remote.push_image(layout, other.digest, "one", ["key-2"])
    assert not proxy.up
    found = remote.resolve("one", "key-1")
    assert found
    assert found.digest == made.digest


def test_immutable_tags(
    remote: Remote,
    proxy: RegistryProxy,
    registry_server: str,
    layout: Layout,
    check_whole: Check,
) -> None:
    """The same image goes to its tag again without harm; another one is refused clearly."""
    proxy.gates.append(immutable_tags(registry_server))
    made, other = image(layout), image(layout, "y")
    remote.push_image(layout, made.digest, "one", ["key-1"])
    remote.push_image(layout, made.digest, "one", ["key-1"])
    with pytest.raises(ImmutableTagError, match=r"manifest key-1 of .* stays what it is"):
        remote.push_image(layout, other.digest, "one", ["key-1"])
    # Another machine has pushed the same image between our look and our write.
    proxy.faults.append(Fault(method="HEAD", path="key-1", answer=error(404, "MANIFEST_UNKNOWN")))
    remote.push_image(layout, made.digest, "one", ["key-1"])
    assert check_whole() == ("one:key-1",)


def test_tls_to_a_plain_server_is_told(registry_server: str) -> None:
    """Where TLS is asked for, a plain answer is no reason to leave it away."""
    with Remote(f"https://{registry_server}/x", retries=HASTY) as remote, pytest.raises(TlsError):
        remote.resolve("one", "stable")


@pytest.mark.parametrize("reference", ["stable", f"sha256:{'0' * 64}"])
def test_a_page_is_no_image(remote: Remote, proxy: RegistryProxy, reference: str) -> None:
    """Whatever a log-in page's status says: by tag and by digest, looked at and read."""
    page = Answer(status=200, headers={"Content-Type": "text/html; charset=utf-8"}, body=b"<p>")
    proxy.faults.append(Fault(path="/manifests/", times=99, answer=page))
    with pytest.raises(NotARegistryError) as caught:
        remote.resolve("one", reference)
    assert caught.value.why.endswith(f"{reference} is text/html")
    with pytest.raises((NotARegistryError, IntegrityError)):
        remote.get_manifest("one", reference)


def test_manifests_are_verified(remote: Remote, proxy: RegistryProxy, layout: Layout) -> None:
    """A manifest that is not the one its digest names is tried again, then refused."""
    made = image(layout)
    remote.push_image(layout, made.digest, "one", ["key-1"])
    lie = Answer(status=200, headers={"Content-Type": oci.MANIFEST}, body=b"{}")
    proxy.faults.append(Fault(method="GET", path="manifests", answer=lie))
    assert remote.get_manifest("one", made.digest)[0] == made.manifest
    proxy.faults.append(Fault(method="GET", path="manifests", answer=lie, times=99))
    with pytest.raises(IntegrityError, match="does not send"):
        remote.get_manifest("one", made.digest)


@pytest.mark.parametrize("status", [200, 404, 500])
def test_an_answer_that_never_ends_is_broken_off(status: int) -> None:
    """Whatever its status: no more is read than an answer may have."""
    with (
        endless(status) as address,
        Remote(f"{address}/x", retries=Retries(attempts=1)) as remote,
        pytest.raises(RegistryError, match="bytes where few belong"),
    ):
        remote.get_manifest("one", "v1")


@pytest.mark.parametrize(
    ("location", "error", "told"),
    [
        ("{self}", NotARegistryError, "redirects"),
        ("http://registry.example/v2/x", TlsError, "no TLS"),
        ("file:///etc/passwd", NotARegistryError, "file"),
        ("http://[", TlsError, "no TLS"),
    ],
)
def test_a_redirect_that_leads_astray_is_refused(
    remote: Remote, proxy: RegistryProxy, location: str, error: type[RegistryError], told: str
) -> None:
    """A loop, plain HTTP to another machine, and what is no web address at all."""

    def astray(_: str, path: str, __: object) -> Answer:
        return Answer(status=307, headers={"Location": location.format(self=path)})

    proxy.gates.append(astray)
    with pytest.raises(error) as caught:
        remote.get_manifest("one", "v1")
    assert told in str(caught.value)


def test_a_log_in_is_not_taken_along_to_another_host(
    registry_server: str, proxy: RegistryProxy, tmp_path: Path
) -> None:
    """A blob's store elsewhere gets the request without it."""
    blob = oci.describe(b"content", oci.CONFIG)
    seen: list[str | None] = []
    with RegistryProxy(registry_server) as elsewhere:

        def store(_: str, __: str, headers: Mapping[str, str]) -> Answer:
            seen.append(headers.get("Authorization"))
            return Answer(status=200, body=b"content")

        def asks(_: str, path: str, headers: Mapping[str, str]) -> Answer:
            if not headers.get("Authorization"):
                return Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
            return Answer(status=307, headers={"Location": f"http://{elsewhere.address}{path}"})

        elsewhere.gates.append(store)
        proxy.gates.append(asks)
        config = log_in(tmp_path, proxy.address, "me")
        with Remote(f"{proxy.address}/x", docker_config=config, retries=HASTY) as remote:
            assert remote.fetch_blob("one", blob, tmp_path).read_bytes() == b"content"
    assert seen == [None]


def test_an_upload_that_goes_elsewhere_gets_no_log_in(
    registry_server: str, proxy: RegistryProxy, tmp_path: Path
) -> None:
    """A registry names where its uploads go: another machine is sent the bytes alone."""
    file = tmp_path / "content"
    file.write_bytes(b"content")
    blob = oci.describe(b"content", oci.CONFIG)
    seen: list[tuple[str, str | None]] = []
    with RegistryProxy(registry_server) as elsewhere:

        def store(method: str, _: str, headers: Mapping[str, str]) -> Answer:
            seen.append((method, headers.get("Authorization")))
            return Answer(status=201, headers={"Docker-Content-Digest": blob.digest})

        def asks(method: str, _: str, headers: Mapping[str, str]) -> Answer:
            if not headers.get("Authorization"):
                return Answer(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
            if method != "POST":
                return Answer(status=404)
            away = f"http://{elsewhere.address}/v2/x/one/blobs/uploads/1"
            return Answer(status=202, headers={"Location": away})

        elsewhere.gates.append(store)
        proxy.gates.append(asks)
        config = log_in(tmp_path, proxy.address, "me")
        with Remote(f"{proxy.address}/x", docker_config=config, retries=HASTY) as remote:
            remote.push_blob("one", file, blob)
    assert seen
    assert {log_in_sent for _, log_in_sent in seen} == {None}
