"""Keys, wherever they are, and signatures as cosign and OpenSSL make them."""

from __future__ import annotations

import base64
import http.server
import json
import shutil
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256

from eggcrate.errors import ConfigError, SignatureError
from eggcrate.registry import cosign
from eggcrate.registry.kms import ENDPOINT
from eggcrate.registry.signing import PASSWORD, open_public, open_signer, parse_public
from support.keys import new_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DIGEST = "sha256:" + "ab" * 32
KMS_NAME = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"
VECTOR = (
    b'{"critical":{"identity":{"docker-reference":"registry.example/ml/one"},"image":'
    b'{"docker-manifest-digest":"sha256:' + b"ab" * 32 + b'"},"type":"cosign container image '
    b'signature"},"optional":null}'
)
"""What is signed, as the specification of cosign's signatures writes it, by hand."""
# Made from VECTOR with `openssl ecparam -name prime256v1 -genkey` and `openssl dgst -sha256 -sign`.
VECTOR_KEY = b"""-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE1dzmPRnj305zLj7Mr39GMCr5HUKX
m3KsovSWFFI587Gc2YL1zhisLY3pJWulZo5vy8NLvO8QfhoublxvAJFDtA==
-----END PUBLIC KEY-----
"""
VECTOR_SIGNATURE = (
    "MEQCICy9SncNwhJiohY+a87HgtL82mYKGQw7NFSlBmb/M6UcAiBaWmGPb2UQCxOA"
    "8/tf0SOFkI0ZzPridl1Ze1pPgMU+Wg=="
)


def test_the_payload_is_what_cosign_signs() -> None:
    """To the byte, and a signature that OpenSSL made of it is good."""
    assert cosign.payload_of(DIGEST, "registry.example/ml/one") == VECTOR
    assert cosign.signature_tag(DIGEST) == f"sha256-{'ab' * 32}.sig"
    key = parse_public(VECTOR_KEY, "vector")
    signed = cosign.Signed(payload=VECTOR, signature=base64.b64decode(VECTOR_SIGNATURE))
    assert cosign.is_signed([signed], DIGEST, [key])
    assert not cosign.is_signed([signed], "sha256:" + "cd" * 32, [key])


def test_a_signature_is_of_one_key_and_one_payload(tmp_path: Path) -> None:
    """Another key, payload, digest or type is refused; one good key of several is enough."""
    private, _ = new_key(tmp_path)
    _, other = new_key(tmp_path, "other")
    signer = open_signer("key.pem", root=tmp_path, environ={})
    mine = open_public("key.pub", root=tmp_path, environ={})
    theirs = open_public(str(other), root=tmp_path, environ={})
    payload = cosign.payload_of(DIGEST, "one")
    good = cosign.Signed(payload=payload, signature=signer.sign(payload))
    changed = cosign.Signed(payload=payload.replace(b"one", b"two"), signature=good.signature)
    assert cosign.is_signed([good], DIGEST, [theirs, mine])
    assert not cosign.is_signed([good], DIGEST, [theirs])
    assert not cosign.is_signed([changed], DIGEST, [mine])
    assert not cosign.is_signed([], DIGEST, [mine])
    told = payload.replace(b"cosign container image signature", b"something else")
    assert not cosign.is_signed(
        [cosign.Signed(payload=told, signature=signer.sign(told))], DIGEST, [mine]
    )
    assert open_public(str(private), root=tmp_path, environ={}).pem() == mine.pem()


