"""What a run of the matrix is asked for, what there is to prove, and what became of it."""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eggcrate.build.resolve import resolve_all
from eggcrate.errors import ConfigError, EggcrateError
from eggcrate.matrix.cells import Column, Grid, homeless, lay_out
from eggcrate.matrix.imports_check import Contents, ImportsCheck, check_imports
from eggcrate.matrix.released import InUse
from eggcrate.packages.modules import provided_modules
from eggcrate.packages.target import Platform
from eggcrate.repo.closure import closure
from eggcrate.repo.sources import Sources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from eggcrate.build.engine import BuildResult
    from eggcrate.build.resolve import Resolved
    from eggcrate.matrix.cells import Cell, CellResult
    from eggcrate.matrix.released import Released
    from eggcrate.packages.pip_config import PipConfig
    from eggcrate.repo.closure import Closure
    from eggcrate.repo.monorepo import Monorepo
    from eggcrate.repo.values import Component


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What to prove; an empty tuple means all."""

    components: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    flavours: tuple[str, ...] = ()

    def includes(self, folder: str) -> bool:
        """Whether a folder such as ``components/predict`` was asked for."""
        kind, _, name = folder.partition("/")
        asked = self.components if kind == "components" else self.environments
        return not asked or name in asked

    def covers(self, cell: Cell) -> bool:
        """Whether a cell is asked for, wherever it comes from."""
        return all(
            not asked or name in asked
            for asked, name in (
                (self.components, cell.component),
                (self.environments, cell.environment.partition("@")[0]),
                (self.flavours, cell.flavour),
            )
        )


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """What there is to prove, decided before anything is built."""

    components: Mapping[str, Component]
    """Those that were asked for."""
    resolved: tuple[Resolved, ...]
    grid: Grid
    cells: tuple[Cell, ...]
    """Those of the grid that were selected."""
    errors: Mapping[str, EggcrateError]
    """Environments and components that cannot be read or resolved."""
    released: tuple[Released, ...] = ()
    """Published images in use: columns beside the environments of the working tree."""
    warnings: tuple[str, ...] = ()
    """What could not be looked at."""
    homeless: tuple[str, ...] = ()
    """Components that no environment satisfies."""
    on_request: tuple[str, ...] = ()
    """Environments that are left out because none was named."""
    everyone: Mapping[str, Component] = field(default_factory=dict)
    """All components there are."""
    closures: Mapping[str, Closure] = field(default_factory=dict)
    """The files of each component that could be read."""
    unreadable: Mapping[str, EggcrateError] = field(default_factory=dict)
    """Why the others could not; these stand in :attr:`errors` too."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """What became of a matrix."""

    matrix: Matrix
    images: tuple[BuildResult, ...]
    results: tuple[CellResult, ...]
    image_seconds: float
    cell_seconds: float
    disagreements: tuple[CellResult, ...] = ()
    """Cells that were remembered as passed and did not pass when they were run once more."""

    @property
    def seconds(self) -> float:
        """How long all of it took."""
        return self.image_seconds + self.cell_seconds

    @property
    def good(self) -> bool:
        """Whether everything that was asked for is proven."""
        return (
            all(result.outcome.good for result in self.results)
            and not self.matrix.errors
            and not self.matrix.homeless
            and not self.disagreements
        )


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What cells may use unless their component says otherwise."""

    memory: int
    """Bytes."""
    seconds: float
    workers: int
    arguments: tuple[str, ...] = field(default=())
    """Passed on to pytest."""


