"""``[schedule]`` and ``[upload]`` of a pipeline's ``config.toml``, overridden by flags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.errors import UsageError
from eggcrate.pipelines.submit.vertex_schedules import Timing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from eggcrate.repo.document import Table

_TEXTS = ("cron", "time-zone", "start", "end", "name")
_NUMBERS = ("max-concurrent", "max-runs")


def timing_of(tables: Iterable[Table], flags: Mapping[str, Any]) -> tuple[Timing, str]:
    """When runs are started, and what the schedule is called; empty where nothing says.

    Args:
        tables: ``[schedule]``, what is more special last.
        flags: by name; ``None`` where one is not given.

    Raises:
        ConfigError: with file and line.
        UsageError: a flag cannot be meant, or there is no cron.
    """
    found: dict[str, Any] = {}
    for table in tables:
        table.only((*_TEXTS, *_NUMBERS))
        found |= {key.replace("-", "_"): table.string(key) for key in _TEXTS if key in table}
        for key in _NUMBERS:
            if key in table:
                found[key.replace("-", "_")] = _number(table, key)
    known = {key.replace("-", "_") for key in (*_TEXTS, *_NUMBERS)}
    found |= {key: value for key, value in flags.items() if key in known and value is not None}
    name = str(found.pop("name", ""))
    if "cron" not in found:
        raise UsageError(
            "nothing says when runs are to be started",
            hint='--cron "0 6 * * 1", or cron under [schedule] in the pipeline\'s config.toml',
        )
    return Timing(**found), name


def place_of(tables: Iterable[Table]) -> tuple[str, tuple[str, ...]]:
    """Where a compiled pipeline is put, with its tags; empty where nothing says.

    Raises:
        ConfigError: with file and line.
    """
    to = ""
    tags: tuple[str, ...] = ()
    for table in tables:
        table.only(("to", "tags"))
        to = table.string("to") if "to" in table else to
        tags = tuple(table.strings("tags")) if "tags" in table else tags
    return to, tags


def _number(table: Table, key: str) -> int:
    value = table.data[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise table.error(key, f"must be a whole number, not {value!r}")
    return value