@pytest.mark.skipif(not shutil.which("openssl"), reason="not installed: openssl")
def test_openssl_checks_what_we_sign(tmp_path: Path) -> None:
    """The independent judge of our signatures."""
    new_key(tmp_path)
    payload = cosign.payload_of(DIGEST, "one")
    signature = open_signer("key.pem", root=tmp_path, environ={}).sign(payload)
    (tmp_path / "payload").write_bytes(payload)
    (tmp_path / "signature").write_bytes(signature)
    command = ["openssl", "dgst", "-sha256", "-verify", "key.pub", "-signature", "signature"]
    done = subprocess.run([*command, "payload"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done


def test_a_key_may_be_a_variable_and_may_be_encrypted(tmp_path: Path) -> None:
    """With its password; without, the error says which variable holds it."""
    private, public = new_key(tmp_path, password="secret")
    environ = {"OURS": private.read_text(), PASSWORD: "secret"}
    signer = open_signer("env:OURS", root=tmp_path, environ=environ)
    key = open_public("key.pub", root=tmp_path, environ={})
    assert key.verifies(signer.sign(b"x"), b"x")
    with pytest.raises(ConfigError, match="cannot be opened") as told:
        open_signer("env:OURS", root=tmp_path, environ={"OURS": private.read_text()})
    assert PASSWORD in told.value.hint
    assert open_public(str(public), root=tmp_path, environ={}).verifies(signer.sign(b"y"), b"y")


def _rsa(folder: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "rsa.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("missing.pem", "cannot be read"),
        ("rsa.pem", "not an ECDSA key on P-256"),
        ("garbage.pem", "not a private key"),
        ("env:NOT_SET", "is not set"),
        ("vault://somewhere", "nothing here can sign"),
        ("gcpkms://projects/p", "not a version of a key"),
    ],
)
def test_what_is_no_key_is_an_error(where: str, told: str, tmp_path: Path) -> None:
    """A clear one, before anything is published."""
    _rsa(tmp_path)
    (tmp_path / "garbage.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n")
    with pytest.raises(ConfigError, match=told):
        open_signer(where, root=tmp_path, environ={})


@pytest.fixture
def kms() -> Iterator[tuple[str, list[str]]]:
    """A key management service on loopback, and what it was asked."""
    key = ec.generate_private_key(ec.SECP256R1())
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            pem = key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            self.answer({"pem": pem.decode(), "algorithm": "EC_SIGN_P256_SHA256"})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            digest = base64.b64decode(body["digest"]["sha256"])
            signature = key.sign(digest, ec.ECDSA(utils.Prehashed(SHA256())))
            self.answer({"signature": base64.b64encode(signature).decode()})

        def answer(self, document: dict[str, Any]) -> None:
            asked.append(f"{self.command} {self.path}")
            known = KMS_NAME in self.path
            content = json.dumps(document if known else {"error": {"message": "no key"}}).encode()
            self.send_response(200 if known else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_a_key_in_googles_kms_never_leaves_it(kms: tuple[str, list[str]], tmp_path: Path) -> None:
    """The service is sent a digest and gives a signature that its public key verifies."""
    address, asked = kms
    environ = {ENDPOINT: address}
    signer = open_signer(f"gcpkms://{KMS_NAME}", root=tmp_path, environ=environ)
    key = open_public(f"gcpkms://{KMS_NAME}", root=tmp_path, environ=environ)
    assert key.verifies(signer.sign(b"payload"), b"payload")
    assert asked == [f"GET /v1/{KMS_NAME}/publicKey", f"POST /v1/{KMS_NAME}:asymmetricSign"]
    missing = KMS_NAME.replace("/k/", "/missing/")
    with pytest.raises(SignatureError, match="cannot be used") as told:
        open_signer(f"gcpkms://{missing}", root=tmp_path, environ=environ).sign(b"x")
    assert told.value.why == "no key"
    nobody = {ENDPOINT: "http://127.0.0.1:9"}
    with pytest.raises(SignatureError, match="cannot be used"):
        open_signer(f"gcpkms://{KMS_NAME}", root=tmp_path, environ=nobody).sign(b"x")
    plain = {ENDPOINT: "http://kms.example"}
    with pytest.raises(SignatureError) as told:
        open_signer(f"gcpkms://{KMS_NAME}", root=tmp_path, environ=plain).sign(b"x")
    assert "no TLS" in told.value.why


def test_an_envelope_is_opened_by_its_key_alone(tmp_path: Path) -> None:
    """Changed content, another type, other keys and what is no envelope are refused."""
    new_key(tmp_path)
    new_key(tmp_path, "other")
    signer = open_signer("key.pem", root=tmp_path, environ={})
    mine = open_public("key.pub", root=tmp_path, environ={})
    other = open_public("other.pub", root=tmp_path, environ={})
    envelope = cosign.enveloped(b'{"a":1}', "text/x", signer)
    assert cosign.opened(envelope, "text/x", [other, mine]) == b'{"a":1}'
    told = json.loads(envelope)
    forged = json.dumps({**told, "payload": base64.b64encode(b'{"a":2}').decode()}).encode()
    unsigned = json.dumps({**told, "signatures": []}).encode()
    for content, kind, keys in (
        (envelope, "text/x", [other]),
        (envelope, "text/y", [mine]),
        (forged, "text/x", [mine]),
        (unsigned, "text/x", [mine]),
        (b'{"a":1}', "text/x", [mine]),
        (b"[]", "text/x", [mine]),
        (b"\xff", "text/x", [mine]),
    ):
        with pytest.raises(SignatureError):
            cosign.opened(content, kind, keys)
