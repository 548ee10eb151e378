"""Being let in: basic and bearer challenges of a real registry, helpers, Google, TLS."""

from __future__ import annotations

import json
import logging
import os
import ssl
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import AccessDeniedError, TlsError
from eggcrate.registry import credentials, google
from eggcrate.registry.remote import Remote
from registry.conftest import HASTY, pull_with_skopeo
from support.images import file, put_image
from support.logins import log_in, program
from support.registry_proxy import RegistryProxy, error
from support.services import RegistryServer
from support.token_server import TokenServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from eggcrate.registry.layout import Layout

# The hash of that password.
HTPASSWD = "u:$2b$04$GAAdFkl27Uk/rH58ztqHwOVVvlJ11CdoEQXMKjWurrSs6ZSTVVad.\n"
USERS = {
    "writer": ("p:w", "pull,push,delete"),
    "reader": ("p:w", "pull"),
    "": ("", "pull"),
}


@pytest.fixture(scope="module")
def basic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """A registry that wants a user and a password for everything."""
    folder = tmp_path_factory.mktemp("basic")
    (folder / "htpasswd").write_text(HTPASSWD)
    auth = f"auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}\n"
    with RegistryServer(folder, auth) as server:
        yield server


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenServer]:
    """A token server with a writer, a reader, and readers without a log-in."""
    with TokenServer(folder=tmp_path_factory.mktemp("tokens"), users=dict(USERS)) as server:
        yield server


@pytest.fixture(scope="module")
def bearer(
    tokens: TokenServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RegistryServer]:
    """A registry that wants tokens of that server."""
    with RegistryServer(tmp_path_factory.mktemp("bearer"), tokens.config) as server:
        yield server


def push(layout: Layout, address: str, config: Path | None, name: str = "one") -> Remote:
    """Push a small image and give the closed registry back."""
    made = put_image(layout, name, [[file("a", b"x" * 50_000)]])
    with Remote(f"{address}/egg", retries=HASTY, docker_config=config) as remote:
        remote.push_image(layout, made.digest, name, ["key-1"])
    return remote


@pytest.mark.tools
def test_basic(basic: RegistryServer, layout: Layout, tmp_path: Path) -> None:
    """The stored log-in is sent, once asked for and then at once; others are told what to do."""
    with RegistryProxy(basic.address) as proxy:
        remote = push(layout, proxy.address, log_in(tmp_path, proxy.address, "u"))
        assert [status for _, _, status in proxy.requests].count(401) <= 3
    pull_with_skopeo(f"{basic.address}/egg/one:key-1", tmp_path, "--src-creds=u:p:w")
    with pytest.raises(AccessDeniedError, match="does not let us read egg/one") as no:
        push(layout, basic.address, None)
    assert "docker login" in no.value.hint
    assert "without a log-in" in no.value.why
    with pytest.raises(AccessDeniedError, match="does not accept the log-in of u") as wrong:
        push(layout, basic.address, log_in(tmp_path, basic.address, "u", "geheim"))
    assert "geheim" not in str(wrong.value)
    assert remote.session.proven


