"""Suggestions as people and programs read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from eggcrate.errors import EggcrateError
from eggcrate.matrix.suggest_from import facts_of
from eggcrate.matrix.suggestions import suggest
from eggcrate.progress import human_size
from eggcrate.report.contents import fillings, images_of, read_images
from eggcrate.report.document import FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from eggcrate.matrix.session import Session
    from eggcrate.matrix.suggestion import Suggestion
    from eggcrate.packages.distribution import Distribution

MOST = 8
"""How many are told on a terminal."""


def suggestions_of(
    session: Session,
    *,
    read_blob: Callable[[str], bytes],
    provided: Callable[[Sequence[Distribution]], Mapping[Distribution, frozenset[str] | None]],
) -> tuple[Suggestion, ...]:
    """What a run suggests, the most valuable first.

    Args:
        session: the run.
        read_blob: the store's, for the manifests of images.
        provided: gives the modules in packages, see
            :func:`eggcrate.packages.modules.provided_modules`.
    """
    images = read_images(images_of(session).items(), read_blob)
    sizes: dict[str, dict[str, int]] = {}
    for image in images:
        found = sizes.setdefault(image.name, {})
        for one in fillings(image.layers):
            if one.kind == "package":
                name = canonicalize_name(one.name)
                found[name] = found.get(name, 0) + one.size
    layers = {image.name: {one.digest: one.size for one in image.layers} for image in images}
    try:
        return suggest(facts_of(session, sizes=sizes, layers=layers, provided=provided))
    except EggcrateError:  # a lock that was edited meanwhile: the run is reported all the same
        return ()


def sentences(suggestions: Sequence[Suggestion], most: int | None = None) -> tuple[str, ...]:
    """Each as one line, as the page and the Markdown show it; only so many, and how many more."""
    told = tuple(
        f"{_head(one)}. Because {one.evidence}. Prove it with: {one.command}"
        for one in suggestions[:most]
    )
    left = len(suggestions) - len(told)
    return (*told, f"And {left} more: {FOLDER}/matrix.json") if left else told


def text(suggestions: Sequence[Suggestion]) -> str:
    """A few lines for a terminal, the most valuable first; empty when there is nothing to say."""
    if not suggestions:
        return ""
    lines = ["suggestions:"]
    for one in suggestions[:MOST]:
        lines += [f"  {one.kind.value}: {_head(one)}", f"    try: {one.command}"]
    left = len(suggestions) - MOST
    if left > 0:
        lines.append(f"  and {left} more: {FOLDER}/summary.md")
    return "\n".join(lines)


def as_json(suggestions: Sequence[Suggestion]) -> list[dict[str, Any]]:
    """For ``suggestions`` in ``matrix.json``."""
    return [
        {
            "kind": one.kind.value,
            "subject": one.subject,
            "sentence": one.sentence,
            "evidence": one.evidence,
            "size": one.size,
            "command": one.command,
        }
        for one in suggestions
    ]


def _head(one: Suggestion) -> str:
    return one.sentence + (f" ({human_size(one.size)} compressed)" if one.size else "")
