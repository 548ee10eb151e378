"""A registry that is a folder: ``NAME/VERSION/`` holds the model, its entry and its card.

Versions count up. A version appears whole, by one rename, so that two who register at once get two
versions; aliases are one small file, written last.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from components.register_model.entry import card, document
from components.shared.archives import write_json
from components.shared.errors import ComponentError

if TYPE_CHECKING:
    from components.register_model.entry import Entry

_TIMES = 100


def register(entry: Entry, model: str, registry: str) -> tuple[str, str]:
    """Put a model into the folder, unless it is there, and tell its path and version.

    Raises:
        ComponentError: the folder cannot be written to or read.
    """
    home = Path(registry) / entry.name
    try:
        home.mkdir(parents=True, exist_ok=True)
        version = _known(home, entry) or _add(home, entry, model)
        if entry.aliases:
            path = home / "aliases.json"
            aliases = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
            write_json(str(path), aliases | dict.fromkeys(entry.aliases, version))
    except (OSError, ValueError) as cause:
        raise ComponentError(f"the registry {registry} cannot be used: {cause}") from cause
    return str(home / version), version


def _known(home: Path, entry: Entry) -> str:
    for path in home.glob("*/version.json"):
        told = json.loads(path.read_text(encoding="utf-8"))
        if told.get("sha256") == entry.sha256:
            return path.parent.name
    return ""


def _add(home: Path, entry: Entry, model: str) -> str:
    for _ in range(_TIMES):
        taken = [int(path.name) for path in home.iterdir() if path.name.isdigit()]
        version = str(max(taken, default=0) + 1)
        with tempfile.TemporaryDirectory(prefix=".new.", dir=home) as scratch:
            made = Path(scratch) / version
            made.mkdir()
            shutil.copyfile(model, made / "model")
            told = document(entry, resource=str(home / version), version=version)
            write_json(str(made / "version.json"), told)
            (made / "MODEL_CARD.md").write_text(card(entry, version), encoding="utf-8")
            try:
                made.rename(home / version)
            except OSError:
                if (home / version).exists():  # another one has just taken it
                    continue
                raise
        return version
    raise ComponentError(f"{home} gets versions faster than one can be added")
