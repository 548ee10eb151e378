"""A new pipeline, decided before anything is written."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.repo.chained import chained, read_step
from eggcrate.repo.names import near_names
from eggcrate.repo.new_code import check_description, parsed, renamed_files
from eggcrate.repo.pipelines import CONFIG, pipeline_names
from eggcrate.repo.templates import make_folder, template_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eggcrate.questions import Questions

_CODE = "pipeline.py"


@dataclass(frozen=True, kw_only=True)
class NewPipeline:
    """What making a pipeline comes to."""

    name: str
    path: Path
    description: str
    copied: Path
    """The template's folder."""
    contents: dict[str, str]
    """Text of the files that differ from the template's, by their path in the folder."""
    wires: tuple[str, ...] = ()
    """Where each input of its steps comes from, in words."""
    near: tuple[str, ...]
    """Pipelines whose names differ by a slip of a finger."""


def decide_pipeline(
    name: str,
    description: str,
    *,
    root: Path,
    questions: Questions,
    components: Sequence[str] = (),
) -> NewPipeline:
    """What a new pipeline comes to; nothing is written.

    Args:
        name: its folder's, and its function's.
        description: in one line; empty to have it asked.
        root: of the repository.
        questions: asks for it.
        components: what it runs, one after another; none for the template's steps.

    Raises:
        ConfigError: the template is missing or cannot be copied.
        UsageError: the description is none, or the components cannot be chained.
    """
    template = template_folder("pipeline", root)
    there = (ast.get_docstring(parsed(template / _CODE)) or "").partition("\n")[0].rstrip(".")
    told = check_description(
        description or questions.ask("description, in one line", there, check_description)
    )
    wires: tuple[str, ...] = ()
    if components:
        chain = chained(name, told, [read_step(one, root) for one in components])
        contents, wires = {_CODE: chain.code, CONFIG: chain.config}, chain.wires
    else:
        contents, _ = renamed_files(template, name, told, module=_CODE)
    return NewPipeline(
        name=name,
        path=root / "pipelines" / name,
        description=told,
        copied=template,
        contents=contents,
        wires=wires,
        near=tuple(near_names(name, pipeline_names(root))),
    )


def make_pipeline(wanted: NewPipeline) -> None:
    """Make its folder, whole or not at all."""
    make_folder(wanted.copied, wanted.path, wanted.contents)
