"""Images from a registry."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.errors import ConfigError, IntegrityError, StoreError
from eggcrate.registry import oci, pull
from eggcrate.registry.credentials import Credentials, credentials_for
from eggcrate.registry.layout import Layout
from eggcrate.registry.pull import Reference
from eggcrate.retries import Retries
from support.images import file, put_image, tar_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HASTY = Retries(sleep=lambda _: None)
MEMBERS = [file("a", b"x" * 100_000)]


class Registry:
    """A registry of one image on loopback, which can be made to want a log-in or to fail."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.challenge = ""
        self.accepted: set[str] = set()
        self.failures: list[str] = []
        self.asked: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        """Answer one request as a registry would, or as its next failure says."""
        self.asked.append(request.path)
        given = request.headers.get("Authorization", "")
        if request.path.startswith("/token"):
            assert "scope=repository" in request.path
            good = given == Credentials(user="u", password="p:w").header
            self.send(request, 200 if good else 401, json.dumps({"token": "t0k"}).encode())
        elif self.challenge and given not in self.accepted:
            self.send(request, 401, b"", {"WWW-Authenticate": self.challenge})
        else:
            digest = request.path.rpartition("/")[2]
            failure = self.failures.pop() if self.failures else ""
            if not self.layout.has_blob(digest):
                self.send(request, 404, b"")
                return
            content = self.layout.read_blob(digest)
            if failure == "status":
                self.send(request, 503, b"")
            elif failure == "short":
                self.send(request, 200, content[: len(content) // 2], length=len(content))
            elif failure == "wrong":
                self.send(request, 200, bytes(len(content)))
            else:
                self.send(request, 200, content)

    def send(
        self,
        request: http.server.BaseHTTPRequestHandler,
        status: int,
        content: bytes,
        headers: dict[str, str] | None = None,
        length: int | None = None,
    ) -> None:
        """Send one whole response."""
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content) if length is None else length))
        request.end_headers()
        request.wfile.write(content)
        request.close_connection = True


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    found = Registry(Layout(tmp_path / "remote"))
    thread = threading.Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "no-docker"))


def bring(registry: Registry, digest: str, tmp_path: Path, **options: Any) -> pull.PulledImage:
    reference = f"{registry.address}/some/name@{digest}"
    options.setdefault("retries", HASTY)
    return pull.pull(reference, "linux/amd64", tmp_path / "cache", **options)


def test_an_image_comes_into_the_cache_once(registry: Registry, tmp_path: Path) -> None:
    """Every layer is a file with the right content; a second pull asks for nothing."""
    made = put_image(registry.layout, "x", [MEMBERS], env={"A": "b"})
    image = bring(registry, made.digest, tmp_path)
    (layer,) = image.layers
    assert f"sha256:{hashlib.sha256(layer.path.read_bytes()).hexdigest()}" == layer.digest
    assert (layer.diff_id, layer.media_type) == (made.diff_ids[0], oci.LAYER_GZIP)
    assert image.config.env == {"A": "b"}
    asked = len(registry.asked)
    assert bring(registry, made.digest, tmp_path) == image
    assert len(registry.asked) == asked


def test_the_platform_is_chosen(registry: Registry, tmp_path: Path) -> None:
    """From an index the image for the platform is taken; a platform it lacks is told."""
    put_image(registry.layout, "a", [[file("a")]], platform="linux/arm64")
    made = put_image(registry.layout, "b", [MEMBERS], platform="linux/amd64")
    children = tuple(registry.layout.refs().values())
    index = registry.layout.put_index("i", children, {})
    assert bring(registry, index.digest, tmp_path).digest == made.digest
    only = registry.layout.put_index("j", children[:1], {})
    with pytest.raises(StoreError, match="no image for linux/amd64"):
        bring(registry, only.digest, tmp_path)


def test_an_image_for_another_platform_is_refused(registry: Registry, tmp_path: Path) -> None:
    """A pinned manifest is not an index: its configuration says what it is for."""
    made = put_image(registry.layout, "a", [[file("a")]], platform="linux/arm64")
    with pytest.raises(StoreError, match="is for linux/arm64"):
        bring(registry, made.digest, tmp_path)


