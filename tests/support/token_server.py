"""A token server for a real registry: who may do what, signed as CNCF Distribution checks it.

Specification: https://distribution.github.io/distribution/spec/auth/jwt/.
"""

from __future__ import annotations

import base64
import http.server
import json
import secrets
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from pathlib import Path

ISSUER, SERVICE = "eggcrate-tests", "registry"


@dataclass(kw_only=True)
class TokenServer:
    """Gives tokens on loopback; a context manager.

    Users are ``name: (password, actions)``; ``""`` is whoever has no log-in.
    """

    folder: Path
    users: dict[str, tuple[str, str]]
    lifetime: int = 300
    identity_tokens: dict[str, str] = field(default_factory=dict)
    """Refresh token: user."""
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    """User and scopes of every token given."""
    realm: str = ""

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        make += ["-subj", "/CN=eggcrate-tests", "-keyout", self._key, "-out", self.certificate]
        subprocess.run(make, check=True, capture_output=True)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                user = outer._user(self.headers.get("Authorization", ""))
                outer._answer(self, user, parse_qs(urlsplit(self.path).query))

            def do_POST(self) -> None:
                size = int(self.headers.get("Content-Length", 0))
                form = parse_qs(self.rfile.read(size).decode())
                refresh = form.get("refresh_token", [""])[0]
                scopes = form.get("scope", [""])[0].split()
                outer._answer(self, outer.identity_tokens.get(refresh), {"scope": scopes})

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.realm = f"http://127.0.0.1:{self._server.server_port}/token"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def certificate(self) -> str:
        """What the registry checks tokens with."""
        return str(self.folder / "tokens.pem")

    @property
    def config(self) -> str:
        """The registry's ``auth`` section."""
        return (
            f"auth: {{token: {{realm: {self.realm!r}, service: {SERVICE}, "
            f"issuer: {ISSUER}, rootcertbundle: {self.certificate}}}}}\n"
        )

    @property
    def _key(self) -> str:
        return str(self.folder / "tokens.key")

    def _user(self, header: str) -> str | None:
        if not header:
            return "" if "" in self.users else None
        user, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
        known = self.users.get(user)
        return user if known and known[0] == password else None

    def _answer(
        self,
        request: http.server.BaseHTTPRequestHandler,
        user: str | None,
        asked: dict[str, list[str]],
    ) -> None:
        if user is None:
            status, value = 401, {"errors": [{"code": "UNAUTHORIZED"}]}
        else:
            scopes = tuple(asked.get("scope", []))
            self.asked.append((user, scopes))
            token = self._token(user, scopes)
            status, value = 200, {"token": token, "expires_in": self.lifetime}
        body = json.dumps(value).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _token(self, user: str, scopes: tuple[str, ...]) -> str:
        allowed = self.users[user][1].split(",")
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            granted = [item for item in actions.split(",") if item in allowed]
            access.append({"type": kind, "name": name, "actions": granted})
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": user,
            "aud": SERVICE,
            "nbf": now - 5,
            "iat": now,
            # Distribution allows a minute of leeway after the end.
            "exp": now + self.lifetime,
            "jti": secrets.token_hex(8),
            "access": access,
        }
        pem = (self.folder / "tokens.pem").read_text()
        der = "".join(line for line in pem.splitlines() if "--" not in line)
        header = {"typ": "JWT", "alg": "RS256", "x5c": [der]}
        text = f"{_b64(json.dumps(header).encode())}.{_b64(json.dumps(claims).encode())}"
        sign = ["openssl", "dgst", "-sha256", "-sign", self._key]
        signed = subprocess.run(sign, input=text.encode(), check=True, capture_output=True)
        return f"{text}.{_b64(signed.stdout)}"


def _b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
