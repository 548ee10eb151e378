"""Answers that need not be given again: the team's, and a person's own of last time.

A team writes what holds for everybody into ``[tool.eggcrate.new]`` of the root
``pyproject.toml``. What a person answered is remembered in the user's cache, for this checkout.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.files import atomic_write
from eggcrate.repo.document import Table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEYS = ("owner", "python")


@dataclass(frozen=True, kw_only=True)
class KnownAnswer:
    """An answer, and who gave it."""

    value: str
    origin: str
    """In words: ``as last time``."""
    where: str = ""
    """File and line, when the team wrote it."""


def read_answers(root: Path, cache: Path) -> dict[str, KnownAnswer]:
    """What is known, by key.

    Raises:
        ConfigError: what the team wrote is not valid; the message names file and line.
    """
    path = root / "pyproject.toml"
    table = Table.read(path).table("tool").table("eggcrate").table("new")
    table.only(KEYS)
    team = {key: table.string(key) for key in KEYS if key in table}
    own = {key: value for key, value in _remembered(root, cache).items() if key in KEYS}
    found = {key: KnownAnswer(value=value, origin="as last time") for key, value in own.items()}
    for key, value in team.items():
        where = f"{path.name}:{table.line(key)}"
        found[key] = KnownAnswer(value=value, origin=f"by {where}", where=where)
    return found


def remember(root: Path, cache: Path, answers: Mapping[str, str]) -> None:
    """Have answers for the next time; losing them costs a question."""
    kept = {key: value for key, value in answers.items() if key in KEYS and value}
    path = _path(root, cache)
    if kept and _remembered(root, cache) != kept:
        atomic_write(path, json.dumps({**_remembered(root, cache), **kept}), flush=False)


def _remembered(root: Path, cache: Path) -> dict[str, str]:
    try:
        document = json.loads(_path(root, cache).read_bytes())
        return {str(key): str(value) for key, value in document.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def _path(root: Path, cache: Path) -> Path:
    mark = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:16]
    return cache / "answers" / f"{mark}.json"
