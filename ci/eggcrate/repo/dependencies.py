"""``[project] dependencies`` of a ``pyproject.toml``, edited: comments, order and quotes stay."""

from __future__ import annotations

import bisect
import re
import tomllib
from typing import TYPE_CHECKING, Any

import tomlkit
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from tomlkit.exceptions import TOMLKitError

from eggcrate.errors import ConfigError, UsageError
from eggcrate.parsing import toml_of
from eggcrate.repo.arrays import ArrayText
from eggcrate.repo.environments import requirement

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PROJECT = ("project", "dependencies")
"""Keys that lead to what an environment asks for."""
_PARTS = re.compile(
    r"(?P<name>\s*[\w.-]+(?:\s*\[[^\]]*\])?)"
    r"(?P<range>(?:\s*[^\s;@][^;@]*?)?)"
    r"(?P<rest>\s*(?:[;@].*)?)",
    re.DOTALL,
)
_BY_HAND = "edit [project] dependencies by hand, then run: eggcrate lock"
_NOT_PEP_508 = re.compile(
    r"(?P<name>[\w.-]+)(?:\[.*\])?\s*(?P<operator>@?\^|=(?!=)|@(?=\d))\s*(?P<version>\d.*)"
)


def read_requirement(text: str) -> Requirement:
    """What a person typed as a package to add.

    Raises:
        UsageError: it is no requirement; notations of other tools are named with ours.
    """
    other = _NOT_PEP_508.fullmatch(text.strip())
    try:
        if other is None:
            return requirement(text.strip())
        why = f"{other['operator']} is another tool's notation"
    except InvalidRequirement as error:
        why = str(error).splitlines()[0]
    hint = 'write for example "pandas", "pandas>=2.2,<3" or "pandas==2.2.3", in quotes'
    if other:
        operator = ">=" if "^" in other["operator"] else "=="
        hint = f'write "{other["name"]}{operator}{other["version"]}", in quotes'
    raise UsageError(f"{text!r} is not a package to add", why=why, hint=hint)


def listed(text: str) -> dict[str, tuple[str, ...]]:
    """Normalised name to what is asked for of it; several only where markers tell them apart."""
    found: dict[str, tuple[str, ...]] = {}
    project = toml_of(text).get("project", {})
    for item in project.get("dependencies", []):
        name = _name_of(item)
        found[name] = (*found.get(name, ()), str(item))
    return found


def with_requirement(text: str, wanted: str, *, path: Path) -> str:
    """A ``pyproject.toml`` that asks for a package.

    What it asks of the same package already is replaced where it stands; its extras and its
    marker stay unless others are given. A new one comes where it belongs in a sorted list,
    last in any other.

    Args:
        text: of the ``pyproject.toml``.
        wanted: a PEP 508 requirement, written as it shall stand there.
        path: of the file, for messages.

    Raises:
        ConfigError: the file's dependencies cannot be edited.
    """
    document = _parse(text, path)
    array = _array(document, path)
    names = [_name_of(_value(item.text)) for item in array.items]
    name = _name_of(wanted)
    places = [index for index, one in enumerate(names) if one == name]
    if len(places) > 1:
        asked = requirement(wanted)
        held = {index: requirement(_value(array.items[index].text)) for index in places}
        places = [
            index for index, one in held.items() if asked.marker and one.marker == asked.marker
        ]
        if not places:
            raise ConfigError(
                f"{path} asks for {name} {len(held)} times",
                why="; ".join(map(str, held.values())),
                hint=f'name the marker of one of them, such as "{next(iter(held.values()))}"',
            )
    if places:
        before = array.items[places[0]].text
        changed = array.replaced(
            places[0], _quoted(replaced_requirement(_value(before), wanted), before[:1])
        )
    else:
        changed = array.inserted(_place(array, name), _quoted(wanted, _quote(array)))
    return _written(document, changed, text, path)


def without_requirement(text: str, name: str, *, path: Path) -> str:
    """A ``pyproject.toml`` that does not ask for a package; whoever calls knows that it does."""
    document = _parse(text, path)
    array = _array(document, path)
    wanted = canonicalize_name(name)
    for index in reversed(range(len(array.items))):
        if _name_of(_value(array.items[index].text)) == wanted:
            array = array.removed(index)
    return _written(document, array, text, path)


def replaced_requirement(before: str, wanted: str) -> str:
    """What to ask for instead of ``before``: extras of both, the new range, a marker of either."""
    old, new = requirement(before), requirement(wanted)
    if new.url:
        return f"{wanted} ; {old.marker}" if old.marker and not new.marker else wanted
    parts, given = _PARTS.fullmatch(before), _PARTS.fullmatch(wanted)
    if parts is None or given is None:  # a requirement that packaging reads, and we do not
        return wanted
    more = new.extras - old.extras
    name = parts["name"]
    if more:
        name = f"{name.partition('[')[0].rstrip()}[{','.join(sorted(old.extras | more))}]"
    marker = f"; {old.marker}" if old.url and old.marker else "" if old.url else parts["rest"]
    kept = given["rest"] if new.marker else marker
    return f"{name}{given['range'] or parts['range']}{kept}"


