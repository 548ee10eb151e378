"""Where a log-in comes from: Docker's configuration and helpers, and Google's."""

from __future__ import annotations

import base64
import json
import sys
import types
from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import AccessDeniedError, ConfigError
from eggcrate.registry import google
from eggcrate.registry.credentials import Credentials, credentials_for, find_credentials
from support.logins import log_in, program
from support.registry_proxy import RegistryProxy, error

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


def test_helpers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's helper comes before the store of all, which comes before what is in the file."""
    body = """
        import json, sys
        host = sys.stdin.read()
        if host == "none.example":
            sys.exit(print("credentials not found in native keychain") or 1)
        if host == "bad.example":
            sys.exit(print("the keychain is locked") or 1)
        user = "<token>" if host == "token.example" else f"NAME of {host}"
        print(json.dumps({"ServerURL": host, "Username": user, "Secret": "s3cret"}))
    """
    for name in ("own", "all"):
        program(tmp_path / "bin", f"docker-credential-{name}", body.replace("NAME", name))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    config = tmp_path / "config.json"
    auths = {host: {"auth": base64.b64encode(b"f:p").decode()} for host in ("none.example",)}
    helpers = {"own.example": "own", "away.example": "away", "evil.example": "../x"}
    config.write_text(json.dumps({"auths": auths, "credHelpers": helpers, "credsStore": "all"}))
    assert credentials_for("own.example", config) == Credentials(
        user="own of own.example", password="s3cret"
    )
    assert credentials_for("x.example", config) == Credentials(
        user="all of x.example", password="s3cret"
    )
    assert credentials_for("none.example", config) == Credentials(user="f", password="p")
    token = credentials_for("token.example", config)
    assert token == Credentials(user="", identity_token="s3cret")
    assert "s3cret" not in repr(token)
    with pytest.raises(ConfigError, match="credential helper of registry bad") as locked:
        credentials_for("bad.example", config)
    assert "the keychain is locked" in locked.value.why
    with pytest.raises(ConfigError, match="credential helper of registry away") as away:
        credentials_for("away.example", config)
    assert "install docker-credential-away" in away.value.hint
    with pytest.raises(ConfigError, match="cannot be one"):
        credentials_for("evil.example", config)


@pytest.fixture
def no_google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Neither Google's library nor gcloud; programs put in the folder are found."""
    monkeypatch.setitem(sys.modules, "google.auth", None)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    return tmp_path / "bin"


HOST = "europe-west1-docker.pkg.dev"


def test_gcloud(no_google: Path, tmp_path: Path) -> None:
    """For Artifact Registry alone, gcloud's token is used; a gcloud without log-in is told."""
    assert find_credentials(HOST) is None
    program(no_google, "gcloud", "print('t0ken')")
    assert find_credentials(HOST) == Credentials(user="oauth2accesstoken", password="t0ken")
    assert find_credentials("registry.example") is None
    stored = log_in(tmp_path, HOST, "mine")
    assert find_credentials(HOST, stored) == Credentials(user="mine", password="p:w")
    program(no_google, "gcloud", "import sys; sys.exit('You do not have an active account')")
    with pytest.raises(AccessDeniedError, match="gives no access token") as caught:
        find_credentials(HOST)
    assert "active account" in caught.value.why
    assert "gcloud auth login" in caught.value.hint


def test_google_auth(no_google: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where google-auth is installed its default credentials come first."""

    class AnyError(Exception):
        pass

    class NoDefaultError(AnyError):
        pass

    class Found:
        token = ""

        def refresh(self, request: Any) -> None:
            with RegistryProxy("127.0.0.1:9") as server:
                server.gates.append(lambda *_: error(200, "x"))
                answer = request(f"http://{server.address}/", method="POST", body=b"x")
            assert (answer.status, json.loads(answer.data)["errors"][0]["code"]) == (200, "x")
            self.token = "from the library"

    problems = types.ModuleType("google.auth.exceptions")
    vars(problems).update(
        GoogleAuthError=AnyError, DefaultCredentialsError=NoDefaultError, TransportError=AnyError
    )
    library = types.ModuleType("google.auth")
    vars(library).update(default=lambda **_: (Found(), None))
    monkeypatch.setitem(sys.modules, "google.auth", library)
    monkeypatch.setitem(sys.modules, "google.auth.exceptions", problems)
    assert google.access_token() == "from the library"

    class Ended(Found):
        def refresh(self, request: Any) -> None:
            request("http://127.0.0.1:9/")

    vars(library).update(default=lambda **_: (Ended(), None))
    with pytest.raises(AccessDeniedError, match="give no access token"):
        google.access_token()

    def none(scopes: list[str]) -> None:
        raise NoDefaultError

    vars(library).update(default=none)
    program(no_google, "gcloud", "print('from gcloud')")
    assert google.access_token() == "from gcloud"
