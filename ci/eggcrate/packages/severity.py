"""How bad a vulnerability is: CVSS vectors into a score and a word.

Specification: https://www.first.org/cvss/, versions 2, 3 and 4.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from eggcrate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Severity(enum.IntEnum):
    """How bad it is; what is not known counts as the worst where a gate decides."""

    NONE = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4
    UNKNOWN = 5

    @property
    def word(self) -> str:
        """As it is written."""
        return self.name.lower()


_WORDS = {
    "low": Severity.LOW,
    "unimportant": Severity.LOW,
    "medium": Severity.MEDIUM,
    "moderate": Severity.MEDIUM,
    "high": Severity.HIGH,
    "critical": Severity.CRITICAL,
}
_LOWEST = (
    (9.0, Severity.CRITICAL),
    (7.0, Severity.HIGH),
    (4.0, Severity.MEDIUM),
    (0.1, Severity.LOW),
)


def severity_of(
    vectors: Sequence[tuple[str, str]], words: Iterable[str]
) -> tuple[Severity, float | None]:
    """The severity, and the CVSS score where there is one.

    Args:
        vectors: type (``CVSS_V3``) and vector; of several the worst counts.
        words: what a database says, for records without a vector.
    """
    scores = [score for kind, text in vectors if (score := _score(kind, text)) is not None]
    if scores:
        score = max(scores)
        found = next((one for least, one in _LOWEST if score >= least), Severity.NONE)
        return found, score
    known = [_WORDS[word.lower()] for word in words if word.lower() in _WORDS]
    return (max(known) if known else Severity.UNKNOWN), None


def _score(kind: str, vector: str) -> float | None:
    """The base score; nothing for a vector that cannot be read."""
    try:
        import cvss  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigError(
            "severities cannot be told",
            why=f"{error.name} is not installed",
            hint="run make setup, or install eggcrate[trust]",
        ) from error
    classes: dict[str, Any] = {"CVSS_V2": cvss.CVSS2, "CVSS_V3": cvss.CVSS3, "CVSS_V4": cvss.CVSS4}
    if kind not in classes:
        return None
    try:
        return float(classes[kind](vector).base_score)
    except (cvss.CVSSError, ValueError, TypeError, ArithmeticError, KeyError):
        return None
