"""Who gets how much of an endpoint's requests, in whole percent."""

from __future__ import annotations


def shifted(before: dict[str, int], name: str, share: int) -> dict[str, int]:
    """Give ``name`` its share, and the others the rest in the proportions they had.

    What is left over by rounding goes to those who lost most by it; the first model gets all.
    """
    others = {each: part for each, part in before.items() if each != name and part}
    total = sum(others.values())
    if not total:
        return {name: 100}
    rest = 100 - share
    exact = {each: part * rest / total for each, part in others.items()}
    whole = {each: int(part) for each, part in exact.items()}
    by_loss = sorted(exact, key=lambda each: (whole[each] - exact[each], each))
    for each in by_loss[: rest - sum(whole.values())]:
        whole[each] += 1
    return {each: part for each, part in {**whole, name: share}.items() if part or each == name}
