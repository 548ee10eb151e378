"""Placeholders in a container's command, put in as KFP's launcher does.

Specification: kfp.dsl.placeholders of the KFP SDK.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from eggcrate.errors import CompileError
from eggcrate.pipelines.local.values import as_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WHOLE = "{{$}}"
_OUTPUT_FILE = ("{{$.outputs.output_file}}", "{{$.outputMetadataUri}}")
_KEYED = re.compile(
    r"\{\{\$\.(inputs|outputs)\.(parameters|artifacts)\['+([^'\]]+)'+\](?:\.(\w+)|(\['\w+'\]))?\}\}"
)
_STRUCTURES = ('{"Concat": ', '{"IfPresent": ')


def filled(words: Sequence[str], given: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    """A command with what its placeholders stand for.

    Args:
        words: program and arguments as compiled.
        given: the task's ``ExecutorInput``.
        names: what placeholders of the run itself stand for.

    Raises:
        CompileError: a placeholder is of no kind that is known.
    """
    inputs = given.get("inputs", {})
    present = {
        name for name, value in inputs.get("parameterValues", {}).items() if value is not None
    } | set(inputs.get("artifacts", {}))
    found: list[str] = []
    for word in words:
        if word.startswith(_STRUCTURES):
            found += _flat(json.loads(word), present)
        else:
            found.append(word)
    return [_word(word, given, names) for word in found]


def _flat(item: Any, present: set[str]) -> list[str]:
    """The words that a ``Concat`` or ``IfPresent`` comes to: none when it leads to nothing."""
    if item is None:
        return []
    if isinstance(item, str):
        return [item]
    if isinstance(item, list):
        return [word for one in item for word in _flat(one, present)]
    if "Concat" in item:
        return ["".join(word for one in item["Concat"] for word in _flat(one, present))]
    if "IfPresent" in item:
        told = item["IfPresent"]
        return _flat(told["Then"] if told["InputName"] in present else told.get("Else"), present)
    raise CompileError(f"{json.dumps(item)} in a command is no placeholder that is known")


def _word(word: str, given: Mapping[str, Any], names: Mapping[str, str]) -> str:
    if "{{$" not in word:
        return word
    parts = word.split(WHOLE)
    for place, part in enumerate(parts):
        text = part
        for mark in _OUTPUT_FILE:
            text = text.replace(mark, given["outputs"]["outputFile"])
        for mark, value in names.items():
            text = text.replace(mark, value)
        parts[place] = _KEYED.sub(lambda match: _keyed(match, given), text)
    if unknown := next((part for part in parts if re.search(r"\{\{\$[.a-zA-Z]", part)), ""):
        raise CompileError(f"{unknown} in a command is no placeholder that is known")
    return json.dumps(given).join(parts)


def _keyed(match: re.Match[str], given: Mapping[str, Any]) -> str:
    side, kind, name, attribute = match[1], match[2], match[3], match[4] or ""
    if kind == "parameters":
        if side == "outputs":
            return str(given["outputs"]["parameters"][name]["outputFile"])
        return as_text(given.get("inputs", {}).get("parameterValues", {}).get(name))
    listed = given.get(side, {}).get("artifacts", {}).get(name, {}).get("artifacts", ())
    if not listed:
        return "null"
    if attribute in {"path", "uri", ""}:
        return str(listed[0].get("uri", ""))
    if attribute == "metadata":
        return json.dumps(listed[0].get("metadata", {}))
    return as_text(listed[0].get(attribute))
