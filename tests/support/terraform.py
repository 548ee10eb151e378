"""Terraform's files, judged without the provider: by its schema, and by what they refer to."""

from __future__ import annotations

import difflib
import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hcl2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_META = frozenset({"count", "for_each", "provider", "depends_on"})
_META_BLOCKS = frozenset({"lifecycle"})
MARKS = frozenset({"__is_block__", "__comments__", "__inline_comments__"})
_RESOURCE = re.compile(
    r"\b(google_\w+)\.(\w+)((?:\[(?:[^\[\]]|\[[^\]]*\])*\])?)(?:\.([A-Za-z_]\w*))?"
)
_LITERAL = re.compile(r'"([^"$]*)"')
_NAMED = re.compile(r"\b(var|local|module)\.(\w+)(?:\.(\w+))?")


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One ``resource`` block."""

    file: str
    kind: str
    name: str
    body: Mapping[str, Any]

    @property
    def address(self) -> str:
        """As Terraform writes it, behind its file."""
        return f"{self.file}: {self.kind}.{self.name}"


def parsed(folder: Path) -> dict[str, dict[str, Any]]:
    """Every file of a module, by name."""
    return {path.name: _read(path.read_text()) for path in sorted(folder.glob("*.tf"))}


@functools.cache
def _read(text: str) -> dict[str, Any]:
    found: dict[str, Any] = hcl2.loads(text)
    return found


def resources(folder: Path) -> list[Resource]:
    """Every resource of a module."""
    return [
        Resource(file=file, kind=plain(kind), name=plain(name), body=body)
        for file, document in parsed(folder).items()
        for item in document.get("resource", ())
        for kind, named in item.items()
        if kind not in MARKS
        for name, body in named.items()
    ]


def schema_problems(folder: Path, schema: Mapping[str, Any]) -> list[str]:
    """What the provider would refuse: unknown, missing, and blocks that are none."""
    found = []
    for one in resources(folder):
        if one.kind not in schema:
            found.append(f"{one.address}: no such resource is known")
            continue
        found += _judge(one.body, schema[one.kind], one.address, top=True)
    return found


def _judge(
    body: Mapping[str, Any], schema: Mapping[str, Any], where: str, *, top: bool = False
) -> Iterator[str]:
    attributes, blocks = schema["attributes"], schema["blocks"]
    given: set[str] = set()
    for key, inner, value in members(body):
        if top and (key in _META or (key in _META_BLOCKS and inner is not None)):
            continue
        given.add(key)
        if inner is None:
            yield from (f"{where}: {told}" for told in _judge_attribute(key, value, schema))
        elif key in blocks:
            yield from _judge(inner, blocks[key], f"{where}.{key}")
        else:
            yield f"{where}: {key} is {'an attribute, not' if key in attributes else 'no'} block"
    for key, told in {**attributes, **blocks}.items():
        if told["required"] and key not in given:
            yield f"{where}: {key} is missing"


def _judge_attribute(key: str, value: object, schema: Mapping[str, Any]) -> Iterator[str]:
    attributes, blocks = schema["attributes"], schema["blocks"]
    if key in blocks:
        yield f"{key} is a block, not an attribute"
    elif key not in attributes:
        near = difflib.get_close_matches(key, [*attributes, *blocks], n=1)
        yield f"unknown argument {key}" + (f" ({near[0]}?)" if near else "")
    elif literal := _LITERAL.fullmatch(str(value)):
        values = attributes[key].get("values")
        if values and literal[1] not in values:
            yield f"{key} is {literal[1]}, not one of {', '.join(values)}"


def members(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any] | None, object]]:
    """Names in a body, each with its content when it is a block, ``dynamic`` or not."""
    for key, value in body.items():
        if key in MARKS:
            continue
        if key == "dynamic":
            for one in value:
                for label, inner in one.items():
                    if label not in MARKS:
                        [content] = inner["content"]
                        yield plain(label), content, None
        elif isinstance(value, list) and any("__is_block__" in one for one in value):
            for one in value:
                yield key, one, None
        else:
            yield key, None, value


def reference_problems(folder: Path, schema: Mapping[str, Any]) -> list[str]:
    """References to variables, locals, modules and resources that are not there."""
    documents = parsed(folder)
    there = {(one.kind, one.name) for one in resources(folder)}
    variables = _declared(documents, "variable")
    calls = _declared(documents, "module")
    local = {
        key
        for document in documents.values()
        for item in document.get("locals", ())
        for key in item
        if key not in MARKS
    }
    outputs = {
        name: _declared(parsed(folder / plain(body["source"])), "output")
        for name, body in calls.items()
    }
    found = []
    for file, text in expressions(documents):
        for kind, name, _, attribute in resource_references(text):
            if (kind, name) not in there:
                found.append(f"{file}: there is no {kind}.{name}")
            elif attribute and attribute not in _attributes(schema[kind]):
                found.append(f"{file}: {kind} has no {attribute}")
        for what, name, member in _NAMED.findall(text):
            known = {"var": variables, "local": local, "module": calls}[what]
            if name not in known:
                found.append(f"{file}: there is no {what}.{name}")
            elif what == "module" and member not in outputs[name]:
                found.append(f"{file}: module {name} has no output {member}")
    for name, body in calls.items():
        wanted = _declared(parsed(folder / plain(body["source"])), "variable")
        given = {key for key in body if key not in {*MARKS, "source"}}
        found += [f"module {name} has no variable {key}" for key in sorted(given - set(wanted))]
        required = {key for key, one in wanted.items() if "default" not in one}
        found += [f"module {name} is not told {key}" for key in sorted(required - given)]
    return found


def _declared(
    documents: Mapping[str, Mapping[str, Any]], kind: str
) -> dict[str, Mapping[str, Any]]:
    return {
        plain(name): body
        for document in documents.values()
        for item in document.get(kind, ())
        for name, body in item.items()
        if name not in MARKS
    }


def _attributes(schema: Mapping[str, Any]) -> set[str]:
    return {*schema["attributes"], *schema["blocks"], *schema["exports"]}


def resource_references(text: str) -> list[tuple[str, str, str, str]]:
    """Kind, name, index and attribute of each resource that an expression refers to."""
    return [match.groups() for match in _RESOURCE.finditer(text)]  # type: ignore[misc]


def with_references(text: str, replace: Callable[[re.Match[str]], str]) -> str:
    """An expression with something else in place of each resource that it refers to."""
    return _RESOURCE.sub(replace, text)


def expressions(documents: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Every text with an expression in it, with its file."""
    for file, document in documents.items():
        for key, value in document.items():
            if key not in MARKS:
                yield from ((file, text) for text in _texts(value))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if "${" in value:
            yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in MARKS:
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def plain(text: str) -> str:
    """A label without its quotes."""
    return text.strip('"')
