"""`infra/` without the provider: each of its resources stands as a ``terraform_data``.

That resource is Terraform's own and keeps what it is given. So Terraform itself computes every
loop, reference and expression of the real files, offline, and tells what each resource would be
made of. Blocks become lists; what only Google could answer (an id) is a text that names the
resource.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from support.terraform import (
    MARKS,
    Resource,
    expressions,
    members,
    parsed,
    plain,
    resource_references,
    resources,
    with_references,
)

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_OURS = ("count", "for_each", "depends_on", "lifecycle")


def write_standins(infra: Path, folder: Path) -> None:
    """Write a module that Terraform can apply anywhere."""
    shutil.copytree(infra / "modules", folder / "modules")
    for name in ("variables.tf", "outputs.tf"):
        shutil.copy(infra / name, folder / name)
    documents = parsed(infra)
    asked: dict[tuple[str, str], set[str]] = {}
    for _, text in expressions(documents):
        for kind, name, _, attribute in resource_references(text):
            if attribute:
                asked.setdefault((kind, name), set()).add(attribute)
    lines = ['terraform {\n  backend "local" {}\n}']
    for document in documents.values():
        lines += [f"locals {{\n{_assignments(block)}}}" for block in document.get("locals", ())]
        lines += [
            f'module "{name}" {{\n{_assignments(body)}}}'
            for block in document.get("module", ())
            for name, body in _named(block)
        ]
    lines += [_standin(one, asked.get((one.kind, one.name), set())) for one in resources(infra)]
    (folder / "main.tf").write_text("\n\n".join(lines) + "\n")


def _named(block: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((plain(name), body) for name, body in block.items() if name not in MARKS)


def _assignments(body: Mapping[str, Any]) -> str:
    return "".join(
        f"  {name} = {_expression(value)}\n" for name, value in body.items() if name not in MARKS
    )


def _standin(one: Resource, asked: set[str]) -> str:
    given = {key for key, _, _ in members(one.body)}
    computed = {name: f'"{name} of {one.kind}"' for name in sorted(asked - given)}
    lines = [f'resource "terraform_data" "{one.kind}__{one.name}" {{']
    lines += [
        f"  {name} = {_expression(one.body[name])}"
        for name in ("count", "for_each", "depends_on")
        if name in one.body
    ]
    told = ", ".join(f"{name} = {text}" for name, text in computed.items())
    rest = {key: value for key, value in one.body.items() if key not in _OURS}
    lines.append(f"  input = merge({{{told}}}, {_object(rest)})")
    for block in one.body.get("lifecycle", ()):
        for condition in block.get("precondition", ()):
            lines.append(f"  lifecycle {{\n  precondition {{\n{_assignments(condition)}}}\n}}")
    return "\n".join([*lines, "}"])


def _object(body: Mapping[str, Any]) -> str:
    """A body as an object; a block is a list of such, and so is a loop over one."""
    found: dict[str, list[str]] = {}
    for key, value in body.items():
        if key in MARKS:
            continue
        if key == "dynamic":
            for block in value:
                for label, inner in _named(block):
                    items = (
                        f"[for k, v in {_expression(inner['for_each'])} : {{key = k, value = v}}]"
                    )
                    [content] = inner["content"]
                    found.setdefault(label, []).append(
                        f"[for {label} in {items} : {_object(content)}]"
                    )
        elif isinstance(value, list) and any("__is_block__" in one for one in value):
            found.setdefault(key, []).extend(f"[{_object(one)}]" for one in value)
        else:
            found[key] = [_expression(value)]
    inner = ", ".join(
        f"{key} = {texts[0] if len(texts) == 1 else 'concat(' + ', '.join(texts) + ')'}"
        for key, texts in found.items()
    )
    return f"{{{inner}}}"


def _expression(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(_expression(one) for one in value)}]"
    if isinstance(value, dict):
        inner = ", ".join(f"{key} = {_expression(one)}" for key, one in value.items())
        return f"{{{inner}}}"
    text = str(value)
    if text.startswith("${"):
        text = text[2:-1]
    return _renamed(text)


def _renamed(text: str) -> str:
    """With the stand-ins in place of resources."""

    def standin(match: re.Match[str]) -> str:
        kind, name, index, attribute = match.groups()
        plain_name = f"terraform_data.{kind}__{name}{index}"
        return f"{plain_name}.output.{attribute}" if attribute else plain_name

    return with_references(text, standin)


def value_problems(kind: str, value: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """What the provider would refuse of a resource's values.

    Nothing where something must be, and words that are none of those that there are.
    """
    return list(_judge(value, schema, kind))


def _judge(value: Mapping[str, Any], schema: Mapping[str, Any], where: str) -> Iterator[str]:
    for name, told in schema["attributes"].items():
        given = value.get(name)
        if told["required"] and given in (None, ""):
            yield f"{where}: {name} is missing"
        if given is not None and "values" in told and given not in told["values"]:
            yield f"{where}: {name} is {given}"
    for name, told in schema["blocks"].items():
        blocks = value.get(name) or []
        if told["required"] and not blocks:
            yield f"{where}: {name} is missing"
        for one in blocks:
            yield from _judge(one, told, f"{where}.{name}")
