"""Work for several machines, so that they take about as long: the longest first.

R. L. Graham, "Bounds on multiprocessing timing anomalies", SIAM J. Appl. Math. 17 (1969): the
longest part is at most a third longer than the best division's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

_Item = TypeVar("_Item", bound=Any)


def balanced(weights: Mapping[_Item, int], count: int) -> list[list[_Item]]:
    """Give each to the part that has least so far, the heaviest first.

    Args:
        weights: what to divide, each with what it weighs; of the same weight the smaller first,
            so that the order of the mapping does not matter.
        count: how many parts.
    """
    parts: list[list[_Item]] = [[] for _ in range(count)]
    loads = [0] * count
    for item in sorted(weights, key=lambda item: (-weights[item], item)):
        least = loads.index(min(loads))
        parts[least].append(item)
        loads[least] += weights[item]
    return parts