def with_range(wanted: str, range_: str) -> str:
    """A requirement that names no version, with a range."""
    parts = _PARTS.fullmatch(wanted)
    if parts is None:
        raise ValueError(wanted)
    return f"{parts['name'].strip()}{range_}{parts['rest']}"


def _parse(text: str, path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise ConfigError(f"{path} is not valid TOML", why=str(error)) from error


def edited(text: str, at: Sequence[str], name: str, entries: Sequence[str], *, path: Path) -> str:
    """A ``pyproject.toml`` in which a list asks for these requirements of one package.

    Args:
        text: of the ``pyproject.toml``.
        at: keys that lead to the list, such as ``("project", "dependencies")``.
        name: normalised, of the package.
        entries: all that is asked for of it; none to remove it.
        path: of the file, for messages.

    Raises:
        ConfigError: the list cannot be edited.
    """
    document = _parse(text, path)
    table: Any = document
    for key in at[:-1]:
        table = table[key]
    array = _read_array(table[at[-1]], path)
    places = [i for i, item in enumerate(array.items) if _name_of(_value(item.text)) == name]
    if len(places) == len(entries):
        for place, entry in zip(places, entries, strict=True):
            if _value(array.items[place].text) != entry:
                quoted = _quoted(entry, array.items[place].text[:1])
                array = array.replaced(place, quoted)
    else:
        for place in reversed(places):
            array = array.removed(place)
        for entry in entries:
            array = array.inserted(_place(array, name), _quoted(entry, _quote(array)))
    return _written(document, array, text, path, at=at)


def _place(array: ArrayText, name: str) -> int:
    """Where a new package belongs: in its place in a sorted list, last in any other."""
    names = [_name_of(_value(item.text)) for item in array.items]
    is_sorted = len(names) > 1 and names == sorted(names)
    return bisect.bisect_right(names, name) if is_sorted else len(names)


def _array(document: tomlkit.TOMLDocument, path: Path) -> ArrayText:
    project: Any = document.get("project")
    if not isinstance(project, dict):
        raise ConfigError(
            f"{path} has no [project] table",
            why="Poetry's own [tool.poetry.dependencies] is read, and not edited"
            if document.get("tool", {}).get("poetry")
            else "",
            hint="name its dependencies under [project], as environments/_template does",
        )
    if "dependencies" in project.get("dynamic", ()):
        raise ConfigError(
            f"{path} says that its dependencies are dynamic",
            why="they stand somewhere else than under [project]",
            hint=_BY_HAND,
        )
    if "dependencies" not in project:
        project["dependencies"] = tomlkit.array()
    return _read_array(project["dependencies"], path)


def _read_array(value: Any, path: Path) -> ArrayText:
    try:
        return ArrayText.parse(value.as_string())
    except (ValueError, AttributeError) as error:
        raise _cannot(path, str(error)) from error


def _written(
    document: tomlkit.TOMLDocument,
    array: ArrayText,
    before: str,
    path: Path,
    *,
    at: Sequence[str] = PROJECT,
) -> str:
    """The whole file with another array, proven to differ in nothing else."""
    old = toml_of(before)
    try:
        value: Any = tomlkit.parse(f"x = {array}")["x"]
        table: Any = document
        for key in at[:-1]:
            table = table[key]
        table[at[-1]] = value
        text = tomlkit.dumps(document)
        new = toml_of(text)
    except (TOMLKitError, tomllib.TOMLDecodeError) as error:
        raise _cannot(path, str(error)) from error
    _taken_out(old, at)
    if _taken_out(new, at) != value.unwrap() or new != old:
        raise _cannot(path, "something else in it would change")
    return text


def _taken_out(document: dict[str, Any], at: Sequence[str]) -> Any:
    """The value at these keys, which the document no longer holds then."""
    table = document
    for key in at[:-1]:
        table = table[key]
    return table.pop(at[-1], None)


def _cannot(path: Path, why: str) -> ConfigError:
    return ConfigError(f"{path} cannot be edited", why=why, hint=_BY_HAND)


def _value(text: str) -> str:
    return str(toml_of(f"x = {text}")["x"])


def _name_of(text: str) -> str:
    found = re.match(r"\s*([\w.-]+)", text)
    return canonicalize_name(found[1]) if found else ""


def _quote(array: ArrayText) -> str:
    marks = [item.text[:1] for item in array.items if item.text[:1] in {'"', "'"}]
    return max(marks, key=marks.count) if marks else '"'


def _quoted(text: str, quote: str) -> str:
    """A TOML string, with these quotes where the text allows it."""
    other = {"'": '"', '"': "'"}.get(quote, '"')
    for mark in (quote, other):
        if mark in {'"', "'"} and mark not in text and "\\" not in text:
            return f"{mark}{text}{mark}"
    return tomlkit.string(text).as_string()
