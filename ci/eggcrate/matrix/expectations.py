"""Whether a task gave what its example expects; each disagreement in a sentence.

A value is expected as it is, or by a table of one of the words below. A table without such a word
is compared key by key; keys that it does not name may be anything.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

from eggcrate.errors import TaskOutputError
from eggcrate.pipelines.outputs import safely

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from eggcrate.pipelines.outputs import Outputs, Produced

VALUE_WORDS = ("equals", "about", "within", "at-least", "at-most", "one-of", "matches")
ARTIFACT_WORDS = ("metadata", "member", "same-as", "contains", "json")
_NUMBERS = ("about", "within", "at-least", "at-most")
_CLOSE = 1e-6
_LONGEST = 200
_DAMAGED = (zipfile.BadZipFile, zlib.error)


def disagreements(outputs: Outputs, expect: Mapping[str, Any], beside: Path) -> list[str]:
    """Everything in which outputs are not as expected.

    Args:
        outputs: of the task.
        expect: by name of output.
        beside: the folder that the example's files are in.
    """
    found: list[str] = []
    for name, wanted in expect.items():
        if name in outputs.parameters:
            found += compare(outputs.parameters[name], wanted, name)
        elif name in outputs.artifacts:
            try:
                found += _artifact(outputs.artifacts[name], wanted, name, beside)
            except TaskOutputError as error:
                found.append(error.what)
        else:
            known = ", ".join([*outputs.parameters, *outputs.artifacts]) or "none"
            found.append(f"there is no output {name}; there are: {known}")
    return found


def faults(wanted: Any) -> Iterator[str]:
    """What is wrong with how an expectation is written, however deep; each in a sentence."""
    if isinstance(wanted, dict) and wanted and set(wanted) <= set(VALUE_WORDS):
        for word in _NUMBERS:
            if word in wanted and not _is_number(wanted[word]):
                yield f"has {word} = {_short(wanted[word])}, which must be a number"
        if "within" in wanted and "about" not in wanted:
            yield "has within, which needs about"
        if not isinstance(wanted.get("one-of", []), list):
            yield f"has one-of = {_short(wanted['one-of'])}, which must be a list"
        if (problem := _no_pattern(wanted.get("matches", ""))) is not None:
            yield (
                f"has matches = {_short(wanted['matches'])}, which is no regular expression"
                f" ({problem})"
            )
        return
    if isinstance(wanted, dict | list):
        for inner in wanted.values() if isinstance(wanted, dict) else wanted:
            yield from faults(inner)


def _no_pattern(text: Any) -> str | None:
    if not isinstance(text, str):
        return "it must be a text"
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return None


def compare(value: Any, wanted: Any, where: str) -> Iterator[str]:
    """How a value is not as it was wanted.

    Args:
        value: what there is.
        wanted: a value, or a table as described above.
        where: what it is called.
    """
    if isinstance(wanted, dict) and wanted and set(wanted) <= set(VALUE_WORDS):
        yield from _by_words(value, wanted, where)
    elif isinstance(wanted, dict):
        if not isinstance(value, dict):
            yield f"{where} is {_short(value)}, not a table"
            return
        for key, inner in wanted.items():
            if key in value:
                yield from compare(value[key], inner, f"{where}.{key}")
            else:
                yield f"{where} has no {key}"
    elif isinstance(wanted, list) and isinstance(value, list) and len(value) == len(wanted):
        for index, (one, other) in enumerate(zip(value, wanted, strict=True)):
            yield from compare(one, other, f"{where}[{index}]")
    elif value != wanted or isinstance(value, bool) != isinstance(wanted, bool):
        yield f"{where} is {_short(value)}, not {_short(wanted)}"


def _by_words(value: Any, wanted: Mapping[str, Any], where: str) -> Iterator[str]:
    if "equals" in wanted and not _same(value, wanted["equals"]):
        yield f"{where} is {_short(value)}, not {_short(wanted['equals'])}"
    if "one-of" in wanted and not any(_same(value, one) for one in wanted["one-of"]):
        yield f"{where} is {_short(value)}, none of {_short(wanted['one-of'])}"
    if "matches" in wanted and not re.search(str(wanted["matches"]), str(value)):
        yield f"{where} is {_short(value)}, which does not match {wanted['matches']}"
    numbers = [word for word in ("about", "at-least", "at-most") if word in wanted]
    if not numbers:
        return
    if not _is_number(value):
        yield f"{where} is {_short(value)}, not a number"
        return
    if "about" in wanted:
        within = wanted.get("within", abs(wanted["about"]) * _CLOSE)
        if not abs(value - wanted["about"]) <= within:
            yield f"{where} is {value}, not {wanted['about']} within {within:g}"
    if "at-least" in wanted and not value >= wanted["at-least"]:
        yield f"{where} is {value}, less than {wanted['at-least']}"
    if "at-most" in wanted and not value <= wanted["at-most"]:
        yield f"{where} is {value}, more than {wanted['at-most']}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(value: Any, wanted: Any) -> bool:
    """Whether they are equal; true is not 1, however deep."""
    if isinstance(value, dict) and isinstance(wanted, dict):
        return value.keys() == wanted.keys() and all(
            _same(value[key], wanted[key]) for key in value
        )
    if isinstance(value, list) and isinstance(wanted, list):
        return len(value) == len(wanted) and all(map(_same, value, wanted))
    return bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)


def _artifact(artifact: Produced, wanted: Any, name: str, beside: Path) -> Iterator[str]:
    if not isinstance(wanted, dict) or not set(wanted) <= set(ARTIFACT_WORDS):
        yield (
            f"{name} is an artifact, of which {', '.join(ARTIFACT_WORDS)} can be expected, "
            f"not {_short(wanted)}"
        )
        return
    if "metadata" in wanted:
        yield from compare(dict(artifact.metadata), wanted["metadata"], f"{name}.metadata")
    if not set(wanted) & {"same-as", "contains", "json"}:
        return
    content = _content(artifact, str(wanted.get("member", "")), name)
    if "same-as" in wanted:
        expected = beside / str(wanted["same-as"])
        if not expected.is_file():
            yield f"{name}: there is no file {wanted['same-as']} beside the example"
        elif content != expected.read_bytes():
            yield f"{name} is not the same as {wanted['same-as']}"
    if "contains" in wanted and str(wanted["contains"]).encode() not in content:
        yield f"{name} does not contain {_short(wanted['contains'])}"
    if "json" in wanted:
        try:
            yield from compare(json.loads(content), wanted["json"], name)
        except ValueError as error:
            yield f"{name} is no JSON: {error}"


def _content(artifact: Produced, member: str, name: str) -> bytes:
    """Of a file; of a member of a folder or a zip."""
    path = artifact.path
    if path is None:
        raise TaskOutputError(f"{name} has no file; it is {artifact.uri}")
    try:
        if member and path.is_dir():
            path = safely(path / member, path)
        elif member:
            return _zipped(path, member, name)
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise TaskOutputError(f"{name} is no file{' there: ' + member if member else ''}")
        return path.read_bytes()
    except OSError as error:
        raise TaskOutputError(f"{name} cannot be read: {error.strerror}") from error


def _zipped(path: Path, member: str, name: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(member)
    except (OSError, KeyError, RuntimeError, ValueError, EOFError, *_DAMAGED) as error:
        raise TaskOutputError(f"{name} has no member {member}: {error}") from error


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
