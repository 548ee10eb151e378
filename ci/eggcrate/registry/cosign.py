"""Signatures of images as cosign keeps them.

Specification: https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md. What is
signed is a payload that names the image's digest; the signatures of an image are the layers of
one manifest under the tag ``sha256-<digits>.sig``, beside the image or in a repository of their
own. Envelopes around statements: https://github.com/secure-systems-lab/dsse.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eggcrate.errors import SignatureError, StoreError
from eggcrate.parsing import json_of
from eggcrate.registry import oci
from eggcrate.registry.referrers import fallback_tag, push_content
from eggcrate.registry.signing import decode_signature

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from eggcrate.registry.remote import Remote
    from eggcrate.registry.signing import PublicKey, Signer

PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
ENVELOPE = "application/vnd.dsse.envelope.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
TYPE = "cosign container image signature"


@dataclass(frozen=True, kw_only=True)
class Signed:
    """A payload and a signature of it, which is not checked yet."""

    payload: bytes
    signature: bytes


def signature_tag(digest: str) -> str:
    """The tag of an image's signatures."""
    return f"{fallback_tag(digest)}.sig"


def payload_of(digest: str, image: str) -> bytes:
    """What is signed.

    Args:
        digest: of the image's manifest.
        image: its name, without tag or digest.
    """
    return oci.encode(
        {
            "critical": {
                "identity": {"docker-reference": image},
                "image": {"docker-manifest-digest": oci.check_digest(digest)},
                "type": TYPE,
            },
            "optional": None,
        }
    )


def names(payload: bytes, digest: str) -> bool:
    """Whether a payload is about the image of this digest."""
    try:
        critical = json_of(payload)["critical"]
        return (critical["image"]["docker-manifest-digest"], critical["type"]) == (digest, TYPE)
    except (ValueError, KeyError, TypeError):
        return False


def put_signature(remote: Remote, name: str, signed: Signed, digest: str) -> None:
    """Publish a signature of an image beside those that it has.

    Args:
        remote: where signatures are kept.
        name: the image, or the repository of their own.
        signed: the signature.
        digest: of the image.

    Raises:
        RegistryError: the registry does not take it.
        ImmutableTagError: there is one already, and tags cannot be moved there.
    """
    tag = signature_tag(digest)
    layers = list(_layers(remote, name, tag))
    blob = push_content(remote, name, signed.payload, PAYLOAD)
    text = base64.b64encode(signed.signature).decode()
    layers.append(
        oci.Descriptor(
            media_type=PAYLOAD, digest=blob.digest, size=blob.size, annotations={SIGNATURE: text}
        )
    )
    # cosign's own: an image of layers that are no layers.
    config = {
        "architecture": "",
        "created": "0001-01-01T00:00:00Z",
        "os": "",
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
        "config": {},
    }
    described = push_content(remote, name, oci.encode(config), oci.CONFIG)
    manifest = oci.Manifest(config=described, layers=tuple(layers)).encode()
    remote.put_manifest(name, tag, manifest, oci.MANIFEST)


def read_signatures(remote: Remote, name: str, digest: str, cache: Path) -> tuple[Signed, ...]:
    """The signatures that an image is published with; none of them is checked yet.

    Raises:
        RegistryError: the registry does not tell.
    """
    found = []
    for layer in _layers(remote, name, signature_tag(digest)):
        if layer.media_type == PAYLOAD and SIGNATURE in layer.annotations:
            payload = remote.fetch_blob(name, layer, cache).read_bytes()
            signature = decode_signature(layer.annotations[SIGNATURE])
            found.append(Signed(payload=payload, signature=signature))
    return tuple(found)


def is_signed(signatures: Iterable[Signed], digest: str, keys: Sequence[PublicKey]) -> bool:
    """Whether one of the keys has signed the image of this digest."""
    return any(
        names(one.payload, digest) and any(key.verifies(one.signature, one.payload) for key in keys)
        for one in signatures
    )


def enveloped(content: bytes, content_type: str, signer: Signer) -> bytes:
    """A signed envelope around some content."""
    signature = signer.sign(_encoded(content, content_type))
    return oci.encode(
        {
            "payload": base64.b64encode(content).decode(),
            "payloadType": content_type,
            "signatures": [{"keyid": "", "sig": base64.b64encode(signature).decode()}],
        }
    )


def opened(envelope: bytes, content_type: str, keys: Sequence[PublicKey]) -> bytes:
    """The content of an envelope that one of the keys has signed.

    Raises:
        SignatureError: none has, or it is no envelope around such content.
    """
    content, signatures = _read_envelope(envelope, content_type)
    signed = _encoded(content, content_type)
    if not any(key.verifies(one, signed) for key in keys for one in signatures):
        raise SignatureError(
            "a statement is not signed by a key that is trusted",
            why=f"it has {len(signatures)} signatures; checked with "
            f"{', '.join(key.name for key in keys) or 'no key'}",
        )
    return content


def unchecked(statement: bytes, content_type: str) -> bytes:
    """The content of an envelope whoever signed it, or what is in none.

    Raises:
        SignatureError: it is an envelope around something else.
    """
    if b'"payloadType"' not in statement:
        return statement
    return _read_envelope(statement, content_type)[0]


def _read_envelope(envelope: bytes, content_type: str) -> tuple[bytes, list[bytes]]:
    try:
        told: dict[str, Any] = oci.parse_object(envelope, "an envelope")
        content = base64.b64decode(told["payload"], validate=True)
        named = str(told["payloadType"])
        signatures = [base64.b64decode(one["sig"], validate=True) for one in told["signatures"]]
    except (StoreError, KeyError, TypeError, ValueError) as error:
        raise SignatureError("a statement is in no signed envelope", why=repr(error)) from error
    if named != content_type:
        raise SignatureError(f"a signed statement is {named}, not {content_type}")
    return content, signatures


def _encoded(content: bytes, content_type: str) -> bytes:
    """What is signed of an envelope (DSSE's "pre-authentication encoding")."""
    kind = content_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(content), content)


def _layers(remote: Remote, name: str, tag: str) -> tuple[oci.Descriptor, ...]:
    if remote.resolve(name, tag) is None:
        return ()
    parsed = oci.parse(remote.get_manifest(name, tag)[0], f"the signatures of {name}")
    return () if isinstance(parsed, oci.Index) else parsed.layers
