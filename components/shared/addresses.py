"""Files by their address: a bucket of Cloud Storage or a folder, through fsspec.

On loopback (``STORAGE_EMULATOR_HOST``, the official clients' variable) a bucket is asked without
credentials.
"""

from __future__ import annotations

import os
from typing import Any

import fsspec

from components.shared.errors import DataError

PROTOCOLS = ("file", "gs", "gcs", "memory")
CHUNK = 1 << 20
EMULATOR = "STORAGE_EMULATOR_HOST"

# Its support of buckets with hierarchical namespaces, which it calls experimental, first asks
# another API about every bucket; none of it is needed to read and write whole files.
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")


def filesystem(address: str) -> tuple[Any, str]:
    """Give the file system of an address, and the path there.

    Raises:
        DataError: there is none for it.
    """
    protocol = address.partition("://")[0] if "://" in address else "file"
    if protocol not in PROTOCOLS:
        raise DataError(f"{address}: there is no way to {protocol}://; use gs:// or a path")
    options: dict[str, Any] = {}
    if protocol in ("gs", "gcs"):
        # Listings are read anew: what other steps have written since must be seen.
        options = {"use_listings_cache": False, "skip_instance_cache": True}
        if emulator := os.environ.get(EMULATOR):
            options |= {"token": "anon", "endpoint_url": emulator}
    try:
        found, path = fsspec.core.url_to_fs(address, **options)
    except ImportError as cause:
        raise DataError(f"{address} needs gcsfs, which this environment does not have") from cause
    except ValueError as cause:
        raise DataError(f"{address} is no address: {cause}") from cause
    return found, path


def is_pattern(address: str) -> bool:
    """Whether an address has a wildcard."""
    return any(mark in address for mark in "*?[")


def reason(error: Exception) -> str:
    """What a file system says of a failure, in a line."""
    return " ".join(str(error).split())[:300] or type(error).__name__
