"""Suggestions made up for reports."""

from __future__ import annotations

from eggcrate.matrix.suggestion import Kind, Suggestion


def suggestion(sentence: str, **fields: object) -> Suggestion:
    """One that says just this, unless told otherwise."""
    given: dict[str, object] = {
        "kind": Kind.WIDEN,
        "subject": "components/predict",
        "evidence": "all pass",
        "command": "eggcrate matrix --component predict",
    }
    return Suggestion(sentence=sentence, **(given | fields))  # type: ignore[arg-type] # kept short
