"""An impact from all that is known of a change: environments → rules → cells → decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.build.judgement import Judgement, judge
from eggcrate.errors import ConfigError
from eggcrate.matrix.decisions import decisions
from eggcrate.matrix.impact import Impact
from eggcrate.matrix.impact_cells import component_impacts, counted
from eggcrate.matrix.impact_environments import Looked, environment_impacts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.build.before import Before
    from eggcrate.build.layer_cost import ImageReader
    from eggcrate.build.plan import Plan
    from eggcrate.build.policy import Subject
    from eggcrate.build.resolve import Resolved
    from eggcrate.errors import EggcrateError
    from eggcrate.matrix.cells import CellResult
    from eggcrate.matrix.impact_environments import Sizes
    from eggcrate.matrix.session import Matrix

    Judged = tuple[Sequence[Subject], Mapping[str, EggcrateError]]


def concerned(now: Sequence[Resolved], before: Before) -> tuple[Resolved, ...]:
    """The environments that a change may make break a rule: all of them when rules changed."""
    if "pyproject.toml" in before.changed:
        return tuple(now)
    return tuple(
        one
        for one in now
        if (one.environment.name, str(one.recipe.target.platform)) in before.contents
    )


def impact_of(
    before: Before,
    plan: Plan,
    matrix: Matrix,
    results: Sequence[CellResult],
    *,
    judged: Judged,
    root: Path,
    sizes: Sizes,
    image: ImageReader,
    registry: str = "",
    warn: Callable[[str], None] | None = None,
) -> Impact:
    """Put together what a change does.

    Args:
        before: the repository before it.
        plan: what is to be built, of all environments.
        matrix: what there is to prove, of all components.
        results: where each cell stands, see :func:`eggcrate.matrix.standing.standing`.
        judged: the environments of :func:`concerned` as rules look at them, and those whose
            rules cannot be read.
        root: the repository.
        sizes: gives the size of files.
        image: gives an image's manifest.
        registry: where images are published; empty for nowhere.
        warn: told what could not be looked at.
    """
    subjects, unread = judged
    told = judge(subjects)
    judgement = Judgement(violations=told.violations, errors={**unread, **told.errors})
    budgets = {one.name: one.policy.max_size for one in subjects if one.policy.max_size is not None}
    environments = environment_impacts(
        Looked(
            before=before,
            now=plan.resolved,
            plan=plan,
            sizes=sizes,
            image=image,
            budgets=budgets,
        )
    )
    touched = frozenset(one.name for one in environments)
    renamed = {one.renamed_from: one.name for one in environments if one.renamed_from}
    components = component_impacts(matrix, before, results, touched, renamed)
    mine = [one for component in components for one in component.results]
    proven, failed, unproven = counted(mine)
    errors = _errors(matrix, touched, root)
    for warning in matrix.warnings:
        if warn:
            warn(warning)
    names = {one.environment for one in plan.environments}
    return Impact(
        base=before.revision,
        commit=before.commit,
        changed_files=len(before.changed),
        environments=environments,
        unchanged=len(names - touched),
        components=components,
        decisions=decisions(environments, components, judgement, errors, unproven),
        judgement=judgement,
        registry=registry,
        errors=errors,
        proven=proven,
        failed=failed,
        unproven=unproven,
    )


def _errors(matrix: Matrix, touched: frozenset[str], root: Path) -> dict[str, EggcrateError]:
    """What stands in the way of proving; of changed environments it is told with them."""
    found = {
        subject: error
        for subject, error in matrix.errors.items()
        if subject.partition("/")[2] not in touched or not subject.startswith("environments/")
    }
    return {subject: _told(error, root) for subject, error in found.items()} | {
        f"components/{name}": _homeless(name) for name in matrix.homeless
    }


def _told(error: EggcrateError, root: Path) -> EggcrateError:
    """An error that names files from the repository: it is read elsewhere."""
    parts = (error.what, error.why, error.hint)
    what, why, hint = (part.replace(f"{root}/", "") for part in parts)
    return type(error)(what, why=why, hint=hint)


def _homeless(name: str) -> EggcrateError:
    return ConfigError(
        f"no environment satisfies {name} any more",
        hint="eggcrate matrix --list shows what each environment lacks",
    )
