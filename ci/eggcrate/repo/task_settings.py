"""``[tool.eggcrate.task]`` of a component: what its tasks in pipelines ask their backend for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eggcrate.repo.values import TaskSettings

if TYPE_CHECKING:
    from eggcrate.repo.document import Table

_KEYS = ("cpu", "memory", "accelerator", "accelerators", "retries", "timeout", "cache")
_CPU = re.compile(r"[0-9]+(\.[0-9]+)?|[0-9]+m")
_MEMORY = re.compile(r"[0-9]+(\.[0-9]+)?(E|Ei|P|Pi|T|Ti|G|Gi|M|Mi|K|Ki)?")
_MOST_RETRIES = 10
_ACCELERATORS = (1, 2, 4, 8, 16)


def read_task_settings(ours: Table) -> TaskSettings:
    """Read the table.

    Args:
        ours: ``[tool.eggcrate]``.

    Raises:
        ConfigError: a value is not one that backends take; the message names file and line.
    """
    table = ours.table("task")
    table.only(_KEYS)
    accelerator = table.string("accelerator")
    if "accelerators" in table and not accelerator:
        raise table.error("accelerators", "needs accelerator, the kind that is counted")
    return TaskSettings(
        cpu=_quantity(table, "cpu", _CPU, "processors such as 2 or 500m"),
        memory=_quantity(table, "memory", _MEMORY, "a size such as 4Gi or 512Mi"),
        accelerator=accelerator,
        accelerators=_one_of(table, "accelerators", 1, _ACCELERATORS),
        retries=_one_of(table, "retries", 0, range(_MOST_RETRIES + 1)),
        timeout=table.number("timeout"),
        cache=table.boolean("cache", default=True),
    )


def _quantity(table: Table, key: str, pattern: re.Pattern[str], words: str) -> str:
    value = table.data.get(key, "")
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if not isinstance(text, str) or (text and not pattern.fullmatch(text)):
        raise table.error(key, f"is {value!r}; KFP takes {words}")
    return text


def _one_of(table: Table, key: str, default: int, choices: range | tuple[int, ...]) -> int:
    value = table.data.get(key, default)
    if type(value) is not int or value not in choices:
        told = ", ".join(map(str, choices)) if len(choices) < _MOST_RETRIES else "0 to 10"
        raise table.error(key, f"must be one of {told}, not {value!r}")
    return value
