"""Rules and budgets that environments are held to, as the settings write them.

``[tool.eggcrate.policy]`` in the root ``pyproject.toml`` is for all environments; the same table
in an environment's replaces what it names there. ``[[tool.eggcrate.exceptions]]`` of an
environment lets it break a rule, for a reason and until a day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from eggcrate.errors import ConfigError
from eggcrate.repo.document import Table
from eggcrate.repo.quantities import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date
    from pathlib import Path

_KEYS = (
    "max-size",
    "max-growth",
    "allow",
    "deny",
    "allow-licences",
    "deny-licences",
    "align",
    "require",
    "support-warning",
    "plugins",
)
_REQUIRABLE = ("description", "owner", "supported-until")
_EXCEPTION = ("rule", "package", "id", "reason", "until")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_PATTERN = re.compile(r"(?P<name>[\w.*?-]+)(?P<specifier>[^\w.*?-].*)?", re.DOTALL)
_SUPPORT_WARNING = 90


@dataclass(frozen=True, kw_only=True)
class PackageRule:
    """Packages, by name or pattern, and versions of them."""

    name: str
    """Normalised; may hold ``*`` and ``?``."""
    specifier: str
    text: str
    """As written."""


@dataclass(frozen=True, kw_only=True)
class Growth:
    """How much larger an environment may become in one change."""

    size: int = 0
    """Bytes; 0 when it is a share."""
    share: float = 0.0
    """Of what it was, such as 0.1."""
    text: str

    def limit(self, before: int) -> int:
        """In bytes, for an environment of this size."""
        return self.size or int(before * self.share)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The rules for an environment."""

    max_size: int | None = None
    """Bytes that its packages may have, unpacked."""
    max_growth: Growth | None = None
    """Of the same size, in one change."""
    allow: tuple[PackageRule, ...] | None = None
    """Every package must be one of these; ``None``: all are allowed."""
    deny: tuple[PackageRule, ...] = ()
    allow_licences: tuple[str, ...] | None = None
    """SPDX identifiers and patterns; ``None``: all are allowed."""
    deny_licences: tuple[str, ...] = ()
    align: tuple[str, ...] = ()
    """Packages that have one version in all environments that hold them."""
    require: tuple[str, ...] = ()
    """Settings that every environment must have."""
    support_warning: int = _SUPPORT_WARNING
    """Days before ``supported-until`` from which on it is told."""
    plugins: Mapping[str, Any] = field(default_factory=dict)
    """What the rules of a company's own are set to, by the name of the plugin."""
    places: Mapping[str, str] = field(default_factory=dict)
    """File and line of each key that is set, such as ``pyproject.toml:41``."""

    @property
    def needs_licences(self) -> bool:
        """Whether a rule asks for licences."""
        return self.allow_licences is not None or bool(self.deny_licences)


@dataclass(frozen=True, kw_only=True)
class PolicyException:
    """What lets an environment break a rule."""

    rule: str
    package: str
    """Normalised; empty: whatever breaks the rule."""
    reason: str
    until: date
    """The last day on which it holds."""
    where: str
    """File and line."""
    id: str = ""
    """Of the vulnerability that it excuses; empty: any of the package."""


def read_policy(root: Path) -> Policy:
    """The rules for all environments of the repository at ``root``.

    Raises:
        ConfigError: one is not valid; the message names file and line.
    """
    path = root / "pyproject.toml"
    table = Table.read(path).table("tool").table("eggcrate").table("policy")
    return _read(table, Policy(), root, everywhere=True)


def environment_policy(folder: Path, common: Policy, root: Path) -> Policy:
    """The rules for one environment.

    Raises:
        ConfigError: one is not valid; the message names file and line.
    """
    table = Table.read(folder / "pyproject.toml").table("tool").table("eggcrate")
    return _read(table.table("policy"), common, root, everywhere=False)


