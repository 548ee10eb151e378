"""A bill of materials as CycloneDX 1.6 JSON (https://cyclonedx.org/docs/1.6/json/).

The same bill gives the same bytes: the serial number is made from the image's key, the time is
that of everything in an image, and names are sorted.
"""

from __future__ import annotations

from eggcrate.parsing import json_of
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from eggcrate.build.bill import Bill, Part, PartKind
from eggcrate.build.image import CREATED
from eggcrate.build.recipe import RECIPE_VERSION, canonical, tag_of
from eggcrate.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

MEDIA_TYPE = "application/vnd.cyclonedx+json"
_NAMESPACE = uuid.UUID("6a2f41a3-c54c-5be8-8b0e-2f4c2b4f7d55")
"""Under which serial numbers are made from keys; any constant would do."""
_KEY = "dev.eggcrate:key"
_PLATFORM = "dev.eggcrate:platform"
_PYTHON = "dev.eggcrate:python"
_WHOLE = "dev.eggcrate:whole"
_RECIPE = "dev.eggcrate:recipe-version"
_FILE = "dev.eggcrate:filename"
_SOURCE = "dev.eggcrate:debian-source"


def encode(bill: Bill) -> bytes:
    """The bill as the only bytes that mean it.

    Raises:
        ConfigError: the library that writes it is not installed.
    """
    try:
        from cyclonedx.output import make_outputter  # noqa: PLC0415 - an extra, and slow
        from cyclonedx.schema import OutputFormat, SchemaVersion  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        raise ConfigError(
            "a bill of materials cannot be written",
            why=f"{error.name} is not installed",
            hint="run make setup, or install eggcrate[trust]",
        ) from error
    written = make_outputter(_bom(bill), OutputFormat.JSON, SchemaVersion.V1_6).output_as_string()
    document: dict[str, Any] = json_of(written)
    document["components"].sort(key=lambda item: item["bom-ref"])
    return canonical(document) + b"\n"


def decode(content: bytes) -> Bill:
    """Read a bill of materials that :func:`encode` wrote.

    Raises:
        StoreError: it is none.
    """
    try:
        told: dict[str, Any] = json_of(content)
        image = told["metadata"]["component"]
        about = {item["name"]: item["value"] for item in image["properties"]}
        return Bill(
            environment=str(image["name"]),
            key=str(about[_KEY]),
            platform=str(about[_PLATFORM]),
            python=str(about[_PYTHON]),
            description=str(image.get("description", "")),
            whole=about[_WHOLE] == "true",
            parts=tuple(_part(item) for item in told["components"]),
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise StoreError("a bill of materials cannot be read", why=repr(error)) from error


def _part(item: Mapping[str, Any]) -> Part:
    from packageurl import PackageURL  # noqa: PLC0415 - an extra

    purl = PackageURL.from_string(item["purl"])
    about = {one["name"]: one["value"] for one in item.get("properties", ())}
    qualifiers = dict(purl.qualifiers)
    source, _, source_version = about.get(_SOURCE, "").partition(" ")
    kinds = {"pypi": PartKind.PYTHON, "deb": PartKind.DEBIAN, "oci": PartKind.IMAGE}
    return Part(
        kind=kinds[purl.type],
        name=str(item["name"]),
        version=str(item["version"]),
        sha256=str(item["hashes"][0]["content"]),
        filename=about.get(_FILE, ""),
        architecture=qualifiers.get("arch", ""),
        suite=qualifiers.get("distro", "").removeprefix("debian-"),
        source=source,
        source_version=source_version,
    )


def _bom(bill: Bill) -> Bom:
    from cyclonedx.model import Property  # noqa: PLC0415 - an extra, and slow
    from cyclonedx.model.bom import Bom, BomMetaData  # noqa: PLC0415 - as above
    from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415 - as above
    from cyclonedx.model.tool import ToolRepository  # noqa: PLC0415 - as above

    image = Component(
        type=ComponentType.CONTAINER,
        name=bill.environment,
        version=tag_of(bill.key),
        description=bill.description or None,
        bom_ref=f"image:{bill.environment}:{bill.platform}",
        properties=[
            Property(name=_KEY, value=bill.key),
            Property(name=_RECIPE, value=str(RECIPE_VERSION)),
            Property(name=_WHOLE, value=str(bill.whole).lower()),
            Property(name=_PLATFORM, value=bill.platform),
            Property(name=_PYTHON, value=bill.python),
        ],
    )
    bom = Bom(
        serial_number=uuid.uuid5(_NAMESPACE, bill.key),
        metadata=BomMetaData(
            component=image,
            timestamp=datetime.fromisoformat(CREATED),
            tools=ToolRepository(
                components=[Component(type=ComponentType.APPLICATION, name="eggcrate")]
            ),
        ),
        components=[_component(part) for part in bill.parts],
    )
    bom.register_dependency(image, list(bom.components))
    return bom


def _component(part: Part) -> Component:
    from cyclonedx.contrib.license.factories import LicenseFactory  # noqa: PLC0415 - an extra, and slow
    from cyclonedx.model import (  # noqa: PLC0415 - as above
        ExternalReference,
        ExternalReferenceType,
        HashAlgorithm,
        HashType,
        Property,
        XsUri,
    )
    from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415 - as above
    from cyclonedx.spdx import is_supported_id  # noqa: PLC0415 - as above

    purl = _purl(part)
    make = LicenseFactory()
    one_by_one = part.kind is PartKind.DEBIAN  # of several none may be an expression
    licences = [
        make.make_with_name(text)
        if one_by_one and not is_supported_id(text)
        else make.make_from_string(text)
        for text in part.licences
    ]
    told = {_FILE: part.filename}
    if part.source:
        told[_SOURCE] = f"{part.source} {part.source_version}"
    return Component(
        type=ComponentType.CONTAINER if part.kind is PartKind.IMAGE else ComponentType.LIBRARY,
        name=part.name,
        version=part.version,
        bom_ref=purl.to_string(),
        purl=purl,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=part.sha256)],
        licenses=licences,
        properties=[Property(name=name, value=text) for name, text in told.items() if text],
        external_references=[
            ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(part.url))
        ]
        if part.url
        else [],
    )


def _purl(part: Part) -> PackageURL:
    """https://github.com/package-url/purl-spec/blob/main/PURL-TYPES.rst."""
    from packageurl import PackageURL  # noqa: PLC0415 - an extra

    if part.kind is PartKind.PYTHON:
        return PackageURL(type="pypi", name=part.name, version=part.version)
    if part.kind is PartKind.IMAGE:
        host, _, name = part.name.rpartition("/")
        qualifiers = {"repository_url": f"{host}/{name}"}
        return PackageURL(type="oci", name=name, version=part.version, qualifiers=qualifiers)
    qualifiers = {"arch": part.architecture, "distro": f"debian-{part.release}"}
    return PackageURL(
        type="deb",
        namespace="debian",
        name=part.name,
        version=part.version,
        qualifiers=qualifiers,
    )
