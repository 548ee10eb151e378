"""The code of a new component or pipeline: its template's, under a name of its own."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from typing import TYPE_CHECKING

from eggcrate.errors import ConfigError, UsageError
from eggcrate.repo.templates import LEFT_OUT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_DEFAULTS = {"str": '""', "int": "0", "float": "0.0", "bool": "False"}
_INPUT = re.compile(r"(?P<name>[A-Za-z_]\w*):(?P<type>\w+)")


def check_description(text: str) -> str:
    """A description that can stand in a docstring.

    Raises:
        UsageError: it cannot.
    """
    if not text.strip() or '"' in text or "\\" in text or "\n" in text:
        raise UsageError(
            f"{text!r} is not a description",
            why="it stands in Python's docstrings: one line without quotes and backslashes",
            hint="write one short sentence",
        )
    return text.strip()


def read_inputs(texts: Sequence[str]) -> dict[str, str]:
    """Name to type of inputs, as they are typed: ``threshold:float``.

    Raises:
        UsageError: one is none.
    """
    found: dict[str, str] = {}
    for text in texts:
        match = _INPUT.fullmatch(text.strip())
        if match is None or match["type"] not in _DEFAULTS or match["name"] in found:
            raise UsageError(
                f"{text!r} is not an input",
                why=f"an input is NAME:TYPE, each name once; types are {', '.join(_DEFAULTS)}",
                hint="for example threshold:float; artifacts are written into component.py",
            )
        found[match["name"]] = match["type"]
    return found


def renamed_files(
    template: Path, name: str, description: str, *, module: str
) -> tuple[dict[str, str], str]:
    """The Python files of a template with its function's name and description changed.

    Args:
        template: its folder.
        name: of the function.
        description: in place of the template's own, which stands in its ``pyproject.toml`` or
            as the first line of its module.
        module: the file that holds the function: ``component.py``.

    Returns:
        Text of each file by its path in the folder, and the function's name in the template.

    Raises:
        ConfigError: the template cannot be understood.
    """
    tree = parsed(template / module)
    old = function_of(tree, template / module)
    placeholder = (ast.get_docstring(tree) or "").partition("\n")[0].rstrip(".")
    found = {}
    for path in sorted(template.rglob("*.py")):
        if path.name not in LEFT_OUT(str(path.parent), [path.name]):
            text = _renamed(path.read_text(encoding="utf-8"), old, name)
            if placeholder:
                text = text.replace(f'"{placeholder}', f'"{description.rstrip(".")}')
            found[path.relative_to(template).as_posix()] = text
    return found, old


def parsed(path: Path) -> ast.Module:
    """A template's code.

    Raises:
        ConfigError: it is missing, or not Python.
    """
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be copied", why=str(error)) from error


def function_of(tree: ast.Module, path: Path) -> str:
    """The one function that is decorated.

    Raises:
        ConfigError: there is none, or there are several.
    """
    found = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.decorator_list]
    if len(found) != 1:
        raise ConfigError(
            f"{path} cannot be copied",
            why=f"it holds {len(found)} decorated functions: one was expected",
        )
    return found[0].name


def _renamed(text: str, old: str, new: str) -> str:
    """Python code in which a name is another one; texts and comments stay."""
    lines = text.splitlines(keepends=True)
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    places = [one.start for one in tokens if one.type == tokenize.NAME and one.string == old]
    for row, column in reversed(places):
        line = lines[row - 1]
        lines[row - 1] = f"{line[:column]}{new}{line[column + len(old) :]}"
    return "".join(lines)


def with_inputs(text: str, inputs: dict[str, str], path: Path) -> str:
    """A component's code with more inputs, each with a default.

    Each is written into an output's metadata until its author does something better with it.

    Raises:
        UsageError: the function has an input of the name already.
        ConfigError: it has no output whose metadata could hold them.
    """
    if not inputs:
        return text
    tree = ast.parse(text)
    [function] = [
        one for one in tree.body if isinstance(one, ast.FunctionDef) and one.decorator_list
    ]
    arguments = function.args.args
    if taken := [one.arg for one in arguments if one.arg in inputs]:
        raise UsageError(
            f"the template has an input {taken[0]!r} already", hint="name it otherwise"
        )
    outputs = [
        one.arg
        for one in arguments
        if isinstance(one.annotation, ast.Subscript)
        and ast.unparse(one.annotation.value).rpartition(".")[2] == "Output"
    ]
    returns = [one for one in function.body if isinstance(one, ast.Return)]
    if not outputs or not returns:
        raise ConfigError(
            f"{path} cannot take inputs", why="it has no output artifact, or no return"
        )
    lines = text.splitlines(keepends=True)
    told = [f'    {outputs[0]}.metadata["{name}"] = {name}\n' for name in inputs]
    lines.insert(returns[-1].lineno - 1, "".join(told))
    lines = _documented(lines, function, inputs)
    end = max((one.end_lineno or 0, one.end_col_offset or 0) for one in _ends(function.args))
    line = lines[end[0] - 1]
    indent = line[: len(line) - len(line.lstrip())]
    alone = line.lstrip().startswith(f"{arguments[-1].arg}:")
    between = f",\n{indent}" if alone else ", "
    more = "".join(f"{between}{name}: {kind} = {_DEFAULTS[kind]}" for name, kind in inputs.items())
    lines[end[0] - 1] = f"{line[: end[1]]}{more}{line[end[1] :]}"
    return "".join(lines)


def _ends(arguments: ast.arguments) -> list[ast.arg | ast.expr]:
    return [*arguments.args, *arguments.defaults]


def _documented(lines: list[str], function: ast.FunctionDef, inputs: dict[str, str]) -> list[str]:
    """With a line for each input at the end of the docstring's ``Args:``, where it has one."""
    start = next(
        (n for n in range(function.lineno, len(lines)) if lines[n].strip() == "Args:"), None
    )
    if start is None:
        return lines
    end = next((n for n in range(start, len(lines)) if not lines[n].strip()), len(lines))
    if '"""' in "".join(lines[start:end]):
        return lines
    told = [f"        {name}: What it is.\n" for name in inputs]
    return [*lines[:end], *told, *lines[end:]]
