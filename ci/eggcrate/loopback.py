"""What this machine calls itself: the one place that may be spoken to without TLS."""

from __future__ import annotations

_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})


def is_loopback(host: str) -> bool:
    """Whether a host, with or without a port, is this machine."""
    return host in _NAMES or host.rpartition(":")[0] in _NAMES
