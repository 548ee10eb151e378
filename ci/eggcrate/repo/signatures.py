"""What a component or pipeline takes and gives, read from its source: nothing is imported.

It is for people: texts as they are written. What KFP makes of it is decided by KFP, see
:mod:`eggcrate.pipelines.reading`.
"""

from __future__ import annotations

import ast
import enum
import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_ARTIFACTS = {"Input": False, "Output": True, "InputPath": False, "OutputPath": True}
"""KFP's words for artifacts, and whether each is given rather than taken."""
_RETURNED = "Output"
"""What KFP calls the only value that a function returns."""
_ENTRY = re.compile(r"(\w+)(?:\s*\([^)]*\))?:\s*(.*)")


class PortKind(enum.Enum):
    """What passes through a port."""

    ARTIFACT = "artifact"
    PARAMETER = "parameter"


@dataclass(frozen=True, kw_only=True)
class Port:
    """One input or output."""

    name: str
    kind: PortKind
    type: str
    """As it is written, such as ``int``; of an artifact what it is, such as ``Dataset``."""
    default: str | None = None
    """As it is written; ``None`` for an input that must be given."""
    about: str = ""
    """What its docstring says of it, on one line."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A documented function."""

    function: str
    summary: str
    """What its decorator describes it by, else the first line of its docstring."""
    text: str
    """The rest of it, up to the sections that name parameters."""
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


def read_signature(path: Path, name: str) -> Signature:
    """The function in a file that is called like its folder, or the only public one.

    Raises:
        SourceError: the file cannot be read, is no Python, or has no such function.
    """
    module = parse(path)
    functions = [
        node
        for node in module.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]
    found = next((one for one in functions if one.name == name), None)
    if found is None and len(functions) == 1:
        found = functions[0]
    if found is None:
        raise SourceError(
            f"{path} does not say which of its functions is meant",
            why=f"it has {len(functions)} public functions, none is called {name}",
            hint=f"name one {name}, or begin the names of the others with _",
        )
    summary, text, told = _docstring(found)
    ports = list(_arguments(found, told))
    return Signature(
        function=found.name,
        summary=_described(found)
        or summary
        or (ast.get_docstring(module) or "").partition("\n")[0],
        text=text,
        inputs=tuple(port for port, given in ports if not given),
        outputs=(*(port for port, given in ports if given), *_returned(found, module)),
    )


def parse(path: Path) -> ast.Module:
    """A file's syntax.

    Raises:
        SourceError: it cannot be read, or is no Python.
    """
    try:
        return ast.parse(path.read_bytes(), str(path))
    except OSError as error:
        raise SourceError(f"{path} cannot be read", why=error.strerror or str(error)) from error
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise SourceError(f"{path}:{line}: is not valid Python", why=str(error)) from error


def _described(function: ast.FunctionDef) -> str:
    """Of ``@dsl.pipeline(description="…")``."""
    for decorator in function.decorator_list:
        for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
            value = keyword.value
            if keyword.arg == "description" and isinstance(value, ast.Constant):
                return str(value.value).strip()
    return ""


def _docstring(function: ast.FunctionDef) -> tuple[str, str, Mapping[str, str]]:
    """Summary, text and what is said of each parameter, in Google's style."""
    lines = (ast.get_docstring(function) or "").splitlines()
    text: list[str] = []
    told: dict[str, list[str]] = {}
    section, current = "", ""
    for line in lines[1:]:
        heading = re.fullmatch(r"(Args|Arguments|Returns|Raises|Yields|Example|Examples):", line)
        if heading:
            section, current = heading[1], ""
        elif not section:
            text.append(line)
        elif section in ("Args", "Arguments") and line.strip():
            depth = len(line) - len(line.lstrip())
            entry = _ENTRY.fullmatch(line.strip()) if depth <= 4 else None  # noqa: PLR2004 - one step
            if entry:
                current = entry[1]
                told[current] = [entry[2]]
            elif current:
                told[current].append(line.strip())
    joined = {name: " ".join(parts).strip() for name, parts in told.items()}
    return (lines[0].strip() if lines else ""), inspect.cleandoc("\n".join(text)).strip(), joined


