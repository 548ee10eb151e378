"""``components/<name>/examples/<case>/example.toml`` as a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from eggcrate.errors import ConfigError
from eggcrate.matrix.expectations import faults
from eggcrate.repo.document import Table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eggcrate.repo.values import Component

FILE = "example.toml"
_KEYS = ("description", "flavours", "serve", "inputs", "expect")
_FLAVOUR = "{flavour}"


@dataclass(frozen=True, kw_only=True, order=True)
class Upstream:
    """An artifact that another component's example gives."""

    component: str
    case: str
    output: str


@dataclass(frozen=True, kw_only=True)
class Example:
    """A call of a component, and what must come of it."""

    component: str
    name: str
    path: Path
    """Its folder."""
    description: str = ""
    flavours: tuple[str, ...] = ()
    """Those it is for; empty: all."""
    serve: str = ""
    """A file in the component's tests folder: a server to run beside it; empty: none."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """By name: values of parameters, and of artifacts a file's path or a table that tells where
    it comes from."""
    expect: Mapping[str, Any] = field(default_factory=dict)
    """By name of output; see :mod:`eggcrate.matrix.expectations`."""

    def __str__(self) -> str:
        return f"{self.component}/{self.name}"

    @property
    def upstream(self) -> tuple[Upstream, ...]:
        """The examples that must run before it."""
        return tuple(
            found for value in self.inputs.values() if (found := upstream_of(value)) is not None
        )


def read_examples(component: Component, root: Path) -> tuple[Example, ...]:
    """All examples of a component, sorted by name.

    Args:
        component: whose.
        root: the repository, or a copy of its code.

    Raises:
        ConfigError: one of them is not valid; the message names file and line.
    """
    folder = root / "components" / component.name / "examples"
    if not folder.is_dir():
        return ()
    if (folder / FILE).exists():
        raise ConfigError(
            f"{folder / FILE} is not in a folder of its own",
            why="each folder in examples/ is a case, and its name is the case's",
            hint=f"move it to examples/CASE/{FILE}",
        )
    cases = sorted(path for path in folder.iterdir() if path.is_dir() and is_case(path.name))
    return tuple(_read(component, path) for path in cases)


def is_case(name: str) -> bool:
    """Whether a folder in ``examples/`` is a case, by its name."""
    return not name.startswith((".", "_"))


def upstream_components(
    component: Component, components: Mapping[str, Component], root: Path
) -> tuple[str, ...]:
    """Names of the other components whose examples a component's begin with, however far back.

    What proves a component depends on their files too. Examples that cannot be read have none.

    Args:
        component: whose.
        components: all there are, by name.
        root: the repository.

    Raises:
        ConfigError: an example begins, in the end, with itself.
    """
    found: dict[str, tuple[Example, ...]] = {}
    names = [component.name]
    for name in names:  # grows while it is read
        if name in found:
            continue
        found[name] = _readable(components.get(name), root)
        names += [item.component for example in found[name] for item in example.upstream]
    every = {str(example): example for examples in found.values() for example in examples}
    for example in every.values():
        _check_circle(example, every, ())
    return tuple(sorted(set(found) & set(components) - {component.name}))


def _readable(component: Component | None, root: Path) -> tuple[Example, ...]:
    try:
        return read_examples(component, root) if component else ()
    except ConfigError:
        return ()


def _check_circle(example: Example, every: Mapping[str, Example], above: tuple[str, ...]) -> None:
    if str(example) in above:
        raise ConfigError(
            f"example {example} begins with itself", why=" → ".join([*above, str(example)])
        )
    for item in example.upstream:
        if (other := every.get(f"{item.component}/{item.case}")) is not None:
            _check_circle(other, every, (*above, str(example)))


def upstream_of(value: Any) -> Upstream | None:
    """The example that an input comes from; nothing when it comes from none.

    Raises:
        ConfigError: it is not written as one.
    """
    if not isinstance(value, dict) or "example" not in value:
        return None
    component, _, case = str(value["example"]).partition("/")
    if set(value) != {"example", "output"} or not case:
        raise ConfigError(
            f"an input cannot come from {value!r}",
            hint='write { example = "component/case", output = "name" }',
        )
    return Upstream(component=component, case=case, output=str(value["output"]))


def with_flavour(value: Any, flavour: str) -> Any:
    """A value with ``{flavour}`` replaced in all its texts."""
    if isinstance(value, str):
        return value.replace(_FLAVOUR, flavour)
    if isinstance(value, list):
        return [with_flavour(item, flavour) for item in value]
    if isinstance(value, dict):
        return {key: with_flavour(item, flavour) for key, item in value.items()}
    return value


def _read(component: Component, path: Path) -> Example:
    file = Table.read(
        path / FILE,
        missing=f"each folder in examples/ is a case and has an {FILE}, "
        "unless its name begins with _",
    )
    file.only(_KEYS)
    flavours = file.strings("flavours")
    for flavour in flavours:
        if flavour not in component.flavours:
            known = ", ".join(component.flavours) or "none"
            raise file.error(
                flavour, f"is no flavour of {component.name}", hint=f"there are: {known}"
            )
    example = Example(
        component=component.name,
        name=path.name,
        path=path,
        description=file.string("description"),
        flavours=flavours,
        serve=_serve(file, path),
        inputs=file.table("inputs").data,
        expect=file.table("expect").data,
    )
    _check_origins(example, file.table("inputs"))
    _check_expectations(example, file.table("expect"))
    return example


def _serve(file: Table, path: Path) -> str:
    name = file.string("serve")
    tests = path.parent.parent / "tests"
    if name and ("/" in name or not (tests / name).is_file()):
        raise file.error(
            "serve",
            f"names no file in {tests}: {name!r}",
            hint="its serving() is a context manager that gives variables",
        )
    return name


def _check_origins(example: Example, inputs: Table) -> None:
    for name, value in example.inputs.items():
        try:
            upstream_of(value)
        except ConfigError as error:
            raise inputs.error(name, error.what, hint=error.hint) from None


def _check_expectations(example: Example, expect: Table) -> None:
    for name, wanted in example.expect.items():
        for problem in faults(wanted):
            raise expect.error(name, problem)
