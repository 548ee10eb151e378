"""Which rules a proposal would break that are not broken already."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from eggcrate.build.judgement import judge
from eggcrate.build.policy import Subject
from eggcrate.build.proposal import held, target_of
from eggcrate.errors import EggcrateError
from eggcrate.packages.difference import total
from eggcrate.plugins import POLICIES, plugins
from eggcrate.repo.dependencies import listed
from eggcrate.repo.policy import environment_policy, read_exceptions, read_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from eggcrate.build.judgement import Judgement, Licences, Sizes
    from eggcrate.build.proposal import Proposal
    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.sizes import Size
    from eggcrate.repo.monorepo import Monorepo
    from eggcrate.repo.policy import Policy


def judge_proposal(
    proposal: Proposal,
    *,
    monorepo: Monorepo,
    sizes: Sizes,
    licences: Licences,
    today: date,
    cache: Path,
    rules_of: Path | None = None,
) -> Judgement:
    """The violations that an environment would have and has not, exceptions taken into account.

    Growth is what the proposal alone adds; ``eggcrate policy`` judges all of a branch.

    Args:
        proposal: the environment as it is and as it would be.
        monorepo: the other environments, for rules about several.
        sizes: gives the size of files.
        licences: gives their licences; only asked where a rule is about them.
        today: what dates are compared with.
        cache: the user's.
        rules_of: folder of the environment whose rules are copied, for one that is not there yet.

    Raises:
        ConfigError: the rules cannot be read.
    """
    root, environment = monorepo.root, proposal.environment
    folder = rules_of or environment.path
    policy = environment_policy(folder, read_policy(root), root)
    exceptions = read_exceptions(folder, root)
    if rules_of is not None:
        place = _copied(rules_of, environment.path, root)
        policy = replace(policy, places={key: place(at) for key, at in policy.places.items()})
        exceptions = tuple(replace(one, where=place(one.where)) for one in exceptions)
    new = rules_of is not None
    before = {item.name: item for item in (() if new else proposal.before or ())}
    after = {item.name: item for item in proposal.after}
    known = sizes({*before.values(), *after.values()})
    about_several = bool(policy.align or plugins(POLICIES))
    others = _others(proposal, monorepo, cache=cache) if about_several else {}

    def subject(files: Mapping[str, Distribution], then: Mapping[str, Distribution]) -> Subject:
        return Subject(
            name=environment.name,
            platform=str(proposal.target.platform),
            description=environment.description,
            owner=environment.owner,
            supported_until=environment.supported_until,
            python=proposal.target.python,
            packages=_versions(files),
            direct=frozenset(listed(proposal.pyproject)),
            size=_total(known, files),
            before=_versions(then) or None,
            size_before=_total(known, then),
            licences=_licences(files, policy, licences),
            others=others,
            today=today,
            policy=policy,
            exceptions=exceptions,
            where=environment.pyproject_path.relative_to(root).as_posix(),
        )

    found = judge([subject(after, before)])
    if new:
        return found
    there = {
        (one.rule, one.package, one.what) for one in judge([subject(before, before)]).violations
    }
    caused = tuple(
        one for one in found.violations if (one.rule, one.package, one.what) not in there
    )
    return replace(found, violations=caused)


def _copied(source: Path, target: Path, root: Path) -> Callable[[str], str]:
    """What tells where a rule stands, once the file is copied."""
    old, new = (f"{one.relative_to(root).as_posix()}/" for one in (source, target))
    return lambda place: new + place.removeprefix(old) if place.startswith(old) else place


def _versions(files: Mapping[str, Distribution]) -> dict[str, str]:
    return {name: item.version for name, item in files.items()}


def _total(
    known: Mapping[Distribution, Size | None], files: Mapping[str, Distribution]
) -> Size | None:
    return total(known.get(item) for item in files.values())


def _licences(
    files: Mapping[str, Distribution], policy: Policy, licences: Licences
) -> dict[str, str | None]:
    if not policy.needs_licences:
        return {}
    found = licences(files.values())
    return {name: found[item] for name, item in files.items()}


def _others(proposal: Proposal, monorepo: Monorepo, *, cache: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, other in monorepo.environments.items():
        if name == proposal.environment.name:
            continue
        try:
            files: Sequence[Distribution] = held(other, target_of(other, monorepo), cache=cache) or ()
        except EggcrateError:
            continue
        found[name] = {item.name: item.version for item in files}
    return found
