"""What a registry keeps of a model: an entry for programs, and a card for people.

The card has the parts of Mitchell et al., Model Cards for Model Reporting, 2019, that can be known
here: what the model is, what it takes, how good it is.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.shared.archives import read_archive, write_json
from components.shared.errors import ComponentError, ModelError

SCHEMA = "components.model-version/1"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_ALIAS = re.compile(r"[a-z][a-z0-9-]{0,126}[a-z0-9]")
_CHUNK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A model that is to have a version."""

    name: str
    sha256: str
    signature: dict[str, Any]
    description: str
    metrics: dict[str, float]
    aliases: tuple[str, ...]


def entry_of(
    path: str, *, name: str, description: str, metrics: dict[str, float], aliases: tuple[str, ...]
) -> Entry:
    """Read what there is to be told of a model.

    Raises:
        ModelError: it cannot be read.
        ComponentError: a name is none.
    """
    if not _NAME.fullmatch(name):
        raise ComponentError(
            f"{name!r} is no model's name: up to 63 lower-case letters, digits, - and _"
        )
    for alias in aliases:
        if not isinstance(alias, str) or not _ALIAS.fullmatch(alias):
            raise ComponentError(f"{alias!r} is no alias: lower-case letters, digits and -")
    signature, _ = read_archive(path, document="signature.json", kind="model", error=ModelError)
    with Path(path).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Entry(
        name=name,
        sha256=digest,
        signature=signature,
        description=description,
        metrics=metrics,
        aliases=aliases,
    )


def check_metrics(metrics: dict[str, Any], at_least: dict[str, Any]) -> None:
    """Refuse a model that is not good enough.

    Raises:
        ModelError: a figure is missing or too small; names it.
    """
    for name, least in at_least.items():
        found = metrics.get(name)
        if not isinstance(found, int | float):
            known = ", ".join(metrics) or "none"
            raise ModelError(
                f"the metrics lack {name}, which must be at least {least}; got: {known}"
            )
        if not found >= least:
            raise ModelError(
                f"the model is not registered: its {name} is {found:.4g}, below {least}"
            )


def document(entry: Entry, *, resource: str, version: str) -> dict[str, Any]:
    """The entry as JSON."""
    return {
        "schema": SCHEMA,
        "name": entry.name,
        "version": version,
        "resource": resource,
        "sha256": entry.sha256,
        "description": entry.description,
        "metrics": entry.metrics,
        "aliases": list(entry.aliases),
        "signature": entry.signature,
    }


def write_entry(path: str, entry: Entry, *, resource: str, version: str) -> None:
    """Write card and entry into a folder, which appears whole or not at all."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        made = Path(scratch) / "entry"
        made.mkdir()
        write_json(str(made / "version.json"), document(entry, resource=resource, version=version))
        (made / "MODEL_CARD.md").write_text(card(entry, version), encoding="utf-8")
        if target.is_dir():
            shutil.rmtree(target)
        made.rename(target)


def card(entry: Entry, version: str) -> str:
    """The model card, as Markdown."""
    told = entry.signature
    lines = [f"# {entry.name}, version {version}", ""]
    if entry.description:
        lines += [entry.description, ""]
    lines += ["## The model", "", "| | |", "|---|---|"]
    lines += [
        f"| {word} | {told[word]} |" for word in ("flavour", "target", "seed") if word in told
    ]
    versions = told.get("versions", {})
    lines += [f"| {library} | {number} |" for library, number in sorted(versions.items())]
    lines += [f"| SHA-256 | `{entry.sha256}` |", ""]
    if entry.metrics:
        lines += ["## Quality", "", "| figure | value |", "|---|---|"]
        lines += [f"| {name} | {value:.6g} |" for name, value in sorted(entry.metrics.items())]
        lines.append("")
    features = told.get("features", [])
    if features:
        lines += ["## What it takes", "", "| column | |", "|---|---|"]
        for feature in features:
            levels = feature.get("levels") or ()
            kind = f"one of {len(levels)} texts" if levels else "a number"
            lines.append(f"| {feature.get('name')} | {kind} |")
        lines.append("")
    return "\n".join(lines)
