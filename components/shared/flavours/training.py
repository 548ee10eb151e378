"""What a library is asked to learn, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

BINARY = 2


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows to learn from, or to stop by."""

    matrix: np.ndarray
    """Rows x features, ``float64``: NaN where missing, codes of levels where categorical."""
    truth: np.ndarray
    """Class indices (``int64``) of a classification, else numbers."""
    weights: np.ndarray
    """How much each row counts."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """One training."""

    rows: Table
    categorical: tuple[bool, ...]
    """Whether each feature holds codes of levels."""
    classes: int | None
    """How many there are; ``None`` for a regression."""
    seed: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Under the library's own names."""
    validation: Table | None = None
    """Rows that are not learned from: training stops when it gets no better on them."""
    patience: int = 0
    """How many rounds it may get no better; only with ``validation``."""

    @property
    def categories(self) -> list[int]:
        """Positions of the categorical features."""
        return [position for position, each in enumerate(self.categorical) if each]


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What came of it."""

    estimator: Any
    rounds: int
    """Trees (of each class), or epochs, that the estimator was made of."""
