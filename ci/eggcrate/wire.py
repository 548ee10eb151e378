"""Results as JSON and back, by the types that their classes name: nothing else is ever made."""

from __future__ import annotations

import enum
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from eggcrate.errors import EggcrateError

_NAMES = {"Mapping": Mapping, "Sequence": Sequence, "AbstractSet": AbstractSet}
"""What annotations name that modules import for the type checker alone."""

_Kind = TypeVar("_Kind")


def encoded(value: Any) -> Any:
    """A value as JSON; the opposite of :func:`decoded`."""
    if isinstance(value, EggcrateError):
        told = {"what": value.what, "why": value.why, "hint": value.hint}
        return {"error": type(value).__name__, **told}
    if is_dataclass(value):
        return {one.name: encoded(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): encoded(one) for name, one in value.items()}
    if isinstance(value, AbstractSet):
        value = sorted(value)
    return [encoded(one) for one in value] if isinstance(value, tuple | list) else _bare(value)


def _bare(value: Any) -> Any:
    return value.value if isinstance(value, enum.Enum) else value


def decoded(kind: type[_Kind], data: Any) -> _Kind:
    """A dataclass from its JSON; nothing but the types that its fields name is ever made.

    Raises:
        ValueError: it is none.
        TypeError: a field is missing, or is not one.
    """
    if not isinstance(data, dict):
        raise TypeError(f"{kind.__name__} is a table, not {type(data).__name__}")
    hints = typing.get_type_hints(kind, localns=_NAMES)
    return kind(**{name: _value(hints[name], one) for name, one in data.items()})


def _value(kind: Any, data: Any) -> Any:
    """A value of the type that a field is annotated with."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        [some] = [one for one in inner if one is not type(None)]
        return None if data is None else _value(some, data)
    if origin in (tuple, frozenset):
        return origin(_value(inner[0], one) for one in data)
    if origin is Mapping:
        return {str(name): _value(inner[1], one) for name, one in data.items()}
    if is_dataclass(kind):
        return decoded(typing.cast("type[Any]", kind), data)
    if issubclass(kind, EggcrateError):
        return _error(**data)
    return kind(data) if issubclass(kind, enum.Enum) else _plain(kind, data)


def _plain(kind: type, data: Any) -> Any:
    if kind is float and type(data) is int:
        return float(data)
    if type(data) is not kind:
        raise TypeError(f"{data!r:.60} is no {kind.__name__}")
    return data


def _error(*, error: str, what: str, why: str, hint: str) -> EggcrateError:
    kind = getattr(sys.modules[EggcrateError.__module__], error, None)
    fits = isinstance(kind, type) and issubclass(kind, EggcrateError)
    made: type[EggcrateError] = kind if fits else EggcrateError  # type: ignore[assignment] # it fits
    return made(str(what), why=str(why), hint=str(hint))
