"""The rules themselves: each looks at one environment and tells what breaks it."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from eggcrate.build.policy import Violation
from eggcrate.packages.licences import UNTOLD, is_denied, matches
from eggcrate.packages.selection import allows
from eggcrate.progress import human_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from eggcrate.build.policy import Subject
    from eggcrate.repo.policy import PackageRule

_NAMED = 4


def max_size(subject: Subject) -> Iterator[Violation]:
    """Its packages, unpacked, are larger than they may be."""
    limit = subject.policy.max_size
    if limit is None:
        return
    if subject.size is None:
        yield _unknown(subject, "max-size", "its size cannot be had: no index was reached")
    elif subject.size.unpacked > limit:
        over = human_size(subject.size.unpacked - limit)
        told = f"its packages are {human_size(subject.size.unpacked)} unpacked"
        yield _broken(subject, "max-size", f"{told}, {over} over the budget of {human_size(limit)}")


def max_growth(subject: Subject) -> Iterator[Violation]:
    """It became larger in one change than it may."""
    growth = subject.policy.max_growth
    if growth is None or subject.before is None:
        return
    if subject.size is None or subject.size_before is None:
        yield _unknown(subject, "max-growth", "its growth cannot be had: no index was reached")
        return
    more = subject.size.unpacked - subject.size_before.unpacked
    if more > growth.limit(subject.size_before.unpacked):
        what = f"it grew by {human_size(more)} unpacked, more than {growth.text} in one change"
        yield _broken(subject, "max-growth", what)


def allow(subject: Subject) -> Iterator[Violation]:
    """It holds a package that is not among those that are allowed."""
    if subject.policy.allow is None:
        return
    for name, version in sorted(subject.packages.items()):
        if _first(subject.policy.allow, name, version) is None:
            what = f"{name} {version} is not among the allowed packages"
            yield _broken(subject, "allow", what, package=name)


def deny(subject: Subject) -> Iterator[Violation]:
    """It holds a package that is denied."""
    for name, version in sorted(subject.packages.items()):
        rule = _first(subject.policy.deny, name, version)
        if rule is not None:
            what = f"{name} {version} is denied by {rule.text!r}"
            yield _broken(subject, "deny", what, package=name)


def _first(rules: Sequence[PackageRule], name: str, version: str) -> PackageRule | None:
    return next(
        (
            rule
            for rule in rules
            if fnmatch.fnmatchcase(name, rule.name) and allows(rule.specifier, version)
        ),
        None,
    )


def allow_licences(subject: Subject) -> Iterator[Violation]:
    """It holds a package under a licence that is not allowed, or that tells none."""
    allowed = subject.policy.allow_licences
    if allowed is None:
        return
    for name, licence in sorted(subject.licences.items()):
        if licence == UNTOLD:
            what = f"{name} does not say under which licence it is"
        elif licence is None or matches(licence, allowed):
            continue
        else:
            what = f"{name} is under {licence}, which is not among the allowed licences"
        yield _broken(subject, "allow-licences", what, package=name)


def deny_licences(subject: Subject) -> Iterator[Violation]:
    """It holds a package that is to be had under denied licences only."""
    denied = subject.policy.deny_licences
    for name, licence in sorted(subject.licences.items()):
        if denied and licence and is_denied(licence, denied):
            what = f"{name} is under {licence}, which is denied"
            yield _broken(subject, "deny-licences", what, package=name)


def known_licences(subject: Subject) -> Iterator[Violation]:
    """Licences that cannot be had are told once: they were not judged."""
    if not subject.policy.needs_licences:
        return
    unknown = sorted(name for name, licence in subject.licences.items() if licence is None)
    if unknown:
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        key = "allow-licences" if subject.policy.allow_licences is not None else "deny-licences"
        what = f"the licences of {', '.join(unknown[:_NAMED])}{more} cannot be had"
        yield _unknown(subject, key, what)


def align(subject: Subject) -> Iterator[Violation]:
    """A package has another version here than in other environments."""
    for name in subject.policy.align:
        mine = subject.packages.get(name)
        if mine is None:
            continue
        differing = {
            other: packages[name]
            for other, packages in sorted(subject.others.items())
            if name in packages and packages[name] != mine
        }
        if differing:
            told = [f"{other} has {version}" for other, version in differing.items()]
            more = f" and {len(told) - _NAMED} more differ" if len(told) > _NAMED else ""
            what = f"{name} is {mine} here; {', '.join(told[:_NAMED])}{more}"
            yield _broken(subject, "align", what, package=name)


def require(subject: Subject) -> Iterator[Violation]:
    """It lacks a setting that every environment must have."""
    have = {
        "description": bool(subject.description),
        "owner": bool(subject.owner),
        "supported-until": subject.supported_until is not None,
    }
    for key in subject.policy.require:
        if not have[key]:
            yield _broken(subject, "require", f"{subject.where} does not set {key}")


def supported_until(subject: Subject) -> Iterator[Violation]:
    """Its time is over, or soon will be."""
    until = subject.supported_until
    if until is None:
        return
    days = (until - subject.today).days
    if days < 0:
        yield Violation(
            environment=subject.name,
            rule="supported-until",
            what=f"its support ended on {until}",
            where=subject.where,
        )
    elif days <= subject.policy.support_warning:
        yield Violation(
            environment=subject.name,
            rule="supported-until",
            what=f"its support ends on {until}, in {days} days",
            where=subject.where,
            warning=True,
        )


RULES: tuple[Callable[[Subject], Iterator[Violation]], ...] = (
    max_size,
    max_growth,
    allow,
    deny,
    allow_licences,
    deny_licences,
    known_licences,
    align,
    require,
    supported_until,
)


def _broken(subject: Subject, rule: str, what: str, *, package: str = "") -> Violation:
    return Violation(
        environment=subject.name,
        rule=rule,
        what=what,
        package=package,
        where=subject.policy.places.get(rule, ""),
    )


def _unknown(subject: Subject, rule: str, what: str) -> Violation:
    return Violation(
        environment=subject.name,
        rule=rule,
        what=f"{what}; it was not judged",
        where=subject.policy.places.get(rule, ""),
        warning=True,
    )
