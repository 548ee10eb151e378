"""Secrets by name, so that their values are in no parameter, log or compiled pipeline."""

from __future__ import annotations

import os
from pathlib import Path

from components.shared.errors import ComponentError


def secret(parameter: str, reference: str) -> str:
    """Read the secret that ``env:NAME`` or ``file:PATH`` names; empty for an empty reference.

    Raises:
        ComponentError: it is not there, or the reference is none; its text is not repeated, for
            it may be the secret itself.
    """
    if not reference:
        return ""
    kind, mark, name = reference.partition(":")
    if not mark or kind not in ("env", "file"):
        raise ComponentError(
            f"{parameter} must name a secret, env:NAME or file:PATH, and not be one: "
            "parameters stand in logs and compiled pipelines"
        )
    if kind == "env":
        value = os.environ.get(name, "")
    else:
        try:
            value = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as cause:
            reason = getattr(cause, "strerror", None) or "it is no text"
            raise ComponentError(f"{parameter}: the file {name} cannot be read: {reason}") from None
    if not value.strip():
        raise ComponentError(f"{parameter}: there is nothing in {reference}")
    return value.strip()
