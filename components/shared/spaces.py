"""Spaces of parameters as plain values, which a pipeline's configuration can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.shared.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

_BOUNDS = ("low", "high", "log")


def check_space(space: Mapping[str, Any], fixed: Mapping[str, Any]) -> None:
    """Refuse a space that nothing can be chosen from.

    Raises:
        ModelError: it is empty, or a parameter is not written as one, or is fixed as well.
    """
    if not space:
        raise ModelError("the space names no parameter; there is nothing to tune")
    for name, each in space.items():
        if name in fixed:
            raise ModelError(f"the parameter {name} is in the space and has a value as well")
        if not isinstance(each, dict) or not (_is_choice(each) or _is_range(each)):
            raise ModelError(
                f"the space of {name} is {each!r}; write {{low, high}}, with log when both are "
                "above 0, or {choices: [...]}"
            )


def suggest(trial: Any, space: Mapping[str, Any]) -> dict[str, Any]:
    """Have a trial of Optuna choose from a space."""
    found = {}
    for name, each in space.items():
        if "choices" in each:
            found[name] = trial.suggest_categorical(name, each["choices"])
            continue
        low, high, log = each["low"], each["high"], each.get("log", False)
        # KFP hands whole numbers on as fractions, 2 as 2.0.
        if float(low).is_integer() and float(high).is_integer() and not log:
            found[name] = trial.suggest_int(name, int(low), int(high))
        else:
            found[name] = trial.suggest_float(name, low, high, log=log)
    return found


def _is_choice(each: dict[str, Any]) -> bool:
    choices = each.get("choices")
    return set(each) == {"choices"} and isinstance(choices, list) and len(choices) > 0


def _is_range(each: dict[str, Any]) -> bool:
    if not {"low", "high"} <= set(each) <= set(_BOUNDS):
        return False
    low, high, log = each["low"], each["high"], each.get("log", False)
    if not isinstance(log, bool) or any(
        isinstance(bound, bool) or not isinstance(bound, int | float) for bound in (low, high)
    ):
        return False
    return low < high and (low > 0 or not log)
