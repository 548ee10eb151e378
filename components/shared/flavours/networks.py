"""What the neural networks share: how a row becomes their input, and what may be asked of them.

Trees take numbers of any size, missing values and codes as they are; a network takes numbers
around zero. The way from one to the other is learned with the model and is a part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.shared.flavours.training import Training


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """From the matrix of features to a network's input, and from its output to the target."""

    numbers: tuple[int, ...]
    """Positions of the numeric features: taken less their mean, by their deviation; a missing
    value is the mean."""
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    categories: tuple[int, ...]
    """Positions of the categorical features: one input a level; a missing value is none."""
    levels: tuple[int, ...]
    """How many levels each has."""
    target_mean: float = 0.0
    target_deviation: float = 1.0

    @classmethod
    def learn(cls, training: Training) -> Encoding:
        """Look at the rows that are learned from."""
        matrix = training.rows.matrix
        categories = training.categories
        numbers = [each for each in range(matrix.shape[1]) if each not in categories]
        columns = [matrix[:, each][~np.isnan(matrix[:, each])] for each in numbers]
        truth = training.rows.truth
        regression = training.classes is None
        return cls(
            numbers=tuple(numbers),
            means=tuple(float(each.mean()) if len(each) else 0.0 for each in columns),
            deviations=tuple(_deviation(each) for each in columns),
            categories=tuple(categories),
            levels=tuple(int(np.nanmax(matrix[:, each])) + 1 for each in categories),
            target_mean=float(truth.mean()) if regression else 0.0,
            target_deviation=_deviation(truth) if regression else 1.0,
        )

    def encode(self, matrix: np.ndarray) -> np.ndarray:
        """Make a network's input, ``float32``."""
        numbers = matrix[:, list(self.numbers)]
        means = np.array(self.means)
        parts = [(np.where(np.isnan(numbers), means, numbers) - means) / np.array(self.deviations)]
        for position, levels in zip(self.categories, self.levels, strict=True):
            parts.append(matrix[:, position, None] == np.arange(levels))
        return np.concatenate(parts, axis=1).astype("float32")

    def target(self, truth: np.ndarray) -> np.ndarray:
        """Make what a network learns of a regression's target."""
        return ((truth - self.target_mean) / self.target_deviation).astype("float32")


@dataclass(frozen=True, kw_only=True)
class Design:
    """What may be asked of a network, under names of our own: it is ours, not the library's."""

    hidden_units: tuple[int, ...] = (32, 16)
    epochs: int = 100
    batch_size: int = 32
    learning_rate: float = 0.01

    @classmethod
    def parse(cls, parameters: Mapping[str, Any]) -> Design:
        """Read parameters.

        Raises:
            ValueError: one has no meaning.
        """
        known = {"hidden_units", "epochs", "batch_size", "learning_rate"}
        if unknown := sorted(set(parameters) - known):
            names = ", ".join(sorted(known))
            raise ValueError(f"there is no parameter {unknown[0]}; a network has: {names}")
        given = {name: _number(name, value) for name, value in parameters.items()}
        found = cls(**given)
        if not all((found.epochs > 0, found.batch_size > 0, found.learning_rate > 0)):
            raise ValueError("epochs, batch_size and learning_rate must be above 0")
        return found


def _number(name: str, value: Any) -> Any:
    if name == "hidden_units":
        units = tuple(int(each) for each in value)
        if any(each < 1 for each in units):
            raise ValueError("hidden_units must be a list of whole numbers above 0")
        return units
    return float(value) if name == "learning_rate" else int(value)


def _deviation(values: np.ndarray) -> float:
    return float(values.std()) or 1.0 if len(values) else 1.0
