"""A new component, decided before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import tomlkit
from packaging.requirements import InvalidRequirement, Requirement

from eggcrate.build.new_answers import split_requirements
from eggcrate.errors import UsageError
from eggcrate.matrix.cells import Column, lay_out, why_not
from eggcrate.repo.components import read_component
from eggcrate.repo.dependencies import listed, read_requirement, with_requirement
from eggcrate.repo.document import Table
from eggcrate.repo.monorepo import pick
from eggcrate.repo.names import near_names
from eggcrate.repo.new_code import check_description, read_inputs, renamed_files, with_inputs
from eggcrate.repo.templates import make_folder, read_unwritten, template_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eggcrate.build.resolve import Resolved
    from eggcrate.matrix.cells import CellResult
    from eggcrate.questions import Questions
    from eggcrate.repo.monorepo import Monorepo
    from eggcrate.repo.values import Component

_CODE = "component.py"


@dataclass(frozen=True, kw_only=True)
class NewComponent:
    """What a new component shall be; empty: as in the template, or asked."""

    name: str
    description: str = ""
    environment: str = ""
    needs: tuple[str, ...] = ()
    """Requirements beside the template's."""
    flavours: tuple[str, ...] = ()
    """Such as ``sklearn=scikit-learn>=1.5``; one name may stand in several."""
    inputs: tuple[str, ...] = ()
    """Such as ``threshold:float``."""


@dataclass(frozen=True, kw_only=True)
class Drafted:
    """What making a component comes to."""

    component: Component
    copied: Path
    """The template's folder."""
    contents: dict[str, str]
    """Text of the files that differ from the template's, by their path in the folder."""
    homes: tuple[str, ...]
    """Environments that it could run in."""
    reasons: dict[str, str] = field(default_factory=dict)
    """The others, with the requirements that are not satisfied, in words."""
    near: tuple[str, ...] = ()


def answer_component(
    given: NewComponent, template: Path, environments: Sequence[str], questions: Questions
) -> NewComponent:
    """What a new component shall be: by flags, and by questions for the rest.

    Raises:
        UsageError: an answer is none.
    """
    for one in given.needs:
        read_requirement(one)
    read_flavours(given.flavours)
    read_inputs(given.inputs)
    if given.environment:
        pick("environment", [given.environment], environments)
    document = Table.read(template / "pyproject.toml")
    there = document.table("project").string("description")
    description = given.description or questions.ask(
        "description, in one line", there, check_description
    )
    needs = given.needs or split_requirements(
        questions.ask("packages it needs beside the template's", "", split_requirements)
    )
    flavours = given.flavours or tuple(
        questions.ask(
            "flavours, such as sklearn=scikit-learn>=1.5 xgboost=xgboost-cpu>=2",
            "",
            lambda answer: read_flavours(answer.split()),
        ).split()
    )
    inputs = given.inputs or tuple(
        questions.ask(
            "inputs beside the template's, such as threshold:float",
            "",
            lambda answer: read_inputs(answer.split()),
        ).split()
    )
    return replace(
        given,
        description=check_description(description),
        needs=needs,
        flavours=flavours,
        inputs=inputs,
    )


def read_flavours(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Flavours with their requirements, as they are typed.

    Raises:
        UsageError: one is none.
    """
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, equals, needed = text.strip().partition("=")
        try:
            good = bool(equals) and name.isidentifier() and bool(Requirement(needed))
        except InvalidRequirement:
            good = False
        if not good:
            raise UsageError(
                f"{text!r} is not a flavour",
                why="a flavour is a name and what it needs beside the rest",
                hint="for example 'sklearn=scikit-learn>=1.5', in quotes",
            )
        found[name] = (*found.get(name, ()), needed)
    return found


def decide_component(
    wanted: NewComponent,
    *,
    monorepo: Monorepo,
    resolved: Sequence[Resolved],
    questions: Questions,
) -> Drafted:
    """What a new component comes to; nothing is written.

    Args:
        wanted: what it shall be.
        monorepo: the others, and the environments.
        resolved: the environments that can be read.
        questions: asks where it shall run by default, once it is known where it could.

    Raises:
        ConfigError: the template cannot be copied.
        UsageError: an input is there already.
    """
    template = template_folder("component", monorepo.root)
    folder = monorepo.root / "components" / wanted.name
    contents, _ = renamed_files(template, wanted.name, wanted.description, module=_CODE)
    inputs = read_inputs(wanted.inputs)
    contents[_CODE] = with_inputs(contents[_CODE], inputs, template / _CODE)
    text = _pyproject(wanted, template / "pyproject.toml")
    component = read_unwritten(folder, text, read_component)
    homes, reasons = _homes(component, resolved)
    environment = wanted.environment or _ask_environment(
        component.environment, homes, monorepo, questions
    )
    text = _with_environment(text, environment)
    contents["pyproject.toml"] = text
    return Drafted(
        component=replace(read_unwritten(folder, text, read_component), path=folder),
        copied=template,
        contents=contents,
        homes=homes,
        reasons=reasons,
        near=tuple(near_names(wanted.name, monorepo.components)),
    )


def make_component(drafted: Drafted) -> None:
    """Make its folder, whole or not at all."""
    make_folder(drafted.copied, drafted.component.path, drafted.contents)


def _pyproject(wanted: NewComponent, path: Path) -> str:
    text = path.read_bytes().decode()
    asked = listed(text)
    for one in wanted.needs:
        if one not in {entry for entries in asked.values() for entry in entries}:
            text = with_requirement(text, one, path=path)
    document = tomlkit.parse(text)
    project: Any = document["project"]
    project["name"] = wanted.name.replace("_", "-")
    project["description"] = wanted.description
    if flavours := read_flavours(wanted.flavours):
        table = tomlkit.table()
        for name, needed in flavours.items():
            table[name] = list(needed)
        table.add(tomlkit.nl())
        project["optional-dependencies"] = table
    return tomlkit.dumps(document)


def _with_environment(text: str, environment: str) -> str:
    document = tomlkit.parse(text)
    tool: Any = document.setdefault("tool", tomlkit.table(is_super_table=True))
    ours: Any = tool.setdefault("eggcrate", tomlkit.table())
    if environment and ours.get("environment") != environment:
        ours["environment"] = environment
    return tomlkit.dumps(document)


def _homes(
    component: Component, resolved: Sequence[Resolved]
) -> tuple[tuple[str, ...], dict[str, str]]:
    columns = [
        Column(environment=one.environment.name, target=one.recipe.target, packages=one.packages)
        for one in resolved
    ]
    grid = lay_out([component], columns)
    homes = tuple(dict.fromkeys(cell.environment for cell in grid.cells))
    others: dict[str, list[CellResult]] = {}
    for one in grid.incompatible:
        if one.cell.environment not in homes:
            others.setdefault(one.cell.environment, []).append(one)
    return homes, {name: why_not(results) for name, results in others.items()}


def _ask_environment(
    usual: str, homes: Sequence[str], monorepo: Monorepo, questions: Questions
) -> str:
    """Where it runs by default: the template's choice where that fits, else the last that does."""
    default = usual if usual in homes or not homes else homes[-1]
    known = monorepo.environment_folders
    if not known or (default not in known and not questions.person):
        return ""
    told = f"environment it runs in by default ({', '.join(homes) or 'none fits'})"
    return questions.ask(
        told,
        default if default in known else "",
        lambda answer: pick("environment", [answer], known),
    )
