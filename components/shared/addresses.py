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


def filesystem(address: str) -> tuple[Any, str]:
    """Give the file system of an address, and the path there.

    Raises:
        DataError: there is none for it.
    """
    protocol = address.partition("://")[0] if "://" in address else "file"
    if protocol not in PROTOCOLS:
        raise DataError(f"{address}: there is no way to {protocol}://; use gs:// or a path")
    options = {"token": "anon"} if protocol in ("gs", "gcs") and os.environ.get(EMULATOR) else {}
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