@pytest.mark.tools
def test_bearer(
    bearer: RegistryServer,
    tokens: TokenServer,
    layout: Layout,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One token for each set of rights, for a push, a mount and an anonymous pull."""
    caplog.set_level(logging.DEBUG)
    config = log_in(tmp_path, bearer.address, "writer")
    tokens.asked.clear()
    push(layout, bearer.address, config)
    wanted = [scopes for _, scopes in tokens.asked]
    assert sorted(wanted) == [("repository:egg/one:pull",), ("repository:egg/one:pull,push",)]
    blob = put_image(layout, "one", [[file("a", b"x" * 50_000)]]).layers[0]
    with Remote(f"{bearer.address}/egg", retries=HASTY, docker_config=config) as remote:
        path = layout.blob_path(blob.digest)
        assert remote.push_blob("two", path, blob, ["one"]).outcome.value == "mounted"
    both = ("repository:egg/one:pull", "repository:egg/two:pull,push")
    assert both in [scopes for _, scopes in tokens.asked]
    with Remote(f"{bearer.address}/egg", retries=HASTY) as anyone:
        assert anyone.resolve("one", "key-1")
    pull_with_skopeo(f"{bearer.address}/egg/one:key-1", tmp_path)
    assert "p:w" not in caplog.text
    assert log_in(tmp_path, "x", "writer").read_text().split('"')[7] not in caplog.text


@pytest.mark.tools
def test_a_reader_cannot_write(bearer: RegistryServer, layout: Layout, tmp_path: Path) -> None:
    """A token without the right is not asked for again and again: the user is told who lacks it."""
    for user in ("reader", ""):
        config = log_in(tmp_path, bearer.address, user) if user else None
        with pytest.raises(AccessDeniedError, match="does not let us write egg/three") as caught:
            push(layout, bearer.address, config, "three")
        assert (user or "without a log-in") in caught.value.why
    with pytest.raises(AccessDeniedError, match="does not accept the log-in of writer"):
        push(layout, bearer.address, log_in(tmp_path, bearer.address, "writer", "no"), "three")


@pytest.mark.tools
@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_a_mount_from_what_we_cannot_read(
    bearer: RegistryServer, tokens: TokenServer, layout: Layout, tmp_path: Path, status: int
) -> None:
    """Without the right to read the other image, or without mounts, the blob is uploaded."""
    challenge = f'Bearer realm="{tokens.realm}",service="registry",error="insufficient_scope"'
    refusal = error(status, "DENIED", WWW_Authenticate=challenge)
    blob = put_image(layout, "one", [[file("a", f"{status}".encode() * 9000)]]).layers[0]
    with RegistryProxy(bearer.address) as proxy:
        proxy.gates.append(lambda _method, path, _headers: refusal if "from=" in path else None)
        config = log_in(tmp_path, proxy.address, "writer")
        with Remote(f"{proxy.address}/egg", retries=HASTY, docker_config=config) as remote:
            pushed = remote.push_blob("five", layout.blob_path(blob.digest), blob, ["one", "two"])
    assert pushed.outcome.value == "uploaded"


@pytest.mark.tools
def test_tokens_are_renewed(
    bearer: RegistryServer, tokens: TokenServer, layout: Layout, tmp_path: Path
) -> None:
    """A token near its end is not used; one that the registry refuses is asked for anew."""
    made = put_image(layout, "one", [[file("a", b"x" * 50_000)]])
    config = log_in(tmp_path, bearer.address, "writer")
    with RegistryProxy(bearer.address) as proxy:
        host = log_in(tmp_path, proxy.address, "writer")
        with Remote(f"{proxy.address}/egg", retries=HASTY, docker_config=host) as remote:
            remote.push_image(layout, made.digest, "four", ["key-1"])
            tokens.asked.clear()
            assert remote.resolve("four", "key-1")
            assert not tokens.asked
            challenge = f'Bearer realm="{tokens.realm}",service="registry"'
            refusals = [error(401, "UNAUTHORIZED", WWW_Authenticate=challenge)]
            proxy.gates.append(lambda *_: refusals.pop() if refusals else None)
            assert remote.resolve("four", "key-1")
            assert len(tokens.asked) == 1
    tokens.lifetime = 1
    tokens.asked.clear()
    try:
        with Remote(f"{bearer.address}/egg", docker_config=config) as remote:
            for _ in range(2):
                assert remote.resolve("four", "key-1")
                time.sleep(0.9)
        assert len(tokens.asked) == 2
    finally:
        tokens.lifetime = 300


@pytest.mark.tools
def test_identity_tokens(
    bearer: RegistryServer, tokens: TokenServer, layout: Layout, tmp_path: Path
) -> None:
    """An identity token stands for the user at the token server, and goes nowhere else."""
    tokens.identity_tokens["refresh-me"] = "writer"
    config = log_in(tmp_path, bearer.address, "00", "", identitytoken="refresh-me")
    push(layout, bearer.address, config)
    assert tokens.asked[-1][0] == "writer"


@pytest.mark.tools
def test_a_log_in_that_ends_is_looked_up_again(
    bearer: RegistryServer,
    tokens: TokenServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Helpers give passwords that end: when one is refused the helper is asked once more."""
    body = f"""
        import json, pathlib, sys
        host, count = sys.stdin.read(), pathlib.Path({str(tmp_path / "count")!r})
        asked = int(count.read_text()) + 1 if count.exists() else 1
        count.write_text(str(asked))
        print(json.dumps(dict(ServerURL=host, Username="writer", Secret="p:w" + "x" * (asked > 2))))
    """
    program(tmp_path / "bin", "docker-credential-counting", body)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}{os.environ['PATH']}")
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"credHelpers": {bearer.address: "counting"}}))
    with Remote(f"{bearer.address}/egg", retries=HASTY, docker_config=config) as remote:
        assert remote.resolve("six", "key-1") is None
        assert remote.resolve("seven", "key-1") is None
        assert (tmp_path / "count").read_text() == "1"
        tokens.users["writer"] = ("p:wx", "pull")
        try:
            with pytest.raises(AccessDeniedError, match="log-in of writer"):
                remote.resolve("eight", "key-1")
            assert (tmp_path / "count").read_text() == "2"
            assert remote.resolve("nine", "key-1") is None
        finally:
            tokens.users["writer"] = USERS["writer"]


@pytest.mark.tools
def test_artifact_registry_as_it_answers(
    bearer: RegistryServer, tokens: TokenServer, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bearer challenge is answered with the access token as the password of its fixed user."""
    tokens.users["oauth2accesstoken"] = ("t0ken", "pull,push")
    monkeypatch.setattr(credentials, "is_google", lambda _: True)
    monkeypatch.setattr(google, "access_token", lambda: "t0ken")
    push(layout, bearer.address, None, "google")
    assert tokens.asked[-1][0] == "oauth2accesstoken"


@pytest.mark.tools
def test_tls(tmp_path: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown certificate is refused; ``SSL_CERT_FILE`` names one to trust."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    make += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    with RegistryServer(tmp_path / "r", tls=(certificate, key)) as server:
        prefix = f"https://localhost:{server.address.rpartition(':')[2]}"
        with pytest.raises(TlsError, match="certificate of registry localhost"):
            push(layout, prefix, None)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert ssl.get_default_verify_paths().cafile == str(certificate)
        push(layout, prefix, None)
