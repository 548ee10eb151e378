"""Tasks that went well, by all that they depend on: what they gave is given again."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eggcrate.files import atomic_directory, atomic_write, remove_tree, sealed, unsealed
from eggcrate.pipelines.local.content import link_tree, tree_digest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FOLDER = ".eggcrate/tasks"
"""Below the repository; can be deleted at any time."""
_ENTRY = "entry.json"
_OUTPUTS = "outputs"


@dataclass(frozen=True, kw_only=True)
class TaskMemory:
    """Remembers tasks of a checkout, for all runs of all its pipelines.

    Args:
        folder: where; nothing is there at first.
    """

    folder: Path

    def recall(self, key: str, target: Path) -> str | None:
        """Give what a task gave before.

        Args:
            key: see :func:`key_of`.
            target: a folder that is to hold what the task wrote.

        Returns:
            The run that it was run in; ``None`` when there is none, or what is kept of it is not
            what it was.
        """
        entry = self.folder / key
        try:
            told = unsealed((entry / _ENTRY).read_bytes())
            run = str(told["run"])
            whole = told["key"] == key and tree_digest(entry / _OUTPUTS) == told["outputs"]
            os.utime(entry)  # by which eggcrate.pipelines.local.pruning tells what is used
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            whole = False
        if not whole:
            remove_tree(entry)
            return None
        remove_tree(target)
        try:
            link_tree(entry / _OUTPUTS, target)
        except FileNotFoundError:  # somebody deleted it meanwhile, as anybody may
            remove_tree(target)
            return None
        return run

    def remember(self, key: str, run: str, outputs: Path) -> None:
        """Keep what a task wrote that went well; whole or not at all."""
        if (self.folder / key).exists():
            return
        with atomic_directory(self.folder / key) as scratch:
            link_tree(outputs, scratch / _OUTPUTS)
            told = {"key": key, "run": run, "outputs": tree_digest(scratch / _OUTPUTS)}
            atomic_write(scratch / _ENTRY, sealed(told))
            scratch.chmod(0o755)


def key_of(told: Mapping[str, Any]) -> str:
    """The key of a task: a hash of all that it depends on."""
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
