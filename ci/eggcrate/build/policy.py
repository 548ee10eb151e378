"""What rules look at, and what they find; the rules are settings, :mod:`eggcrate.repo.policy`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from eggcrate.packages.sizes import Size
    from eggcrate.repo.policy import Policy, PolicyException

_GRANTED_DAYS = 90


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An environment on a platform, as rules look at it."""

    name: str
    platform: str
    description: str
    owner: str
    """Empty when none is set."""
    supported_until: date | None
    python: str
    """Exact version of its Python."""
    packages: Mapping[str, str]
    """Normalised name to version of everything it holds."""
    direct: frozenset[str]
    """The packages that its ``pyproject.toml`` asks for."""
    size: Size | None
    """Of all packages; ``None`` when it cannot be had."""
    before: Mapping[str, str] | None
    """Its packages before the change; ``None`` for a new environment, and when nothing is
    compared."""
    size_before: Size | None
    licences: Mapping[str, str | None]
    """Package to SPDX expression; empty: it tells none; ``None``: it cannot be had. Only filled
    when a rule asks for licences."""
    others: Mapping[str, Mapping[str, str]]
    """Packages of every other environment, by its name."""
    today: date
    policy: Policy
    exceptions: tuple[PolicyException, ...] = ()
    where: str = ""
    """Its ``pyproject.toml``, from the repository."""


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A rule that an environment breaks, or is about to."""

    environment: str
    rule: str
    what: str
    """One sentence."""
    package: str = ""
    where: str = ""
    """File and line where the rule is set."""
    warning: bool = False
    """Whether it is only told."""
    exception: PolicyException | None = None
    """What allows it, until then."""
    expired: PolicyException | None = None
    """What allowed it, until then."""

    @property
    def counts(self) -> bool:
        """Whether a run must fail for it."""
        return not self.warning and self.exception is None


def exception_for(violation: Violation, today: date) -> str:
    """The entry that asks for an exception, as it is written into a ``pyproject.toml``."""
    package = f'package = "{violation.package}"\n' if violation.package else ""
    return (
        f'[[tool.eggcrate.exceptions]]\nrule = "{violation.rule}"\n{package}'
        f'reason = "…"\nuntil = {today + timedelta(days=_GRANTED_DAYS)}'
    )
