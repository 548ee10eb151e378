"""Rows chosen at random, the same ones in every environment."""

from __future__ import annotations

import random

import pandas as pd


def choose(target: pd.Series, share: float, *, stratify: bool, seed: int) -> pd.Series:
    """Mark a share of the rows of a table.

    ``random.Random.random`` is the one generator whose numbers Python guarantees to repeat.

    Args:
        target: One value a row.
        share: Of the rows, between 0 and 1.
        stratify: Whether to take this share of every value of the target.
        seed: Of the random choice.
    """
    generator = random.Random(seed)  # noqa: S311 - a split is no secret
    draws = pd.Series([generator.random() for _ in range(len(target))], index=target.index)
    groups = target if stratify else pd.Series(0, index=target.index)
    ranks = draws.groupby(groups.to_numpy()).rank(method="first")
    sizes = draws.groupby(groups.to_numpy()).transform("size")
    return ranks <= (sizes * share).round()
