"""The steps of a pipeline, read from its source: which components it calls, and where they run."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.repo.signatures import parse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FOLDER = "components"
_ENVIRONMENT = "environment"


@dataclass(frozen=True, kw_only=True)
class Step:
    """A call of a component."""

    component: str
    environment: str
    """As the call names it; empty: the component's default, or one chosen while compiling."""
    chosen: bool = False
    """Whether the call names it by something else than a text."""


def read_steps(path: Path) -> tuple[Step, ...]:
    """The components that a ``pipeline.py`` calls, in the order of its lines.

    Raises:
        SourceError: it cannot be read, or is no Python.
    """
    module = parse(path)
    names, modules = _imported(module)
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call)]
    found = [
        _step(component, call)
        for call in sorted(calls, key=lambda one: (one.lineno, one.col_offset))
        if (component := _called(call.func, names, modules))
    ]
    return tuple(found)


def _imported(module: ast.Module) -> tuple[dict[str, str], dict[str, str]]:
    """Names that stand for components, and names that stand for modules of components."""
    names: dict[str, str] = {}
    modules: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and not node.level:
            parts = (node.module or "").split(".")
            if parts[0] != _FOLDER or parts[1:2] == ["shared"]:
                continue
            for alias in node.names:
                own = alias.asname or alias.name
                if len(parts) == 1:
                    modules[own] = alias.name
                elif len(parts) == 2 and alias.name != parts[1]:  # noqa: PLR2004 - the package
                    modules[own] = parts[1]
                else:
                    names[own] = parts[1]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                if parts[0] == _FOLDER and len(parts) > 1 and parts[1] != "shared":
                    modules[alias.asname or alias.name] = parts[1]
    return names, modules


def _called(function: ast.expr, names: Mapping[str, str], modules: Mapping[str, str]) -> str:
    """The component that is called; empty when it is none."""
    if isinstance(function, ast.Name):
        return names.get(function.id, "")
    if isinstance(function, ast.Attribute):
        return modules.get(ast.unparse(function.value), "")
    return ""


def _step(component: str, call: ast.Call) -> Step:
    given = next((item.value for item in call.keywords if item.arg == _ENVIRONMENT), None)
    if isinstance(given, ast.Constant) and isinstance(given.value, str):
        return Step(component=component, environment=given.value)
    return Step(component=component, environment="", chosen=given is not None)
