"""The catalogue as tables of Markdown files, each between two marks.

``<!-- catalogue:KIND -->`` … ``<!-- /catalogue -->``: what stands between them is made from the
repository, and made again by ``eggcrate report --catalogue``.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from eggcrate.errors import ConfigError
from eggcrate.report.markdown import at_most
from eggcrate.report.plain import plain
from eggcrate.report.sizes import size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from eggcrate.matrix.catalogue import (
        Catalogue,
        CatalogueComponent,
        CatalogueEnvironment,
        CataloguePipeline,
    )
    from eggcrate.repo.signatures import Port

PAGE = "docs/catalogue.md"
_READ = ("README.md", "docs/*.md")
"""Files that may hold marks."""
_BEGIN = re.compile(r"^<!-- catalogue:(?P<kind>[\w-]+) -->[ \t]*$", re.MULTILINE)
_END = "<!-- /catalogue -->"
_SPECIAL = re.compile(r"[\\`*_<>\[\]|~#&]")
_FEW = 3
"""Packages that a short row names."""
_PAGE = """\
# Catalogue

Environments, components and pipelines of this repository, as their files tell. The tables are
made by `make catalogue`; a component is *compatible* with an environment when its lock satisfies
all that the component needs. What is proven, too, is told by the matrix (`make test-matrix`) and
by the site (`eggcrate report --site`).

## Environments

Sizes are those of the packages: downloaded, and unpacked in the image; base and bytecode come on
top.

<!-- catalogue:environments -->
<!-- /catalogue -->

## Components

<!-- catalogue:components -->
<!-- /catalogue -->

### Where each one fits

<!-- catalogue:fits -->
<!-- /catalogue -->

## Pipelines

<!-- catalogue:pipelines -->
<!-- /catalogue -->
"""


def catalogue_files(root: Path, catalogue: Catalogue) -> dict[Path, str]:
    """Every file with marks as it should be, the page of the catalogue always among them.

    Raises:
        ConfigError: a mark is not understood, or not ended; the message names file and line.
    """
    files = {path for pattern in _READ for path in root.glob(pattern)} | {root / PAGE}
    found = {}
    for path in sorted(files):
        text = path.read_text(encoding="utf-8") if path.exists() else _PAGE
        if _BEGIN.search(text):
            found[path] = filled(text, path, catalogue)
    return found


def filled(text: str, path: Path, catalogue: Catalogue) -> str:
    """A text with what stands between its marks made anew.

    Raises:
        ConfigError: a mark is not understood, or not ended.
    """
    parts, place = [], 0
    for begin in _BEGIN.finditer(text):
        line = text.count("\n", 0, begin.start()) + 1
        if begin.start() < place:
            raise ConfigError(
                f"{path}:{line}: a block of the catalogue begins inside another",
                hint=f"end each with {_END}",
            )
        make = BLOCKS.get(begin["kind"])
        if make is None:
            raise ConfigError(
                f"{path}:{line}: there is no block {begin['kind']!r} of the catalogue",
                hint=f"there are: {', '.join(BLOCKS)}",
            )
        end = text.find(_END, begin.end())
        if end < 0:
            raise ConfigError(
                f"{path}:{line}: the block {begin['kind']} is not ended",
                hint=f"write {_END} on a line of its own after it",
            )
        parts += [text[place : begin.end()], "\n", make(catalogue), "\n"]
        place = end
    return "".join([*parts, text[place:]])


def _text(text: str) -> str:
    """A text of anyone's as one line of Markdown that shows just that text."""
    one_line = " ".join(plain(text).split())
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", one_line)


