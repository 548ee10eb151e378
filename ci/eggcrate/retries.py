"""Patience with servers: what is tried again, how often, and how long it is waited."""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Callable  # noqa: TC003 - a dataclass field's type
from dataclasses import dataclass

TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 527})
"""HTTP statuses that another attempt may not meet."""
_LONGEST_RETRY_AFTER = 60.0


@dataclass(frozen=True, kw_only=True)
class Retries:
    """How often and how patiently a request is tried again: exponential, with jitter."""

    attempts: int = 6
    first: float = 0.5
    """Seconds before the second attempt, doubled each time."""
    ceiling: float = 20.0
    sleep: Callable[[float], None] = time.sleep

    def delay(self, attempt: int, retry_after: float | None) -> float:
        """Seconds to wait after attempt number ``attempt`` (from 0) failed."""
        if retry_after is not None:
            return min(retry_after, _LONGEST_RETRY_AFTER)
        longest: float = min(self.ceiling, self.first * 2.0**attempt)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load


class TransientError(Exception):
    """A failure that another attempt may not have.

    Args:
        reason: what to tell the user when no attempt succeeds.
        retry_after: seconds the server asks to wait.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


def retry_after(text: str) -> float | None:
    """Seconds, from RFC 9110's number or date."""
    if text.strip().isdigit():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())
