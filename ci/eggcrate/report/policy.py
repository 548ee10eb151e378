"""What rules found, as text and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.build.policy import exception_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from eggcrate.build.judgement import Judgement
    from eggcrate.build.policy import Violation


def text(judgement: Judgement, judged: Sequence[str], today: date) -> str:
    """Each violation: which rule, what breaks it, where it is set, how to ask for an exception."""
    lines = []
    for name in judged:
        lines += [line(one) for one in judgement.of(name)]
    lines += [f"error: {error}" for error in judgement.errors.values()]
    count = sum(one.counts for one in judgement.violations)
    environments = f"{len(judged)} environment{'s' * (len(judged) != 1)}"
    if not count:
        lines.append(f"{environments}: no rule is broken" if not judgement.errors else environments)
        return "\n".join(lines)
    lines += ["", f"{environments}: {count} violation{'s' * (count != 1)}"]
    return "\n".join([*lines, *asking(judgement, today)])


def asking(judgement: Judgement, today: date) -> list[str]:
    """How to ask for an exception; nothing where nothing counts."""
    worst = next((one for one in judgement.violations if one.counts), None)
    if worst is None:
        return []
    where = f"environments/{worst.environment}/pyproject.toml"
    return [f"to ask for an exception, add to {where}:", "", exception_for(worst, today)]


def line(one: Violation) -> str:
    """One violation, in a line."""
    place = f" (set in {one.where})" if one.where else ""
    return f"{one.environment}: {state(one)} {one.rule}: {one.what}{place}{aside(one)}"


def state(one: Violation) -> str:
    """In a word: ``violation``, ``warning`` or ``excepted``."""
    if one.exception:
        return "excepted"
    return "warning" if one.warning else "violation"


def aside(one: Violation) -> str:
    """What an exception has to do with it."""
    if one.exception:
        item = one.exception
        return f"; excepted until {item.until} by {item.where}: {item.reason}"
    if one.expired:
        return f"; its exception in {one.expired.where} expired on {one.expired.until}"
    return ""


def document(judgement: Judgement, judged: Sequence[str], today: date) -> dict[str, Any]:
    """The same as ``eggcrate.policy/1``."""
    return {
        "good": judgement.good,
        "environments": list(judged),
        "violations": [violation_document(one, today) for one in judgement.violations],
        "errors": {name: str(error) for name, error in judgement.errors.items()},
    }


def violation_document(one: Violation, today: date) -> dict[str, Any]:
    """One violation, as several documents hold it."""
    return {
        "environment": one.environment,
        "rule": one.rule,
        "state": state(one),
        "what": one.what,
        "package": one.package,
        "where": one.where,
        "excepted_until": str(one.exception.until) if one.exception else None,
        "reason": one.exception.reason if one.exception else "",
        "expired": str(one.expired.until) if one.expired else None,
        "ask": exception_for(one, today) if one.counts else "",
    }
