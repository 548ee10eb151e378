"""Conditions of tasks: the part of CEL that KFP's compiler writes.

Language: https://github.com/google/cel-spec/blob/master/doc/langdef.md. KFP writes comparisons
of parameters and constants, conversions, ``&&``, ``||`` and ``!``.
"""

from __future__ import annotations

import json
import operator
import re
from typing import TYPE_CHECKING, Any

from eggcrate.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<input>inputs\.parameter_values\[(?:'(?P<one>[^']*)'|"(?P<two>[^"]*)")\])
    |(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    |(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<mark>==|!=|<=|>=|<|>|&&|\|\||!|\(|\))
    |(?P<word>[A-Za-z_]\w*)
    )""",
    re.VERBOSE,
)
_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_WORDS = {"true": True, "false": False, "null": None, "True": True, "False": False, "None": None}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _bool(value: Any) -> bool:
    if isinstance(value, str):
        if value.lower() not in {"true", "false"}:
            raise ValueError(f"{value!r} is neither true nor false")
        return value.lower() == "true"
    return bool(value)


_CONVERT: Mapping[str, Callable[[Any], Any]] = {
    "int": lambda value: int(float(value)),
    "double": float,
    "string": _text,
    "bool": _bool,
}


def compile_condition(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """A condition as a function of the task's input parameters.

    Raises:
        CompileError: it is not one that is understood.
    """
    parser = _Parser(text)
    found = parser.either()
    if parser.position < len(parser.tokens):
        raise parser.error()

    def holds(values: Mapping[str, Any]) -> bool:
        try:
            return bool(found(values))
        except (TypeError, ValueError) as error:
            raise CompileError(f"the condition {text} cannot be decided: {error}") from error

    return holds


class _Parser:
    """Recursive descent, a method for each level of binding."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[re.Match[str]] = []
        self.position = 0
        place, stripped = 0, text.rstrip()
        while place < len(stripped):
            match = _TOKEN.match(stripped, place)
            if match is None:
                raise self.error()
            self.tokens.append(match)
            place = match.end()

    def error(self) -> CompileError:
        """What to say when it is not understood."""
        return CompileError(f"the condition {self.text} is not one that KFP's compiler writes")

    def either(self) -> Callable[[Mapping[str, Any]], Any]:
        """``a || b``."""
        terms = [self._both()]
        while self._take("||"):
            terms.append(self._both())
        return terms[0] if len(terms) == 1 else lambda values: any(one(values) for one in terms)

    def _both(self) -> Callable[[Mapping[str, Any]], Any]:
        terms = [self._relation()]
        while self._take("&&"):
            terms.append(self._relation())
        return terms[0] if len(terms) == 1 else lambda values: all(one(values) for one in terms)

    def _relation(self) -> Callable[[Mapping[str, Any]], Any]:
        left = self._unary()
        for mark, compare in _COMPARE.items():
            if self._take(mark):
                right = self._unary()
                return lambda values: compare(left(values), right(values))
        return left

    def _unary(self) -> Callable[[Mapping[str, Any]], Any]:
        if self._take("!"):
            inner = self._unary()
            return lambda values: not inner(values)
        if self._take("("):
            grouped = self.either()
            self._expect(")")
            return grouped
        return self._primary()

    def _primary(self) -> Callable[[Mapping[str, Any]], Any]:
        if self.position >= len(self.tokens):
            raise self.error()
        token = self.tokens[self.position]
        self.position += 1
        if token["input"]:
            name = token["one"] if token["one"] is not None else token["two"]
            return lambda values: values.get(name)
        if token["number"]:
            number = json.loads(token["number"])
            return lambda _: number
        if token["text"]:
            text = re.sub(r"\\(.)", r"\1", token["text"][1:-1])
            return lambda _: text
        word = token["word"]
        if word in _CONVERT and self._take("("):
            inner = self.either()
            self._expect(")")
            convert = _CONVERT[word]
            return lambda values: convert(inner(values))
        if word in _WORDS:
            constant = _WORDS[word]
            return lambda _: constant
        raise self.error()

    def _take(self, mark: str) -> bool:
        found = self.position < len(self.tokens) and self.tokens[self.position]["mark"] == mark
        self.position += found
        return found

    def _expect(self, mark: str) -> None:
        if not self._take(mark):
            raise self.error()