def _arguments(function: ast.FunctionDef, told: Mapping[str, str]) -> Iterator[tuple[Port, bool]]:
    """Each with whether it is an output."""
    arguments = function.args
    plain = [*arguments.posonlyargs, *arguments.args]
    given = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = [
        *zip(plain, given, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    for argument, default in pairs:
        kind, type_, output = _type(argument.annotation)
        port = Port(
            name=argument.arg,
            kind=kind,
            type=type_,
            default=ast.unparse(default) if default is not None else None,
            about=told.get(argument.arg, ""),
        )
        yield port, output


def _type(annotation: ast.expr | None) -> tuple[PortKind, str, bool]:
    """Kind, name of the type, and whether it is an output."""
    if isinstance(annotation, ast.Subscript) and _last(annotation.value) == "Annotated":
        inner = annotation.slice
        return _type(inner.elts[0] if isinstance(inner, ast.Tuple) and inner.elts else inner)
    if isinstance(annotation, ast.Subscript) and _last(annotation.value) in _ARTIFACTS:
        inside, word = annotation.slice, _last(annotation.value)
        return PortKind.ARTIFACT, _last(inside) or ast.unparse(inside), _ARTIFACTS[word]
    if isinstance(annotation, ast.Call) and _last(annotation.func) in _ARTIFACTS:
        first = annotation.args[0] if annotation.args else None
        named = str(first.value) if isinstance(first, ast.Constant) else _last(first)
        return PortKind.ARTIFACT, named or "Artifact", _ARTIFACTS[_last(annotation.func)]
    if annotation is None:
        return PortKind.PARAMETER, "", False
    return PortKind.PARAMETER, ast.unparse(annotation), False


def _last(node: ast.expr | None) -> str:
    """``Dataset`` of ``dsl.Dataset``."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _returned(function: ast.FunctionDef, module: ast.Module) -> Iterator[Port]:
    """What it returns: the fields of a named tuple, else one value."""
    told = function.returns
    if told is None or (isinstance(told, ast.Constant) and told.value is None):
        return
    fields = _fields(told, module)
    if fields is not None:
        for name, annotation in fields:
            yield _output(name, annotation)
    else:
        yield _output(_RETURNED, told)


def _output(name: str, annotation: ast.expr) -> Port:
    last = _last(annotation)
    if isinstance(annotation, ast.Attribute) and last[:1].isupper():  # dsl.Model
        return Port(name=name, kind=PortKind.ARTIFACT, type=last)
    kind, type_, _ = _type(annotation)
    return Port(name=name, kind=kind, type=type_)


def _fields(told: ast.expr, module: ast.Module) -> list[tuple[str, ast.expr]] | None:
    """Of ``NamedTuple("Name", [("rows", int)])``, or of a class of the file that is one."""
    if isinstance(told, ast.Constant) and isinstance(told.value, str):
        told = ast.Name(id=told.value)
    if isinstance(told, ast.Name):
        for node in module.body:
            if isinstance(node, ast.ClassDef) and node.name == told.id:
                if "NamedTuple" not in map(_last, node.bases):
                    return None
                return [
                    (item.target.id, item.annotation)
                    for item in node.body
                    if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
                ]
        return None
    if isinstance(told, ast.Call) and _last(told.func) == "NamedTuple" and len(told.args) > 1:
        pairs = told.args[1]
        items = pairs.elts if isinstance(pairs, ast.List | ast.Tuple) else []
        return [
            (str(item.elts[0].value), item.elts[1])
            for item in items
            if isinstance(item, ast.Tuple)
            and len(item.elts) == 2  # noqa: PLR2004 - name and type
            and isinstance(item.elts[0], ast.Constant)
        ]
    return None
