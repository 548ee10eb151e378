"""``pyproject.toml`` of a new environment, from the template's or from another environment's.

Comments, order and quotes stay; only what is answered differently is changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tomlkit
from packaging.utils import canonicalize_name
from packaging.version import Version
from tomlkit.exceptions import TOMLKitError

from eggcrate.errors import ConfigError
from eggcrate.repo.dependencies import listed, with_requirement, without_requirement
from eggcrate.repo.environments import requirement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

_DOTS = str.maketrans("_-", "..")
_VERSION = re.compile(r"\d+(?:[._-]\d+)*$")


@dataclass(frozen=True, kw_only=True)
class NewEnvironment:
    """What a new environment shall be."""

    name: str
    description: str
    python: str
    """Minor version, such as ``3.13``."""
    base: str = ""
    """Name of its base; empty: the one that fits the Python."""
    packages: tuple[str, ...] = ()
    """Requirements: all that it asks for, or of a family what it asks for differently."""
    owner: str
    supported_until: date | None = None
    """``None``: as it stands in what is copied."""
    source: str = ""
    """The environment that it is the next version of; empty: made from the template."""


def environment_text(text: str, wanted: NewEnvironment, *, path: Path) -> str:
    """The ``pyproject.toml`` of a new environment.

    Args:
        text: of the template, or of the environment that it is the next version of.
        wanted: what it shall be.
        path: of the file that is copied, for messages.

    Raises:
        ConfigError: that file cannot be edited.
    """
    asked = {canonicalize_name(requirement(one).name) for one in wanted.packages}
    for name in () if wanted.source else listed(text):
        if name not in asked:
            text = without_requirement(text, name, path=path)
    for one in wanted.packages:
        text = with_requirement(text, one, path=path)
    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise ConfigError(f"{path} is not valid TOML", why=str(error)) from error
    project: Any = document["project"]
    ours = _table(document, "tool", "eggcrate")
    if not wanted.source or "name" in project:
        project["name"] = wanted.name
    if wanted.description:
        project["description"] = wanted.description
    if minor_of(str(project.get("requires-python", ""))) != wanted.python:
        project["requires-python"] = python_range_of(wanted.python)
    for key, value in (
        ("base", wanted.base),
        ("owner", wanted.owner),
        ("supported-until", wanted.supported_until),
    ):
        if value and ours.get(key) != value:
            ours[key] = value
    return tomlkit.dumps(document)


def _table(document: tomlkit.TOMLDocument, *keys: str) -> Any:
    table: Any = document
    for number, key in enumerate(keys):
        if key not in table:
            table[key] = tomlkit.table(is_super_table=number < len(keys) - 1)
        table = table[key]
    return table


def python_range_of(minor: str) -> str:
    """The ``requires-python`` of one minor version: ``>=3.13,<3.14``."""
    major, _, second = minor.partition(".")
    return f">={minor},<{major}.{int(second) + 1}"


def minor_of(requires_python: str) -> str:
    """The one minor version that a range written by :func:`python_range_of` means; else empty."""
    match = re.match(r">=\s*(\d+\.\d+)", requires_python)
    minor = match[1] if match else ""
    plain = requires_python.replace(" ", "")
    return minor if minor and plain == python_range_of(minor) else ""


def derived_description(
    description: str, before: str, after: str, asked: Sequence[tuple[str, str]] = ()
) -> str:
    """A description with the version, and the name, of the next of its family.

    Of ``sklearn-1-7`` and ``sklearn-1-8``: where it says 1.7, the other says 1.8.

    Args:
        description: of the one before.
        before: its name.
        after: the name of the next.
        asked: requirements of the one before, each with the next one's; they count where the
            names have no versions.
    """
    text = re.sub(rf"(?<![\w-]){re.escape(before)}(?![\w-])", after, description)
    old, new = _VERSION.search(before), _VERSION.search(after)
    versions = [(_least(one), _least(other)) for one, other in asked]
    if old and new and before[: old.start()] == after[: new.start()]:
        versions = [(old[0].translate(_DOTS), new[0].translate(_DOTS))]
    for was, becomes in versions:
        if was and becomes:
            text = re.sub(rf"(?<![\d.]){re.escape(was)}(?!\.?\d)", becomes, text)
    return text


def _least(text: str) -> str:
    """The two first numbers of the least version that a requirement takes; empty: none."""
    found = [
        Version(one.version.removesuffix(".*")).release[:2]
        for one in requirement(text).specifier
        if one.operator in {"~=", "==", ">="}
    ]
    return ".".join(map(str, max(found))) if found else ""


def default_description(packages: Sequence[str], python: str) -> str:
    """What to say of an environment when nobody says it: ``pandas and polars on Python 3.13``."""
    names = [requirement(one).name for one in packages]
    told = " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
    return f"{told} on Python {python}" if told else f"Python {python}"
