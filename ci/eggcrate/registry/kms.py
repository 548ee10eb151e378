"""Keys in Google's Cloud KMS: what is to be signed goes there, the key never comes here.

Specification: https://cloud.google.com/kms/docs/reference/rest, "asymmetricSign", "getPublicKey".
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any

import httpx2

from eggcrate.errors import ConfigError, SignatureError
from eggcrate.loopback import is_loopback
from eggcrate.registry.google import access_token

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDPOINT = "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS"
"""gcloud's own variable for another address of the service."""
_SERVICE = "https://cloudkms.googleapis.com/"
_NAME = re.compile(
    r"projects/[\w:.-]+/locations/[\w-]+/keyRings/[\w-]+/cryptoKeys/[\w-]+/cryptoKeyVersions/\d+"
)
_TIMEOUT = 30


class GoogleKey:
    """A version of an asymmetric key (``EC_SIGN_P256_SHA256``).

    Args:
        name: ``projects/…/cryptoKeyVersions/N``.
        environ: variables.

    Raises:
        ConfigError: it is not such a name.
    """

    def __init__(self, name: str, environ: Mapping[str, str]) -> None:
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"gcpkms://{name} is not a version of a key",
                hint="write gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K/"
                "cryptoKeyVersions/1",
            )
        self._url = f"{environ.get(ENDPOINT, _SERVICE).rstrip('/')}/v1/{name}"
        self._name = name

    def sign(self, payload: bytes) -> bytes:
        """The signature of a payload, DER-encoded.

        Raises:
            SignatureError: the service does not sign.
        """
        digest = base64.b64encode(hashlib.sha256(payload).digest()).decode()
        answer = self._ask("POST", ":asymmetricSign", {"digest": {"sha256": digest}})
        try:
            return base64.b64decode(answer["signature"], validate=True)
        except (KeyError, TypeError, ValueError) as error:
            raise self._failed(f"it answered without a signature: {error!r}") from error

    def public_key(self) -> bytes:
        """The public key to it, in PEM.

        Raises:
            SignatureError: the service does not give it.
        """
        pem = self._ask("GET", "/publicKey").get("pem")
        if not isinstance(pem, str):
            raise self._failed("it answered without a key")
        return pem.encode()

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        headers = {}
        url = httpx2.URL(f"{self._url}{path}")
        if not is_loopback(url.host):
            if url.scheme != "https":
                raise self._failed(f"{url} has no TLS")
            headers["authorization"] = f"Bearer {access_token()}"
        try:
            with httpx2.Client(timeout=_TIMEOUT) as client:
                answer = client.request(method, url, json=body, headers=headers)
                found = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise self._failed(str(error) or type(error).__name__) from error
        if not answer.is_success or not isinstance(found, dict):
            told = found.get("error", {}) if isinstance(found, dict) else {}
            why = told.get("message", "") if isinstance(told, dict) else ""
            raise self._failed(why or f"it answered {answer.status_code}")
        return found

    def _failed(self, why: str) -> SignatureError:
        return SignatureError(
            f"the key {self._name} cannot be used", why=why, hint="check its name and your log-in"
        )