def _code(text: str) -> str:
    """The same as code; a bar would end a cell of a table even there."""
    return f"`{' '.join(plain(text).replace('`', chr(39)).split())}`".replace("|", "\\|")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], right: str = "") -> str:
    """With the names of columns that hold numbers in ``right``."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return "None yet."
    rule = "|".join("--:" if name in right.split(", ") else "---" for name in head)
    return "\n".join([f"| {' | '.join(head)} |", f"|{rule}|", *lines])


def _packages(main: Sequence[tuple[str, str]], most: int = 99) -> str:
    named = [f"{name} {version}" for name, version in main]
    return ", ".join(at_most(map(_text, named), "{} more", most)) or "none"


def _python(one: CatalogueEnvironment) -> str:
    return ".".join(one.resolved.recipe.target.python.split(".")[:2])


def _until(one: CatalogueEnvironment) -> str:
    return str(one.environment.supported_until or "–")  # noqa: RUF001 - a dash


def _environments(catalogue: Catalogue) -> str:
    head = [
        *("environment", "for", "Python", "main packages", "packages", "download", "unpacked"),
        *("compatible components", "supported until", "owner"),
    ]
    total = len(catalogue.components)
    rows = [
        (
            f"[`{one.name}`](../environments/{one.name}/pyproject.toml)",
            _text(one.environment.description),
            _python(one),
            _packages(one.main),
            str(len(one.contents.packages)),
            size(one.size.download if one.size else None),
            size(one.size.unpacked if one.size else None),
            f"{len(catalogue.components_of(one.name))} of {total}",
            _until(one),
            _text(one.environment.owner) or "–",  # noqa: RUF001 - a dash
        )
        for one in catalogue.environments.values()
    ]
    return _table(head, rows, "packages, download, unpacked, compatible components")


def _short(catalogue: Catalogue) -> str:
    head = ("environment", "Python", "main packages", "unpacked", "components", "until")
    total = len(catalogue.components)
    # First what tells an environment from the others: pandas is in most of them.
    asked = Counter(name for one in catalogue.environments.values() for name, _ in one.main)
    rows = [
        (
            f"`{one.name}`",
            _python(one),
            _packages(sorted(one.main, key=lambda item: asked[item[0]]), _FEW),
            size(one.size.unpacked if one.size else None),
            f"{len(catalogue.components_of(one.name))} of {total}",
            _until(one),
        )
        for one in catalogue.environments.values()
    ]
    return _table(head, rows, "unpacked, components")


def _components(catalogue: Catalogue) -> str:
    total = len(catalogue.environments)
    rows = [
        (
            f"[`{name}`](../components/{name}/component.py)",
            _text(one.component.description or one.signature.summary),
            ", ".join(map(_port, one.signature.inputs)) or "–",  # noqa: RUF001 - a dash
            ", ".join(map(_port, one.signature.outputs)) or "–",  # noqa: RUF001 - a dash
            f"{len(one.environments)} of {total}",
        )
        for name, one in catalogue.components.items()
    ]
    head = ("component", "does", "inputs", "outputs", "environments")
    return _table(head, rows, "environments")


def _port(port: Port) -> str:
    default = f" = {port.default}" if port.default is not None else ""
    return _code(f"{port.name}: {port.type}{default}" if port.type else f"{port.name}{default}")


def _fits(catalogue: Catalogue) -> str:
    """A list and no table: names of twenty environments are no column."""
    total = len(catalogue.environments)
    lines = [line for one in catalogue.components.values() for line in _fitting(one, total)]
    return "\n".join(lines) or "None yet."


def _fitting(one: CatalogueComponent, total: int) -> Iterator[str]:
    component = one.component
    default = f" (by default in `{component.environment}`)" if component.environment else ""
    name = f"- `{component.name}`{default}"
    if not component.flavours:
        yield f"{name}: {_names(one.environments, total)}"
        return
    yield f"{name}:"
    for flavour in component.flavours:
        yield f"  - {_code(flavour)}: {_names(one.of(flavour), total)}"


def _names(names: Sequence[str], total: int) -> str:
    if not names:
        return "nowhere"
    if len(names) == total > 1:
        return f"all {total}"
    return ", ".join(f"`{name}`" for name in names)


def _pipelines(catalogue: Catalogue) -> str:
    rows = [
        (
            f"[`{name}`](../pipelines/{name}/pipeline.py)",
            _text(one.signature.summary),
            " → ".join(_steps(one, catalogue)) or "–",  # noqa: RUF001 - a dash
            ", ".join(map(_code, one.projects)) or "–",  # noqa: RUF001 - a dash
        )
        for name, one in catalogue.pipelines.items()
    ]
    return _table(("pipeline", "does", "steps, each in its environment", "projects"), rows)


def _steps(one: CataloguePipeline, catalogue: Catalogue) -> Iterator[str]:
    for step in one.steps:
        component = catalogue.components.get(step.component)
        default = component.component.environment if component and not step.chosen else ""
        where = step.environment or default
        yield f"`{step.component}`" + (f" in `{where}`" if where else "")


BLOCKS: Mapping[str, Callable[[Catalogue], str]] = {
    "environments": _environments,
    "environments-short": _short,
    "components": _components,
    "fits": _fits,
    "pipelines": _pipelines,
}
"""What may stand between marks."""
