"""What a ``pyproject.toml`` asks for, whichever of its notations it uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from eggcrate.errors import ConfigError
from eggcrate.repo.document import Table
from eggcrate.repo.environments import requirement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One direct dependency."""

    name: str
    """Normalised (PEP 503)."""
    constraint: str
    """PEP 440 specifiers or Poetry's notation; ``*`` for any version."""
    marker: str
    extras: tuple[str, ...]
    line: int
    """Where it stands in the ``pyproject.toml``."""
    text: str
    """As written, for messages."""


def read_wanted(
    pyproject: Path, *, groups: Sequence[str], extras: Sequence[str]
) -> tuple[Wanted, ...]:
    """The direct dependencies of the groups and extras named.

    Reads ``[project] dependencies`` and ``optional-dependencies`` (PEP 621),
    ``[dependency-groups]`` (PEP 735) and Poetry's own ``[tool.poetry]`` tables.

    Raises:
        ConfigError: a group or extra does not exist, or a dependency is not valid.
    """
    document = Table.read(pyproject)
    project = document.table("project")
    poetry = document.table("tool").table("poetry")
    found: list[Wanted] = []
    for group in groups:
        if group == "main":
            found += _pep508(project, "dependencies")
            found += _poetry(poetry.table("dependencies"), all_listed="dependencies" not in project)
        else:
            found += _group(document, poetry, group)
    optional = project.table("optional-dependencies")
    old_extras = poetry.table("extras")
    for extra in extras:
        if extra in optional:
            found += _pep508(optional, extra)
        elif extra in old_extras:
            found += _poetry(poetry.table("dependencies"), only=old_extras.strings(extra))
        else:
            raise ConfigError(
                f"{pyproject}: there is no extra {extra!r}",
                hint="name it under [project.optional-dependencies], or remove it from "
                "extras in [tool.eggcrate]",
            )
    return tuple(found)


def _group(document: Table, poetry: Table, group: str) -> list[Wanted]:
    standard = document.table("dependency-groups")
    old = poetry.table("group")
    if group not in standard and group not in old:
        raise ConfigError(
            f"{document.path}: there is no dependency group {group!r}",
            hint="name it under [dependency-groups], or remove it from groups in [tool.eggcrate]",
        )
    found: list[Wanted] = []
    if group in standard:
        for item in standard.data[group]:
            if isinstance(item, dict):
                found += _group(document, poetry, str(item.get("include-group", "")))
            else:
                found.append(_one(standard, str(item)))
    if group in old:
        found += _poetry(old.table(group).table("dependencies"))
    return found


def _pep508(table: Table, key: str) -> list[Wanted]:
    return [_one(table, text) for text in table.strings(key)]


def _one(table: Table, text: str) -> Wanted:
    try:
        asked = requirement(text)
    except ValueError as error:
        raise ConfigError(
            f"{table.path}:{table.line(text)}: {text!r} is not a requirement", why=str(error)
        ) from error
    return Wanted(
        name=canonicalize_name(asked.name),
        constraint=str(asked.specifier) or "*",
        marker=str(asked.marker or ""),
        extras=tuple(sorted(canonicalize_name(extra) for extra in asked.extras)),
        line=table.line(text),
        text=text,
    )


def _poetry(
    table: Table, *, all_listed: bool = True, only: Sequence[str] | None = None
) -> Iterator[Wanted]:
    """Dependencies in Poetry's notation.

    Beside ``[project] dependencies`` Poetry's table only adds sources to what stands there, so
    nothing is read from it then (``all_listed=False``).
    """
    if not all_listed:
        return
    wanted_names = {canonicalize_name(name) for name in only} if only is not None else None
    for name, value in table.data.items():
        if name == "python":
            continue
        for spec in value if isinstance(value, list) else [value]:
            options: dict[str, Any] = {"version": spec} if isinstance(spec, str) else dict(spec)
            if wanted_names is None and options.get("optional"):
                continue
            if wanted_names is not None and canonicalize_name(name) not in wanted_names:
                continue
            yield Wanted(
                name=canonicalize_name(name),
                constraint=str(options.get("version", "*")),
                marker=_marker(options),
                extras=tuple(sorted(canonicalize_name(e) for e in options.get("extras", ()))),
                line=table.line(name),
                text=f"{name} = {spec!r}",
            )


def _marker(options: dict[str, Any]) -> str:
    """``python``, ``platform`` and ``markers`` of a Poetry dependency as one PEP 508 marker."""
    from poetry.core.constraints.version import parse_constraint  # noqa: PLC0415 - slow, rare
    from poetry.core.packages.utils.utils import create_nested_marker  # noqa: PLC0415 - slow, rare

    parts = []
    if markers := options.get("markers"):
        parts.append(f"({markers})")
    if python := options.get("python"):
        parts.append(f"({create_nested_marker('python_version', parse_constraint(python))})")
    if platform := options.get("platform"):
        parts.append(f"(sys_platform == '{platform}')")
    return " and ".join(parts)
