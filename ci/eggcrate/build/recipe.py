"""The recipe: everything an image is made from, as one value. Its hash is the image's key.

Semantic and normalised: comments, ordering, the generator's version and Poetry's
``content-hash`` do not count; a package's name, version and the hash of its one file do.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.target import Target

RECIPE_VERSION = 5
"""Raised whenever the same recipe would give another image."""

PREFIX = "/opt/env"
"""Where an image's virtual environment is."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What an image of an environment is made from, for one platform."""

    environment: str
    target: Target
    base: str
    """Name of the base."""
    base_key: str
    """Hash of what the base's lock says; see :mod:`eggcrate.packages.debian.lock`."""
    interpreter: str
    """Absolute path of the base's Python, such as ``/usr/bin/python3.11``."""
    distributions: tuple[Distribution, ...]
    compile: bool
    allow_overlap: tuple[str, ...]
    system_key: str = ""
    """Hash of the lock of the environment's own system packages; empty when it has none."""
    sdist_key: str = ""
    """Hash of what its sdists are built with; empty when all its packages are wheels."""
    dockerfile_key: str = ""
    """Hash of its ``Dockerfile`` and all that is built with; empty when it has none."""
    base_digest: str = ""
    """Digest of the registry image that the base is; empty for one of Debian packages."""
    description: str = ""
    """What the environment is for, in one line."""
    owner: str = ""
    """Who answers for it."""
    supported_until: str = ""
    """The day by which its users should have moved on, such as ``2028-12-31``."""
    user: str = ""
    """Who it runs as: ``nonroot``; empty for root."""

    def document(self) -> dict[str, Any]:
        """The recipe as it is hashed."""
        # An image says these of itself, so that they are part of what it is.
        optional = {
            "sdists": self.sdist_key,
            "dockerfile": self.dockerfile_key,
            "base-digest": self.base_digest,
            "description": self.description,
            "owner": self.owner,
            "supported-until": self.supported_until,
            "user": self.user,
        }
        return {
            **{name: value for name, value in optional.items() if value},
            "recipe": RECIPE_VERSION,
            "environment": self.environment,
            "platform": str(self.target.platform),
            "python": self.target.python,
            "base": [self.base, self.base_key],
            "system": self.system_key,
            "interpreter": self.interpreter,
            "compile": self.compile,
            "allow-overlap": list(self.allow_overlap),
            "packages": [
                [item.name, item.version, item.sha256] for item in sorted(self.distributions)
            ],
        }

    @property
    def key(self) -> str:
        """SHA-256 of the recipe, in hexadecimal; the first 32 digits name the image's tag."""
        return hashlib.sha256(canonical(self.document())).hexdigest()

    @property
    def tag(self) -> str:
        """The immutable tag of the image."""
        return tag_of(self.key)


def tag_of(key: str) -> str:
    """The immutable tag of the image with this key."""
    return f"key-{key[:32]}"


def canonical(document: Any) -> bytes:
    """A JSON value as the only bytes that mean it here: sorted keys, no spaces, UTF-8."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()
