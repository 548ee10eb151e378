"""Imports that cannot work, found before anything is built: by source and locks alone.

The rule, for what a component's modules import from outside the repository:

- What happens whenever the component is imported must be given by every environment that is
  compatible with it, whatever its flavours: by one of its packages, or its Python.
- What happens only sometimes (in a function, under a condition, in a module that only a
  function imports) must be given by one of those environments at least; in a helper, which
  serves other components too, by one of the repository's. It is not judged while one of the
  component's flavours has no environment, since it may be that flavour's, nor when only some
  environments are looked at.
- ``eggcrate`` and ``kfp.dsl`` travel with the code, and are given everywhere.
- What the program is prepared to do without (``try`` and ``except ImportError``, ``if
  TYPE_CHECKING``) is not asked for.

What it imports from the repository must be there. Tests' imports from outside are their own
affair: a cell's harness adds to them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eggcrate.errors import SourceError
from eggcrate.matrix import imports_told as told
from eggcrate.repo.stdlib import is_standard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from eggcrate.errors import EggcrateError
    from eggcrate.matrix.cells import Cell
    from eggcrate.matrix.imports_told import Problem
    from eggcrate.packages.distribution import Distribution
    from eggcrate.repo.closure import Closure, Import
    from eggcrate.repo.values import Component

_TRAVELS = frozenset({"kfp.dsl"})
"""Of KFP, what its executor needs; ``eggcrate`` is a single module beside it."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What an environment gives to imports."""

    python: str
    """Version, such as ``3.11.2``."""
    distributions: tuple[Distribution, ...]
    complete: bool = True
    """Whether nothing else can be in it; a ``Dockerfile`` may add anything."""


@dataclass(frozen=True, kw_only=True)
class ImportsCheck:
    """What the check found, and what it could not look at."""

    errors: Mapping[str, EggcrateError]
    """By folder, such as ``components/predict``: one for each component, with all its imports
    that cannot work."""
    unjudged: tuple[str, ...] = ()
    """Environments that may give an import or not: a package of theirs could not be looked
    into, or a ``Dockerfile`` may add it."""

    @property
    def warning(self) -> str:
        """What to tell of those environments, in one line; empty when there are none."""
        if not self.unjudged:
            return ""
        return (
            f"imports were not all checked against {told.several(self.unjudged)}: a Dockerfile "
            "may add packages, or what is in one is not known here and no index could be asked"
        )


def check_imports(
    components: Mapping[str, Component],
    closures: Mapping[str, Closure],
    cells: Iterable[Cell],
    contents: Mapping[str, Contents],
    *,
    provided: Callable[[Sequence[Distribution]], Mapping[Distribution, frozenset[str] | None]],
    whole: bool,
) -> ImportsCheck:
    """Find what components import and do not get.

    Args:
        components: by name.
        closures: their files, by the same names; those that could not be read are missing.
        cells: all that are compatible, selected or not.
        contents: of each environment that cells name; cells of others are not judged.
        provided: gives the modules in packages, as
            :func:`eggcrate.packages.modules.provided_modules` does; called once.
        whole: whether ``contents`` has every environment of the repository.
    """
    fitting: dict[str, dict[str, set[str]]] = {}
    for cell in cells:
        if cell.environment in contents:
            flavours = fitting.setdefault(cell.component, {})
            flavours.setdefault(cell.environment, set()).add(cell.flavour)
    asked = any(_asked(closure) for closure in closures.values())
    packages = dict.fromkeys(d for each in contents.values() for d in each.distributions)
    judge = _Judge(contents=contents, modules=provided(tuple(packages)) if asked else {})
    errors: dict[str, EggcrateError] = {}
    for name, closure in closures.items():
        component = components[name]
        homes = fitting.get(name, {})
        at_home = {flavour for flavours in homes.values() for flavour in flavours}
        sometimes = whole and at_home >= component.flavours.keys()
        problems = [
            *told.not_there(closure, others=closures.keys() - {name}),
            *_lacking(component, closure, tuple(sorted(homes)), judge, sometimes=sometimes),
            *told.no_data(component, closure),
        ]
        if problems:
            errors[f"components/{name}"] = _together(problems)
    return ImportsCheck(errors=errors, unjudged=tuple(sorted(judge.unjudged)))


