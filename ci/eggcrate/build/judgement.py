"""Judging environments by their rules, exceptions and a company's own rules included."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from eggcrate.build.audit import RULE as VULNERABILITY
from eggcrate.build.policy import Subject, Violation
from eggcrate.build.policy_rules import RULES
from eggcrate.build.states import contents_of
from eggcrate.errors import EggcrateError, PluginError
from eggcrate.packages.difference import total
from eggcrate.plugins import POLICIES, plugins
from eggcrate.repo.policy import environment_policy, read_exceptions, read_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from eggcrate.build.resolve import Resolved
    from eggcrate.packages.difference import Contents
    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.sizes import Size
    from eggcrate.plugins import Plugin
    from eggcrate.repo.policy import Policy, PolicyException

    Sizes = Callable[[Iterable[Distribution]], Mapping[Distribution, Size | None]]
    Licences = Callable[[Iterable[Distribution]], Mapping[Distribution, str | None]]

UNUSED = "exceptions"
"""The rule that an exception must be needed."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What came of judging environments."""

    violations: tuple[Violation, ...]
    errors: Mapping[str, EggcrateError] = field(default_factory=dict)
    """Environments that cannot be judged, and plugins that failed."""

    @property
    def good(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.errors and not any(one.counts for one in self.violations)

    def of(self, environment: str) -> tuple[Violation, ...]:
        """Those of one environment."""
        return tuple(one for one in self.violations if one.environment == environment)


def subjects_of(
    chosen: Iterable[Resolved],
    everyone: Sequence[Resolved],
    *,
    root: Path,
    before: Mapping[tuple[str, str], Contents],
    sizes: Sizes,
    licences: Licences,
    today: date,
) -> tuple[list[Subject], dict[str, EggcrateError]]:
    """Environments as rules look at them; those whose rules cannot be read are told beside.

    Args:
        chosen: what is to be judged.
        everyone: all environments there are, for rules about several.
        root: the repository.
        before: environment and platform to what it held before the change, where it is another.
        sizes: gives the size of files; only asked for what a rule is about.
        licences: gives their licences; as above.
        today: what dates are compared with.

    Raises:
        ConfigError: the rules for all environments cannot be read.
    """
    common = read_policy(root)
    asked = list(chosen)
    rules: dict[str, tuple[Policy, tuple[PolicyException, ...]]] = {}
    errors: dict[str, EggcrateError] = {}
    for one in asked:
        folder = one.environment.path
        try:
            rules[one.environment.name] = (
                environment_policy(folder, common, root),
                read_exceptions(folder, root),
            )
        except EggcrateError as error:
            errors[f"environments/{one.environment.name}"] = error
    asked = [one for one in asked if one.environment.name in rules]
    own = bool(plugins(POLICIES))
    files = {
        file
        for one in asked
        if own or _about_sizes(rules[one.environment.name][0])
        for file in (
            *one.recipe.distributions,
            *before.get(_named(one), contents_of(one)).files.values(),
        )
    }
    known = sizes(files) if files else {}
    licensed = licences(
        {
            file
            for one in asked
            if rules[one.environment.name][0].needs_licences
            for file in one.recipe.distributions
        }
    )
    found = []
    for one in asked:
        policy, exceptions = rules[one.environment.name]
        now = contents_of(one)
        then = before.get(_named(one), now)
        found.append(
            Subject(
                name=one.environment.name,
                platform=str(one.recipe.target.platform),
                description=one.environment.description,
                owner=one.environment.owner,
                supported_until=one.environment.supported_until,
                python=one.recipe.target.python,
                packages=now.packages,
                direct=now.direct or frozenset(),
                size=total(known.get(file) for file in now.files.values()),
                before=then.packages or None,
                size_before=total(known.get(file) for file in then.files.values()),
                licences={
                    file.name: licensed[file]
                    for file in one.recipe.distributions
                    if policy.needs_licences
                },
                others={
                    other.environment.name: other.packages
                    for other in everyone
                    if other.environment.name != one.environment.name
                    and other.recipe.target.platform == one.recipe.target.platform
                },
                today=today,
                policy=policy,
                exceptions=exceptions,
                where=one.environment.pyproject_path.relative_to(root).as_posix(),
            )
        )
    return found, errors


def _named(one: Resolved) -> tuple[str, str]:
    return one.environment.name, str(one.recipe.target.platform)


def _about_sizes(policy: Policy) -> bool:
    return policy.max_size is not None or policy.max_growth is not None


def judge(subjects: Sequence[Subject]) -> Judgement:
    """Hold environments to their rules; a plugin that fails is told and stops no other."""
    active = plugins(POLICIES)
    errors: dict[str, EggcrateError] = {}
    found: dict[tuple[str, str, str, str], Violation] = {}
    for subject in subjects:
        broken = [violation for rule in RULES for violation in rule(subject)]
        for plugin in active:
            try:
                broken += _of_plugin(plugin, subject)
            except PluginError as error:
                errors[f"plugins/{plugin.name}"] = error
        for one in _excused(broken, subject):
            # Of several platforms the same is told once.
            found.setdefault((one.environment, one.rule, one.package, one.what), one)
    return Judgement(violations=tuple(found.values()), errors=errors)


def _excused(broken: Sequence[Violation], subject: Subject) -> Iterator[Violation]:
    used: set[PolicyException] = set()
    for one in broken:
        fitting = [
            item
            for item in subject.exceptions
            if item.rule == one.rule and item.package in ("", one.package)
        ]
        used.update(fitting)
        valid = next((item for item in fitting if item.until >= subject.today), None)
        yield replace(
            one,
            exception=valid,
            expired=next(iter(fitting), None) if valid is None else None,
        )
    for item in subject.exceptions:
        if item not in used and item.rule != VULNERABILITY:
            yield Violation(
                environment=subject.name,
                rule=UNUSED,
                package=item.package,
                what=f"no rule {item.rule!r} is broken"
                + (f" by {item.package}" if item.package else "")
                + ": the exception can be removed",
                where=item.where,
                warning=True,
            )


def _of_plugin(plugin: Plugin, subject: Subject) -> Iterator[Violation]:
    """What a company's own rule says; see docs/reference.md for what it is called with."""
    settings = subject.policy.plugins.get(plugin.name, {})
    told = plugin.call(subject, settings)
    place = subject.policy.places.get(plugin.name, plugin.distribution)
    try:
        for item in told or ():
            finding: dict[str, Any] = {"what": item} if isinstance(item, str) else dict(item)
            yield Violation(
                environment=subject.name,
                rule=plugin.name,
                what=str(finding["what"]),
                package=str(finding.get("package", "")),
                warning=bool(finding.get("warning", False)),
                where=place,
            )
    except Exception as error:
        raise PluginError(
            f"the policy plugin {plugin.name} of {plugin.distribution} gave back what is no finding",
            why=f"{type(error).__name__}: {error}",
            hint="a finding is a sentence, or a mapping with the keys what, package and warning",
        ) from error
