"""TOML files that know where things stand: every complaint names file and line."""

from __future__ import annotations

import difflib
import re
import tomllib
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from eggcrate.errors import ConfigError
from eggcrate.parsing import toml_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


class Table:
    """One table of a TOML file, with typed access.

    Every accessor raises :class:`ConfigError` when the value is of another type, and returns
    the default when the key is absent.
    """

    def __init__(self, path: Path, text: str, data: dict[str, Any], name: str = "") -> None:
        self.path = path
        self.name = name
        self.data = data
        self._text = text

    @classmethod
    def read(cls, path: Path, *, missing: str = "") -> Table:
        """Read and parse a file; ``missing`` is the hint for one that is not there."""
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError as error:
            raise ConfigError(f"{path} does not exist", hint=missing) from error
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} cannot be read", why=str(error)) from error
        try:
            data = toml_of(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path} is not valid TOML", why=str(error)) from error
        return cls(path, text, data)

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def error(self, key: str, problem: str, *, hint: str = "") -> ConfigError:
        """A complaint about ``key`` that names the file, the line and the key."""
        dotted = f"{self.name}.{key}" if self.name else key
        return ConfigError(f"{self.path}:{self.line(key)}: {dotted} {problem}", hint=hint)

    def line(self, text: str) -> int:
        """The first line of this table that holds ``text`` as a key or a string; else 1."""
        lines = self._text.splitlines()
        start = 0
        if self.name:
            header = re.compile(rf"^\s*\[+\s*{re.escape(self.name)}\s*\]+")
            start = next((n for n, line in enumerate(lines) if header.match(line)), 0)
        for number, line in enumerate(lines[start:], start + 1):
            if text in line and _stands_alone(text, line):
                return number
        return start + 1

    def table(self, key: str) -> Table:
        """The table under ``key``; an empty one when it is absent."""
        value = self.data.get(key, {})
        if not isinstance(value, dict):
            raise self.error(key, "must be a table")
        return Table(self.path, self._text, value, f"{self.name}.{key}" if self.name else key)

    def string(self, key: str, default: str = "") -> str:
        """A string."""
        value = self.data.get(key, default)
        if not isinstance(value, str):
            raise self.error(key, f"must be a string, not {value!r}")
        return value

    def strings(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of strings."""
        value = self.data.get(key)
        if value is None:
            return default
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(key, "must be a list of strings", hint=f'write {key} = ["…"]')
        return tuple(value)

    def boolean(self, key: str, *, default: bool) -> bool:
        """``true`` or ``false``."""
        value = self.data.get(key, default)
        if not isinstance(value, bool):
            raise self.error(key, f"must be true or false, not {value!r}")
        return value

    def number(self, key: str) -> float | None:
        """A positive number."""
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise self.error(key, f"must be a positive number, not {value!r}")
        return float(value)

    def date(self, key: str) -> date | None:
        """A date without a time."""
        value = self.data.get(key)
        if value is not None and (not isinstance(value, date) or isinstance(value, datetime)):
            raise self.error(key, f"must be a date such as 2027-12-31, not {value!r}")
        return value

    def only(self, known: Collection[str]) -> None:
        """Refuse keys that nobody reads: a typo must not be silently ignored."""
        for key in self.data:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                raise self.error(
                    key,
                    "is not a setting Eggcrate knows",
                    hint=f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}",
                )


def _stands_alone(text: str, line: str) -> bool:
    """Whether ``text`` is in a line as a key or a string, not only as a part of one."""
    start = line.find(text)
    while start >= 0:
        before, after = line[start - 1 : start], line[start + len(text) :][:1]
        if before.strip(" \t\"'.") == "" and after.strip(" \t\"'.=]") == "":
            return True
        start = line.find(text, start + 1)
    return False
