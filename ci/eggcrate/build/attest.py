"""What is published beside an image: its bill of materials, its provenance, its signature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.build import cyclonedx, provenance
from eggcrate.build.bill import read_bill
from eggcrate.errors import EggcrateError, StoreError
from eggcrate.files import disk_error
from eggcrate.registry import cosign, oci
from eggcrate.registry.referrers import Artifact, attach, read_artifact, referrers
from eggcrate.registry.signing import parse_public

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.bill import Licences
    from eggcrate.build.provenance import Source
    from eggcrate.build.published import PublishResult
    from eggcrate.build.resolve import Resolved
    from eggcrate.build.workshop import Workshop
    from eggcrate.registry.remote import Remote
    from eggcrate.registry.signing import Signer

BILL = cyclonedx.MEDIA_TYPE
PROVENANCE = provenance.MEDIA_TYPE
_SIGNED = "dev.eggcrate.signed"
"""Marks a statement in a signed envelope."""


@dataclass(frozen=True, kw_only=True)
class Attested:
    """What is published beside an image now."""

    environment: str
    platform: str
    digest: str
    added: tuple[str, ...] = ()
    """Media types of what was not there before."""
    signed: bool = False
    error: EggcrateError | None = None


@dataclass(frozen=True, kw_only=True)
class Signatures:
    """Where signatures are kept: beside the image, or in a repository of their own."""

    images: Remote
    """Where images are published."""
    remote: Remote
    """Where signatures are."""
    name: str = ""
    """Of that repository; empty: the image's."""

    def of(self, image: str) -> str:
        """The repository for an image's signatures."""
        return self.name or image


@dataclass(frozen=True, kw_only=True)
class Notary:
    """What attesting needs beside the images."""

    signatures: Signatures
    workshop: Workshop
    licences: Licences
    root: Path
    source: Source
    builder: str
    """A URI that says who builds."""
    signer: Signer | None
    """Without a key nothing is signed."""

    @property
    def remote(self) -> Remote:
        """Where images are published."""
        return self.signatures.images


def attest(
    published: Sequence[PublishResult], resolved: Sequence[Resolved], notary: Notary
) -> list[Attested]:
    """Attach a bill of materials and provenance to published images, and sign them.

    What is there already is left alone; one failure stops no other. An image that another
    machine published first with another digest is not attested: it was not made here.
    """
    mine = {
        (item.environment.name, str(item.recipe.target.platform)): item for item in resolved
    }
    return [
        _attest_one(one, mine, notary)
        for one in published
        if one.report and one.report.digest == one.image.digest
    ]


def _attest_one(
    one: PublishResult, resolved: Mapping[tuple[str, str], Resolved], notary: Notary
) -> Attested:
    image = one.image
    notary.workshop.progress.status(f"attesting {image.environment}:{image.tag}")
    try:
        item = resolved[image.environment, image.platform]
        added = _attach(image.environment, image.digest, image.tag, item, notary)
        signed = _sign(image.environment, image.digest, notary)
    except (EggcrateError, OSError) as raised:
        error = raised if isinstance(raised, EggcrateError) else disk_error(raised)
        if error is None:
            raise
        return Attested(
            environment=image.environment, platform=image.platform, digest=image.digest, error=error
        )
    return Attested(
        environment=image.environment,
        platform=image.platform,
        digest=image.digest,
        added=added,
        signed=signed,
    )


def _attach(
    name: str, digest: str, tag: str, resolved: Resolved, notary: Notary
) -> tuple[str, ...]:
    """Attach what is missing; its media types."""
    remote, signer = notary.remote, notary.signer
    there = {
        (item.type, item.manifest.annotations.get(_SIGNED, ""))
        for item in referrers(remote, name, digest)
    }
    signed = "true" if signer else ""
    missing = [
        kind for kind, mark in ((BILL, ""), (PROVENANCE, signed)) if (kind, mark) not in there
    ]
    if not missing:
        return ()
    workshop = notary.workshop
    platform = str(resolved.recipe.target.platform)
    bill = read_bill(
        resolved,
        cache=workshop.cache,
        licences=notary.licences,
        progress=workshop.progress,
        built=workshop.built_bases.get((resolved.base.key, platform, workshop.complete)),
        tag=tag,
    )
    artifacts = []
    if BILL in missing:
        artifacts.append(Artifact(type=BILL, content=cyclonedx.encode(bill)))
    if PROVENANCE in missing:
        content = provenance.statement(
            bill, digest, resolved, notary.source, builder=notary.builder, root=notary.root
        )
        if signer:
            envelope = cosign.enveloped(content, PROVENANCE, signer)
            artifacts.append(
                Artifact(
                    type=PROVENANCE,
                    content=envelope,
                    media_type=cosign.ENVELOPE,
                    annotations={_SIGNED: signed},
                )
            )
        else:
            artifacts.append(Artifact(type=PROVENANCE, content=content))
    subject = remote.resolve(name, digest)
    if subject is None:
        raise StoreError(f"{remote.image(name, digest)} is not published")
    attach(remote, name, subject, artifacts)
    return tuple(missing)


def _sign(name: str, digest: str, notary: Notary) -> bool:
    """Whether the image is signed now."""
    signer, where = notary.signer, notary.signatures
    if signer is None:
        return False
    key = parse_public(signer.public_key(), "the signing key")
    repository = where.of(name)
    there = cosign.read_signatures(where.remote, repository, digest, notary.workshop.cache)
    if not cosign.is_signed(there, digest, [key]):
        payload = cosign.payload_of(digest, notary.remote.image(name))
        signed = cosign.Signed(payload=payload, signature=signer.sign(payload))
        cosign.put_signature(where.remote, repository, signed, digest)
    return True


def read_attached(remote: Remote, name: str, digest: str, kind: str, cache: Path) -> list[bytes]:
    """The contents of all artifacts of a media type that are attached to an image.

    Raises:
        RegistryError: the registry does not tell.
    """
    return [
        read_artifact(remote, name, item, cache)
        for item in referrers(remote, name, digest)
        if item.type == kind
    ]
