"""The ways to split a table, each a function of the rows and a seed alone."""

from __future__ import annotations

import hashlib
import random

import pandas as pd

WAYS = ("random", "stratified", "group", "time")
_RANGE = 2.0**64


def assign(
    frame: pd.DataFrame, *, way: str, by: str, key: str, shares: tuple[float, float], seed: int
) -> pd.Series:
    """Say of each row whether it is ``train``, ``validation`` or ``test``.

    Args:
        frame: the rows; ``by`` and ``key`` have a value in each.
        way: one of :data:`WAYS`.
        by: the column that the way goes by.
        key: a column that names rows, or empty.
        shares: of the test and of the validation.
        seed: of the draw.
    """
    if way == "time":
        return _by_time(frame[by], shares)
    if way == "group":
        sizes = frame.groupby(by).size()
        draws = pd.Series({value: draw(seed, value) for value in sizes.index})
        order = draws.sort_values(kind="stable").index
        before = sizes[order].cumsum() - sizes[order] / 2  # where a group's middle is
        return frame[by].map(_cut(before / len(frame), shares))
    draws = _draws(frame, key, seed)
    if way == "random" and key:
        return _cut(draws, shares)
    strata = frame[by].to_numpy() if way == "stratified" else pd.Series(0, index=frame.index)
    groups = draws.groupby(strata)
    ranks, sizes = groups.rank(method="first"), groups.transform("size")
    test = (sizes * shares[0]).round()
    validation = (sizes * shares[1]).round()
    parts = pd.Series("train", index=frame.index)
    parts[ranks <= test + validation] = "validation"
    parts[ranks <= test] = "test"
    return parts


def draw(seed: int, value: object) -> float:
    """A number in [0, 1) that depends on the seed and the value alone."""
    text = f"{seed}\0{value}".encode()
    digest = hashlib.blake2b(text, digest_size=8).digest()
    return int.from_bytes(digest) / _RANGE


def _draws(frame: pd.DataFrame, key: str, seed: int) -> pd.Series:
    if key:
        return frame[key].map(lambda value: draw(seed, value))
    # The one generator whose numbers Python guarantees to repeat.
    generator = random.Random(seed)  # noqa: S311 - a split is no secret
    return pd.Series([generator.random() for _ in range(len(frame))], index=frame.index)


def _cut(positions: pd.Series, shares: tuple[float, float]) -> pd.Series:
    test, validation = shares
    parts = pd.Series("train", index=positions.index)
    parts[positions < test + validation] = "validation"
    parts[positions < test] = "test"
    return parts


def _by_time(moments: pd.Series, shares: tuple[float, float]) -> pd.Series:
    """The latest rows for the test; a row goes where the first of its moment goes."""
    test, validation = shares
    first = moments.rank(method="min") - 1  # rows that are earlier
    parts = pd.Series("train", index=moments.index)
    size = len(moments)
    parts[first >= round(size * (1 - test - validation))] = "validation"
    parts[first >= round(size * (1 - test))] = "test"
    return parts