def _read(table: Table, common: Policy, root: Path, *, everywhere: bool) -> Policy:
    table.only(_KEYS)
    if "align" in table and not everywhere:
        raise table.error(
            "align",
            "is about all environments",
            hint="set it in the root pyproject.toml; an exception lets this environment differ",
        )
    for name in table.strings("require"):
        if name not in _REQUIRABLE:
            raise table.error(name, "cannot be required", hint=f"can be: {', '.join(_REQUIRABLE)}")
    told = _told(table)
    plugins = table.table("plugins")
    name = table.path.relative_to(root).as_posix()
    return replace(
        common,
        **told,
        plugins={**common.plugins, **plugins.data},
        places={
            **common.places,
            **{key: f"{name}:{table.line(key)}" for key in table.data if key != "plugins"},
            **{key: f"{name}:{plugins.line(key)}" for key in plugins.data},
        },
    )


def _told(table: Table) -> dict[str, Any]:
    """What a table sets, by the field of :class:`Policy`."""
    read: dict[str, Callable[[str], Any]] = {
        "max-size": lambda key: _size(table, key),
        "max-growth": lambda _: _growth(table),
        "allow": lambda key: tuple(_rule(table, text) for text in table.strings(key)),
        "deny": lambda key: tuple(_rule(table, text) for text in table.strings(key)),
        "allow-licences": table.strings,
        "deny-licences": table.strings,
        "align": lambda key: tuple(canonicalize_name(name) for name in table.strings(key)),
        "require": table.strings,
        "support-warning": lambda key: int(table.number(key) or 0),
    }
    return {key.replace("-", "_"): one(key) for key, one in read.items() if key in table}


def _size(table: Table, key: str) -> int:
    try:
        return parse_size(str(table.data[key]))
    except ValueError as error:
        raise table.error(key, f"is no size: {error}") from error


def _growth(table: Table) -> Growth:
    text = str(table.data["max-growth"])
    if match := _PERCENT.fullmatch(text.strip()):
        return Growth(share=float(match[1]) / 100, text=text)
    return Growth(size=_size(table, "max-growth"), text=text)


def _rule(table: Table, text: str) -> PackageRule:
    """``protobuf<4``, ``tensorflow``, ``google-*``."""
    match = _PATTERN.fullmatch(text.strip())
    try:
        specifier = Requirement(f"x{match['specifier'] or ''}" if match else text).specifier
    except InvalidRequirement as error:
        raise ConfigError(
            f"{table.path}:{table.line(text)}: {text!r} is not a package with versions",
            why=str(error).splitlines()[0],
            hint='write for example "protobuf<4", "tensorflow" or "google-*"',
        ) from error
    name = match["name"] if match else text
    return PackageRule(name=_normal(name), specifier=str(specifier), text=text)


def _normal(pattern: str) -> str:
    return re.sub(r"[-_.]+", "-", pattern).lower()


def read_exceptions(folder: Path, root: Path) -> tuple[PolicyException, ...]:
    """The exceptions in an environment's ``pyproject.toml``.

    Raises:
        ConfigError: one is not valid; the message names file and line.
    """
    path = folder / "pyproject.toml"
    ours = Table.read(path).table("tool").table("eggcrate")
    entries = ours.data.get("exceptions", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ours.error("exceptions", "must be tables", hint="write [[tool.eggcrate.exceptions]]")
    lines = [
        number
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.match(r"\s*\[\[\s*tool\.eggcrate\.exceptions\s*\]\]", line)
    ]
    name = path.relative_to(root).as_posix()
    return tuple(
        _exception(ours, entry, f"{name}:{lines[number] if number < len(lines) else 1}")
        for number, entry in enumerate(entries)
    )


def _exception(ours: Table, entry: Mapping[str, Any], where: str) -> PolicyException:
    table = Table(ours.path, "", dict(entry), "exceptions")
    try:
        table.only(_EXCEPTION)
        rule, reason = table.string("rule"), table.string("reason")
        until = table.date("until")
        package, identifier = table.string("package"), table.string("id")
    except ConfigError as error:
        raise ConfigError(f"{where}: {error.what.rpartition(': ')[2]}", hint=error.hint) from error
    if not (rule and reason and until):
        missing = [
            key
            for key, value in (("rule", rule), ("reason", reason), ("until", until))
            if not value
        ]
        raise ConfigError(
            f"{where}: an exception must say {', '.join(missing)}",
            hint='for example: rule = "max-size", reason = "…", until = 2027-03-31',
        )
    return PolicyException(
        rule=rule,
        package=canonicalize_name(package) if package else "",
        reason=reason,
        until=until,
        where=where,
        id=identifier,
    )
