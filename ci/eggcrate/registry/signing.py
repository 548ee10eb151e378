"""Keys: ECDSA on P-256 with SHA-256, as cosign signs images.

A key is named by a file, by ``env:NAME`` for a variable that holds it, or by
``gcpkms://projects/…/cryptoKeyVersions/N`` in Google's KMS, where it never leaves it. Another
scheme is a plugin's: an entry point ``eggcrate.signers`` of the scheme's name.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from eggcrate.errors import ConfigError, SignatureError
from eggcrate.plugins import SIGNERS, plugins
from eggcrate.registry.kms import GoogleKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ec import (
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )

PASSWORD = "EGGCRATE_SIGN_PASSWORD"  # noqa: S105 - the name of the variable that holds it
_ENVIRONMENT = "env:"
_GOOGLE = "gcpkms"


class Signer(Protocol):
    """A private key, wherever it is."""

    def sign(self, payload: bytes) -> bytes:
        """The signature of a payload, DER-encoded."""

    def public_key(self) -> bytes:
        """The public key to it, in PEM."""


@dataclass(frozen=True)
class PublicKey:
    """What signatures are checked with."""

    key: EllipticCurvePublicKey
    name: str
    """Where it is from."""

    def verifies(self, signature: bytes, payload: bytes) -> bool:
        """Whether a signature is this key's and of this payload."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - as above
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - as above

        try:
            self.key.verify(signature, payload, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True

    def pem(self) -> bytes:
        """The key as it is written to a file."""
        return _pem(self.key)


@dataclass(frozen=True)
class _Local:
    key: EllipticCurvePrivateKey

    def sign(self, payload: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415 - as above

        return self.key.sign(payload, ec.ECDSA(SHA256()))

    def public_key(self) -> bytes:
        return _pem(self.key.public_key())


def open_signer(where: str, *, root: Path, environ: Mapping[str, str]) -> Signer:
    """The private key that is named.

    Args:
        where: a file below ``root``, ``env:NAME``, or a URI of a key management service.
        root: the checkout.
        environ: variables; :data:`PASSWORD` opens a key that is encrypted.

    Raises:
        ConfigError: there is no such key, or it is no ECDSA key on P-256.
        PluginError: the plugin of the scheme failed.
    """
    scheme, separator, name = where.partition("://")
    if separator and scheme == _GOOGLE:
        return GoogleKey(name, environ)
    if separator:
        for plugin in plugins(SIGNERS):
            if plugin.name == scheme:
                signer: Signer = plugin.call(where)
                return signer
        raise ConfigError(
            f"{where} names a key that nothing here can sign with",
            why=f"there is no plugin for {scheme}",
            hint=f"name a file, env:NAME, {_GOOGLE}://…, or install a plugin",
        )
    password = environ.get(PASSWORD, "").encode() or None
    return _Local(_private(_read(where, root, environ), where, password))


def open_public(where: str, *, root: Path, environ: Mapping[str, str]) -> PublicKey:
    """The public key that is named; of a private one, or one in a service, its public half.

    Raises:
        ConfigError: there is no such key, or it is no ECDSA key on P-256.
    """
    if "://" in where:
        return parse_public(open_signer(where, root=root, environ=environ).public_key(), where)
    content = _read(where, root, environ)
    if b"PRIVATE KEY" in content:
        password = environ.get(PASSWORD, "").encode() or None
        return PublicKey(_private(content, where, password).public_key(), where)
    return parse_public(content, where)


def parse_public(pem: bytes, name: str) -> PublicKey:
    """Read a public key in PEM.

    Raises:
        ConfigError: it is no ECDSA key on P-256.
    """
    _library()
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - as above
        load_pem_public_key,
    )

    try:
        key: Any = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _no_key(name, "a public key", str(error)) from error
    return PublicKey(_on_p256(key, name), name)


def decode_signature(text: str) -> bytes:
    """A signature out of base64.

    Raises:
        SignatureError: it is not base64.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise SignatureError("a signature is not base64", why=str(error)) from error


def _private(pem: bytes, name: str, password: bytes | None) -> EllipticCurvePrivateKey:
    _library()
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - as above
        load_pem_private_key,
    )

    try:
        key: Any = load_pem_private_key(pem, password)
    except TypeError as error:  # a password where none belongs, or none where one does
        raise ConfigError(
            f"the private key {name} cannot be opened",
            why=str(error),
            hint=f"set {PASSWORD} to its password, or unset it",
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _no_key(name, "a private key", str(error)) from error
    found: EllipticCurvePrivateKey = _on_p256(key, name)
    return found


def _on_p256(key: Any, name: str) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - an extra

    if not isinstance(getattr(key, "curve", None), ec.SECP256R1):
        raise _no_key(name, "an ECDSA key on P-256", f"it is {type(key).__name__.lstrip('_')}")
    return key


def _no_key(name: str, what: str, why: str) -> ConfigError:
    return ConfigError(
        f"{name} is not {what}",
        why=why,
        hint="docs/how-to-trust-images.md says how to make a pair",
    )


def _read(where: str, root: Path, environ: Mapping[str, str]) -> bytes:
    if where.startswith(_ENVIRONMENT):
        name = where.removeprefix(_ENVIRONMENT)
        if not environ.get(name):
            raise ConfigError(f"the variable {name}, which is to hold a key, is not set")
        return environ[name].encode()
    path = root / Path(where).expanduser()
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"the key {path} cannot be read", why=str(error.strerror)) from error


def _pem(key: EllipticCurvePublicKey) -> bytes:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra

    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _library() -> None:
    try:
        import cryptography  # noqa: F401, PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigError(
            "nothing can be signed or checked",
            why="cryptography is not installed",
            hint="run make setup, or install eggcrate[trust]",
        ) from error