@dataclass(kw_only=True)
class _Judge:
    """Which environments give an import; each import is looked for once."""

    contents: Mapping[str, Contents]
    modules: Mapping[Distribution, frozenset[str] | None]
    unjudged: set[str] = field(default_factory=set)
    _givers: dict[tuple[str, str], dict[str, Distribution]] = field(default_factory=dict)
    _hashes: dict[str, frozenset[str]] = field(default_factory=dict)
    _inner: dict[str, tuple[frozenset[str], frozenset[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._unknown = frozenset(d.sha256 for d, found in self.modules.items() if found is None)
        self._all = {d.sha256: d for d, found in self.modules.items() if found is not None}
        for name, each in self.contents.items():
            self._hashes[name] = frozenset(d.sha256 for d in each.distributions)
        for distribution, found in self.modules.items():
            if found is not None:
                self._inner[distribution.sha256] = (found, _above(found))

    def givers(self, item: Import) -> Mapping[str, Distribution]:
        """The packages, of any environment, that give an import; by hash."""
        key = (item.module, item.name)
        if key not in self._givers:
            self._givers[key] = {
                sha256: distribution
                for sha256, distribution in self._all.items()
                if _gives(*self._inner[sha256], item)
            }
        return self._givers[key]

    def lacks(self, environment: str, item: Import) -> bool:
        """Whether an environment certainly does not give an import."""
        if item.module == "eggcrate" or _gives(_TRAVELS, _above(_TRAVELS), item):
            return False
        if is_standard(item.module, self.contents[environment].python):
            return False
        held = self._hashes[environment]
        if not held.isdisjoint(self.givers(item)):
            return False
        if self.contents[environment].complete and held.isdisjoint(self._unknown):
            return True
        self.unjudged.add(environment)
        return False

    def who_gives(self, item: Import) -> tuple[dict[str, Distribution], list[str]]:
        """Packages that give an import, by name, and the environments that hold one."""
        givers = self.givers(item)
        environments = [name for name, held in self._hashes.items() if not held.isdisjoint(givers)]
        return {each.name: each for each in givers.values()}, sorted(environments)


def _above(modules: Iterable[str]) -> frozenset[str]:
    """The namespaces that modules are in."""
    return frozenset(
        ".".join(parts[:depth])
        for parts in (module.split(".") for module in modules)
        for depth in range(1, len(parts))
    )


def _gives(modules: frozenset[str], namespaces: frozenset[str], item: Import) -> bool:
    parts = item.module.split(".")
    if any(".".join(parts[:depth]) in modules for depth in range(1, len(parts) + 1)):
        return True
    if item.module not in namespaces:
        return False
    inner = f"{item.module}.{item.name}"
    return item.name in {"", "*"} or inner in modules or inner in namespaces


def _asked(closure: Closure) -> list[Import]:
    """The imports to look for: the first of each, those that always happen before others."""
    found: dict[tuple[str, str], Import] = {}
    for item in sorted(closure.foreign, key=lambda item: (item.deferred, item)):
        folder = item.module.partition(".")[0]
        ours = any(path.startswith(f"{folder}/") for path in closure.modules)
        if not item.guarded and not ours:  # ours: a namespace that the repository adds to
            found.setdefault((item.module, item.name), item)
    return list(found.values())


def _lacking(
    component: Component,
    closure: Closure,
    homes: tuple[str, ...],
    judge: _Judge,
    *,
    sometimes: bool,
) -> Iterable[Problem]:
    for item in _asked(closure):
        if item.deferred:
            own = item.path.startswith(f"components/{component.name}/")
            places = homes if own else tuple(sorted(judge.contents))
            if not (sometimes and homes):
                continue
            lacking = [name for name in places if judge.lacks(name, item)]
            wrong = len(lacking) == len(places)
            lacking = list(homes)
        else:
            lacking = [name for name in homes if judge.lacks(name, item)]
            wrong = bool(lacking)
        if wrong:
            packages, holders = judge.who_gives(item)
            yield told.not_given(
                component,
                closure,
                item,
                lacking=lacking,
                everywhere=len(lacking) == len(homes),
                packages=packages,
                holders=holders,
            )


def _together(problems: Sequence[Problem]) -> SourceError:
    first, *others = problems
    why = [first.why, *(f"{each.what}" + (f" ({each.why})" if each.why else "") for each in others)]
    hints = dict.fromkeys(problem.hint for problem in problems if problem.hint)
    return SourceError(
        f"{first.what} (and {len(others)} more)" if others else first.what,
        why="\n        ".join(line for line in why if line),
        hint="\n        ".join(hints),
    )
