"""Parameter expansion as bash does it: ``${NAME:-default}``, ``${NAME//-/_}`` and their like.

https://www.gnu.org/software/bash/manual/html_node/Shell-Parameter-Expansion.html. As in Cloud
Build, a name that has no value is empty.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Lookup = Callable[[str], str]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DEFAULT = re.compile(r":?[-=+?]")
_CASE = re.compile(r"\^\^|\^|,,|,")
_REMOVE = re.compile(r"##|#|%%|%")
_REPLACE = re.compile(r"//|/#|/%|/")
_OFFSET = re.compile(r"\s*(-?\s*[0-9]+|)\s*(?::\s*(-?\s*[0-9]+)\s*)?")


class ExpansionError(ValueError):
    """A text that bash would not expand either."""


def expand(text: str, lookup: Lookup) -> str:
    """A text with each ``$NAME`` and ``${…}`` expanded, and ``$$`` as ``$``.

    Args:
        text: a value of a substitution.
        lookup: the value of a name.

    Raises:
        ExpansionError: a ``${…}`` is not closed, or of a form that does not exist.
    """
    parts: list[str] = []
    at = 0
    while at < len(text):
        dollar = text.find("$", at)
        if dollar < 0:
            break
        parts.append(text[at:dollar])
        if text.startswith("$$", dollar):
            parts.append("$")
            at = dollar + 2
        elif text.startswith("${", dollar):
            end = _closing(text, dollar)
            parts.append(_parameter(text[dollar + 2 : end], lookup))
            at = end + 1
        elif match := NAME.match(text, dollar + 1):
            parts.append(lookup(match[0]))
            at = match.end()
        else:
            parts.append("$")
            at = dollar + 1
    return "".join(parts) + text[at:]


def _closing(text: str, start: int) -> int:
    depth = 0
    at = start
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text.startswith("${", at):
            depth += 1
            at += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    raise ExpansionError(f"{text[start:]!r} is not closed by a brace")


def _parameter(inner: str, lookup: Lookup) -> str:
    if inner.startswith("#"):
        match = NAME.fullmatch(inner, 1)
        if not match:
            raise ExpansionError(f"${{{inner}}} is no expansion")
        return str(len(lookup(match[0])))
    match = NAME.match(inner)
    if not match:
        raise ExpansionError(f"${{{inner}}} names nothing")
    value = lookup(match[0])
    rest = inner[match.end() :]
    if not rest:
        return value
    for form, act in _FORMS:
        if found := form.match(rest):
            return act(value, found[0], rest[found.end() :], lookup)
    if rest.startswith(":"):
        return _substring(value, rest[1:], inner)
    raise ExpansionError(f"${{{inner}}} is no expansion")


def _default(value: str, sign: str, word: str, lookup: Lookup) -> str:
    # Without the colon bash asks whether it is set, which here all names are.
    lacking = sign.startswith(":") and not value
    if sign.endswith("+"):
        return "" if lacking else _word(word, lookup)
    if sign.endswith("?") and lacking:
        raise ExpansionError(_word(word, lookup) or "a value is needed")
    return _word(word, lookup) if lacking else value


def _case(value: str, sign: str, word: str, lookup: Lookup) -> str:
    change = str.upper if sign.startswith("^") else str.lower
    which = re.compile(_regex(_pattern(word, lookup)) if word else ".", re.DOTALL)
    many = len(value) if len(sign) > 1 else 1
    head = "".join(change(one) if which.fullmatch(one) else one for one in value[:many])
    return head + value[many:]


def _remove(value: str, sign: str, word: str, lookup: Lookup) -> str:
    pattern = re.compile(_regex(_pattern(word, lookup)), re.DOTALL)
    lengths = range(len(value) + 1) if len(sign) == 1 else range(len(value), -1, -1)
    for length in lengths:
        if sign.startswith("#"):
            if pattern.fullmatch(value[:length]):
                return value[length:]
        elif pattern.fullmatch(value[len(value) - length :]):
            return value[: len(value) - length]
    return value


def _replace(value: str, sign: str, word: str, lookup: Lookup) -> str:
    at = _slash(word, 1 if sign == "//" and word.startswith("/") else 0)
    pattern = _pattern(word[:at], lookup)
    new = _word(word[at + 1 :], lookup)
    regex = re.compile(_regex(pattern), re.DOTALL)
    if sign in ("/", "//"):
        if not pattern:
            return value
        return _replace_all(value, regex, new, once=sign == "/")
    for length in range(len(value), -1, -1):
        if sign == "/#" and regex.fullmatch(value[:length]):
            return new + value[length:]
        if sign == "/%" and regex.fullmatch(value[len(value) - length :]):
            return value[: len(value) - length] + new
    return value


def _replace_all(value: str, regex: re.Pattern[str], new: str, *, once: bool) -> str:
    """Nothing is replaced where nothing matches, unlike with ``re.sub``."""
    parts: list[str] = []
    at = 0
    while at < len(value):
        match = regex.match(value, at)
        if match and match.end() > at:
            parts.append(new)
            at = match.end()
            if once:
                break
        else:
            parts.append(value[at])
            at += 1
    return "".join(parts) + value[at:]


def _substring(value: str, rest: str, inner: str) -> str:
    match = _OFFSET.fullmatch(rest)
    if not match:
        raise ExpansionError(f"${{{inner}}} is no expansion")
    start = int(match[1].replace(" ", "") or 0)
    start = start + len(value) if start < 0 else start
    if start < 0 or start > len(value):
        return ""
    if match[2] is None:
        return value[start:]
    length = int(match[2].replace(" ", ""))
    end = start + length if length >= 0 else len(value) + length
    if end < start:
        raise ExpansionError(f"${{{inner}}} ends before it begins")
    return value[start:end]


_FORMS = ((_DEFAULT, _default), (_CASE, _case), (_REMOVE, _remove), (_REPLACE, _replace))


def _slash(word: str, at: int) -> int:
    """Where the pattern of a replacement ends: at a slash that nothing hides, from ``at`` on."""
    depth = 0
    while at < len(word):
        if word[at] == "\\":
            at += 1
        elif word.startswith("${", at):
            depth += 1
        elif word[at] == "}":
            depth -= 1
        elif word[at] == "/" and depth <= 0:
            return at
        at += 1
    return len(word)


def _word(word: str, lookup: Lookup) -> str:
    """A word: expanded, and its backslashes taken away."""
    return re.sub(r"\\(.)", r"\1", expand(word, lookup), flags=re.DOTALL)


def _pattern(word: str, lookup: Lookup) -> str:
    return expand(word, lookup)


def _regex(pattern: str) -> str:
    """A shell's pattern as a regular expression."""
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\" and at + 1 < len(pattern):
            at += 1
            parts.append(re.escape(pattern[at]))
        elif char == "*":
            parts.append(".*")
        elif char == "?":
            parts.append(".")
        elif char == "[" and (end := pattern.find("]", at + 2)) > 0:
            inside = pattern[at + 1 : end]
            negated = inside[0] in "!^"
            body = inside[1:] if negated else inside
            kept = "".join(f"\\{one}" if one in "\\[]^&|~" else one for one in body)
            parts.append(f"[{'^' if negated else ''}{kept}]")
            at = end
        else:
            parts.append(re.escape(char))
        at += 1
    return "".join(parts)
