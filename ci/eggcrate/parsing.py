"""JSON and TOML from outside: what is nested too deeply is not valid, and no crash."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_DEEP = "it is nested too deeply"


def json_of(content: bytes | str, *, constant: Callable[[str], Any] | None = None) -> Any:
    """The value of a JSON text.

    Args:
        content: the text.
        constant: called for what is no JSON, though Python reads it: ``NaN``, ``Infinity``.

    Raises:
        ValueError: it is not valid.
    """
    try:
        return json.loads(content, parse_constant=constant)
    except RecursionError:
        raise ValueError(_DEEP) from None


def toml_of(text: str) -> dict[str, Any]:
    """The table of a TOML document.

    Raises:
        TOMLDecodeError: it is not valid.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except RecursionError:
        raise tomllib.TOMLDecodeError(_DEEP) from None
    except ValueError as error:  # a number of more digits than Python reads
        raise tomllib.TOMLDecodeError(str(error)) from error