def decide(
    monorepo: Monorepo,
    selection: Selection,
    *,
    cache: Path | None = None,
    pip: Callable[[], PipConfig] | None = None,
    released: Callable[[Mapping[str, str]], InUse] | None = None,
) -> Matrix:
    """Match components with environments, by locks alone; nothing is run or built.

    Args:
        monorepo: what there is.
        selection: what is asked for.
        cache: the user's, to remember what locks and packages give; without it locks are read
            every time, and imports are not checked.
        pip: gives pip's configuration, when an index must be asked what a package gives.
        released: given each environment and the key of its image, tells the published images in
            use that are others; they are columns too.
    """
    components = {
        name: component
        for name, component in monorepo.components.items()
        if name in selection.components or not selection.components
    }
    left_out = () if selection.environments else monorepo.on_request
    environments = {
        name: environment
        for name, environment in monorepo.environments.items()
        if name not in left_out and selection.includes(f"environments/{name}")
    }
    resolved, failed = resolve_all(
        environments, monorepo.bases, [Platform.of_this_machine()], cache=cache
    )
    columns = [
        Column(
            environment=item.environment.name,
            target=item.recipe.target,
            packages=item.packages,
        )
        for item in resolved
    ]
    grid = lay_out(list(components.values()), columns)
    errors = {
        name: error for name, error in monorepo.broken.items() if selection.includes(name)
    } | {f"environments/{name}": error for name, error in failed.items()}
    whole = not selection.environments and not any("environments/" in name for name in errors)
    alone = tuple(
        name
        for name in (homeless(grid) if whole else ())
        if components[name].environment not in left_out
    )
    settled = {name: item for name, item in components.items() if name not in alone}
    closures, unreadable = _closures(components, monorepo)
    errors |= {f"components/{name}": error for name, error in unreadable.items()}
    unfit = unfit_defaults(settled, grid, monorepo)
    checked = ImportsCheck(errors={})
    if cache:
        checked = check_imports(
            components,
            closures,
            grid.cells,
            {
                item.environment.name: Contents(
                    python=item.recipe.target.python, distributions=item.recipe.distributions
                )
                for item in resolved
            },
            provided=functools.partial(provided_modules, cache=cache, config=pip),
            whole=whole and not left_out,
        )
    published = (
        released(
            # What Docker builds is another image on each machine, whatever its key.
            {
                item.environment.name: "" if item.environment.dockerfile else item.recipe.key
                for item in resolved
            }
        )
        if released
        else InUse(images=())
    )
    more = lay_out(list(components.values()), [one.column for one in published.images])
    grid = Grid(
        cells=(*grid.cells, *more.cells), incompatible=(*grid.incompatible, *more.incompatible)
    )
    return Matrix(
        components=components,
        resolved=tuple(resolved),
        released=published.images,
        grid=grid,
        cells=tuple(cell for cell in grid.cells if selection.covers(cell)),
        errors=errors
        | dict(published.errors)
        | unfit
        | {
            name: _both(unfit[name], error) if name in unfit else error
            for name, error in checked.errors.items()
        },
        warnings=(checked.warning,) if checked.warning else (),
        homeless=alone,
        on_request=left_out,
        everyone=monorepo.components,
        closures=closures,
        unreadable=unreadable,
    )


def _both(one: EggcrateError, other: EggcrateError) -> EggcrateError:
    parts = zip((one.what, one.why, one.hint), (other.what, other.why, other.hint), strict=True)
    what, why, hint = ("; ".join(filter(None, pair)) for pair in parts)
    return ConfigError(what, why=why, hint=hint)


def _closures(
    components: Mapping[str, Component], monorepo: Monorepo
) -> tuple[dict[str, Closure], dict[str, EggcrateError]]:
    sources = Sources(monorepo.root)
    found: dict[str, Closure] = {}
    unreadable: dict[str, EggcrateError] = {}
    for name, component in components.items():
        try:
            found[name] = closure(component, monorepo.root, sources=sources)
        except EggcrateError as error:
            unreadable[name] = error
    return found, unreadable


def unfit_defaults(
    components: Mapping[str, Component], grid: Grid, monorepo: Monorepo
) -> dict[str, EggcrateError]:
    """Components whose default environment does not exist or does not hold what they need."""
    unfit: dict[str, EggcrateError] = {}
    fitting = {(cell.component, cell.environment) for cell in grid.cells}
    for name, component in components.items():
        default = component.environment
        where = f"{component.path / 'pyproject.toml'}: environment {default!r}"
        known = default in monorepo.environments or f"environments/{default}" in monorepo.broken
        if default and not known:
            near = difflib.get_close_matches(default, monorepo.environments, n=1)
            hint = f"did you mean {near[0]}?" if near else "name one that `environments/` holds"
            unfit[f"components/{name}"] = ConfigError(f"{where} does not exist", hint=hint)
        elif (name, default) not in fitting:
            reasons = [
                f"{found.cell.row} {found.reason}"
                for found in grid.incompatible
                if (found.cell.component, found.cell.environment) == (name, default)
            ]
            if reasons:  # none when it was not selected or cannot be read
                unfit[f"components/{name}"] = ConfigError(
                    f"{where} does not hold what the component needs",
                    why="; ".join(reasons),
                    hint="name another environment (eggcrate matrix --list shows which fit)",
                )
    return unfit
