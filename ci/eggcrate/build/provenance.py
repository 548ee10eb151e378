"""How an image was made, as an in-toto statement with SLSA's provenance.

Specifications: https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md,
https://slsa.dev/spec/v1.0/provenance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from eggcrate import __version__
from eggcrate.build.bill import PartKind
from eggcrate.build.recipe import RECIPE_VERSION, canonical
from eggcrate.errors import SignatureError, StoreError
from eggcrate.files import sha256_file
from eggcrate.registry import oci

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.build.bill import Bill, Part
    from eggcrate.build.resolve import Resolved
    from eggcrate.repo.git import Git

MEDIA_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD = "urn:eggcrate:build:v1"
_LOCKS = ("pyproject.toml", "poetry.lock", "base.toml", "base.lock", "Dockerfile")


@dataclass(frozen=True, kw_only=True)
class Source:
    """The working tree that something was built from."""

    revision: str
    """Commit; empty where there is no git."""
    clean: bool
    """Whether environments and bases are as that commit has them."""
    repository: str = ""
    """Address of the repository, without a log-in."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What a statement says, as far as it is checked."""

    digest: str
    environment: str
    platform: str
    key: str
    recipe_version: int
    revision: str
    clean: bool
    builder: str


def read_source(git: Git) -> Source:
    """What git says of the working tree."""
    revision = git.resolve("HEAD")
    if not revision:
        return Source(revision="", clean=False)
    changed = git.changed(revision)
    ours = ("environments/", "bases/")
    clean = changed is not None and not any(path.startswith(ours) for path in changed)
    return Source(
        revision=revision,
        clean=clean,
        repository=_without_login(git.setting("remote.origin.url")),
    )


def statement(
    bill: Bill, digest: str, resolved: Resolved, source: Source, *, builder: str, root: Path
) -> bytes:
    """The statement about an image.

    Args:
        bill: what is in it.
        digest: of its manifest.
        resolved: what it was built from.
        source: the working tree.
        builder: a URI that says who built it.
        root: the checkout.
    """
    return canonical(
        {
            "_type": STATEMENT,
            "subject": [
                {
                    "name": bill.environment,
                    "digest": {"sha256": oci.check_digest(digest).removeprefix("sha256:")},
                }
            ],
            "predicateType": PREDICATE,
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD,
                    "externalParameters": {
                        "environment": bill.environment,
                        "platform": bill.platform,
                        "source": {"revision": source.revision, "clean": source.clean},
                    },
                    "internalParameters": {
                        "base": resolved.base.name,
                        "key": bill.key,
                        "recipeVersion": RECIPE_VERSION,
                    },
                    "resolvedDependencies": _dependencies(bill, resolved, source, root),
                },
                "runDetails": {
                    "builder": {"id": builder, "version": {"eggcrate": __version__}},
                },
            },
        }
    )


def read_statement(content: bytes) -> Provenance:
    """Read a statement of ours.

    Raises:
        SignatureError: it is none.
    """
    try:
        told: dict[str, Any] = oci.parse_object(content, "a statement of provenance")
        [subject] = told["subject"]
        predicate = told["predicate"]
        definition = predicate["buildDefinition"]
        outer, inner = definition["externalParameters"], definition["internalParameters"]
        kinds = (told["_type"], told["predicateType"], definition["buildType"])
        found = Provenance(
            digest=oci.check_digest(f"sha256:{subject['digest']['sha256']}"),
            environment=str(outer["environment"]),
            platform=str(outer["platform"]),
            key=str(inner["key"]),
            recipe_version=int(inner["recipeVersion"]),
            revision=str(outer["source"]["revision"]),
            clean=outer["source"]["clean"] is True,
            builder=str(predicate["runDetails"]["builder"]["id"]),
        )
    except (StoreError, KeyError, TypeError, ValueError) as error:
        raise SignatureError("a statement of provenance cannot be read", why=repr(error)) from error
    if kinds != (STATEMENT, PREDICATE, BUILD):
        raise SignatureError("a statement is not one of an image's provenance", why=str(kinds))
    return found


def _dependencies(bill: Bill, resolved: Resolved, source: Source, root: Path) -> list[Any]:
    found: list[Any] = []
    if source.revision:
        uri = {"uri": f"git+{source.repository}"} if source.repository else {"name": "source"}
        found.append({**uri, "digest": {"gitCommit": source.revision}})
    folders = [resolved.environment.path, *(link.base.path for link in resolved.base.chain)]
    for folder in folders:
        found += [
            {
                "name": path.relative_to(root).as_posix(),
                "digest": {"sha256": sha256_file(path)},
            }
            for path in (folder / name for name in _LOCKS)
            if path.is_file()
        ]
    return found + [_material(part) for part in bill.parts]


def _material(part: Part) -> dict[str, Any]:
    uri = {
        PartKind.PYTHON: f"pkg:pypi/{part.name}@{part.version}",
        PartKind.DEBIAN: f"pkg:deb/debian/{part.name}@{part.version}?arch={part.architecture}",
        PartKind.IMAGE: f"oci://{part.name}@{part.version}",
    }[part.kind]
    return {"uri": uri, "digest": {"sha256": part.sha256}}


def _without_login(address: str) -> str:
    parts = urlsplit(address)
    if not parts.scheme:
        return address
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host))