@pytest.mark.parametrize("failure", ["status", "short", "wrong"])
def test_a_failure_is_tried_again(registry: Registry, tmp_path: Path, failure: str) -> None:
    """An error, a short answer or wrong bytes are tried again, and nothing wrong is kept."""
    made = put_image(registry.layout, "x", [MEMBERS])
    registry.failures = [failure, failure]
    assert bring(registry, made.digest, tmp_path).digest == made.digest


def test_wrong_bytes_for_good_are_told(registry: Registry, tmp_path: Path) -> None:
    """A registry that keeps sending other bytes is an error, and leaves the cache empty."""
    made = put_image(registry.layout, "x", [MEMBERS])
    registry.failures = ["wrong"] * 20
    with pytest.raises(IntegrityError, match="does not send"):
        bring(registry, made.digest, tmp_path)
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in kept) == 0


def test_what_is_not_there_is_told(registry: Registry, tmp_path: Path) -> None:
    """An image that the registry does not have is named."""
    with pytest.raises(StoreError, match="has no some/name@sha256"):
        bring(registry, f"sha256:{'0' * 64}", tmp_path)


def test_no_registry_is_told(registry: Registry, tmp_path: Path) -> None:
    """A registry that does not answer is named."""
    with pytest.raises(StoreError, match="cannot be reached"):
        pull.pull(f"127.0.0.1:9/x@sha256:{'0' * 64}", "linux/amd64", tmp_path, retries=HASTY)


def log_in(tmp_path: Path, host: str) -> Path:
    path = tmp_path / "config.json"
    auth = base64.b64encode(b"u:p:w").decode()
    path.write_text(json.dumps({"auths": {f"https://{host}/v1/": {"auth": auth}}}))
    return path


def test_basic_and_bearer(registry: Registry, tmp_path: Path) -> None:
    """Both challenges are answered with the log-in that Docker has stored."""
    made = put_image(registry.layout, "x", [MEMBERS])
    config = log_in(tmp_path, registry.address)
    registry.challenge = 'Basic realm="x"'
    registry.accepted = {Credentials(user="u", password="p:w").header}
    assert bring(registry, made.digest, tmp_path / "1", docker_config=config)
    realm = f"http://{registry.address}/token"
    registry.challenge = f'Bearer realm="{realm}",service="s",scope="repository:some/name:pull"'
    registry.accepted = {"Bearer t0k"}
    assert bring(registry, made.digest, tmp_path / "2", docker_config=config)
    with pytest.raises(StoreError, match="does not let us read") as caught:
        bring(registry, made.digest, tmp_path / "3")
    assert "docker login" in caught.value.hint


def test_credentials_are_those_of_the_host(tmp_path: Path) -> None:
    """Only the registry's own log-in is used, no secret is shown, and a bad file is told."""
    path = log_in(tmp_path, "one.example")
    assert credentials_for("two.example", path) is None
    assert credentials_for("one.example", tmp_path / "none") is None
    found = credentials_for("one.example", path)
    assert found == Credentials(user="u", password="p:w")
    assert "p:w" not in repr(found)
    path.write_text("[")
    with pytest.raises(ConfigError, match=r"config\.json"):
        credentials_for("one.example", path)


@pytest.mark.parametrize("text", ["", "python:3", "host/name", "host/name:tag", "host/n@sha256:1"])
def test_a_base_must_be_pinned(text: str) -> None:
    """A reference needs a registry and a digest."""
    with pytest.raises(StoreError, match="not a pinned image"):
        Reference.parse(text)


@pytest.mark.tools
def test_a_real_registry(registry_server: str, tmp_path: Path) -> None:
    """What skopeo copied into CNCF Distribution is pulled with the same digests."""
    layout = Layout(tmp_path / "store")
    made = put_image(layout, "x", [MEMBERS, tar_of([file("b", b"2")])])
    target = f"docker://{registry_server}/some/name:x"
    copy = ["skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false"]
    subprocess.run([*copy, f"oci:{layout.root}:x", target], check=True, capture_output=True)
    reference = f"{registry_server}/some/name@{made.digest}"
    image = pull.pull(reference, "linux/amd64", tmp_path / "cache")
    assert image.manifest.encode() == made.manifest
    assert [layer.diff_id for layer in image.layers] == list(made.diff_ids)
