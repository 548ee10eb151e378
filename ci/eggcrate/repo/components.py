"""``components/<name>/pyproject.toml`` as a value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from eggcrate.errors import ConfigError
from eggcrate.repo.document import Table
from eggcrate.repo.environments import requirements, requires_python
from eggcrate.repo.quantities import parse_size
from eggcrate.repo.task_settings import read_task_settings
from eggcrate.repo.values import Component

if TYPE_CHECKING:
    from pathlib import Path

_KEYS = (
    "environment",
    "stand-ins",
    "data",
    "memory",
    "timeout",
    "network",
    "retries",
    "env",
    "task",
)
_MOST_RETRIES = 10
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS = re.compile(r"EGGCRATE_.*|PYTHON(PATH|HOME|DONTWRITEBYTECODE)|LD_.*|_KFP_RUNTIME")
"""Variables that a cell is made with: another value would prove something else."""


def read_component(path: Path) -> Component:
    """Read the component in this folder.

    Raises:
        ConfigError: the file is missing, not valid, or holds a setting nobody knows; the
            message names file and line.
    """
    if not path.name.isidentifier():
        raise ConfigError(
            f"{path} is not a name Python can import",
            hint="rename the folder: letters, digits and underscores only",
        )
    document = Table.read(
        path / "pyproject.toml", missing="copy components/_template for a new component"
    )
    project = document.table("project")
    ours = document.table("tool").table("eggcrate")
    ours.only(_KEYS)
    memory = ours.string("memory")
    if memory:
        try:
            parse_size(memory)
        except ValueError as error:
            raise ours.error("memory", f"is wrong: {error}") from error
    optional = project.table("optional-dependencies")
    return Component(
        name=path.name,
        path=path,
        description=project.string("description"),
        requires_python=requires_python(project),
        dependencies=requirements(project, "dependencies"),
        flavours={flavour: requirements(optional, flavour) for flavour in optional.data},
        stand_ins=_stand_ins(ours.table("stand-ins")),
        environment=ours.string("environment"),
        data=ours.strings("data"),
        memory=memory,
        timeout=ours.number("timeout"),
        network=ours.boolean("network", default=False),
        retries=_retries(ours),
        env=_variables(ours),
        task=read_task_settings(ours),
    )


def _stand_ins(table: Table) -> dict[str, tuple[str, ...]]:
    return {
        canonicalize_name(name): tuple(map(canonicalize_name, table.strings(name)))
        for name in table.data
    }


def _retries(ours: Table) -> int:
    value = ours.data.get("retries", 0)
    if type(value) is not int or not 0 <= value <= _MOST_RETRIES:
        raise ours.error("retries", f"must be a whole number from 0 to {_MOST_RETRIES}")
    return value


def _variables(ours: Table) -> dict[str, str]:
    found = ours.table("env").data
    for name, value in found.items():
        if not isinstance(value, str):
            raise ours.error("env", f"must hold strings: {name} is {value!r}")
        if not _VARIABLE.fullmatch(name) or "\0" in value:
            raise ours.error("env", f"holds {name!r}, which cannot be an environment variable")
        if _OURS.fullmatch(name):
            raise ours.error("env", f"holds {name}, which Eggcrate sets itself")
    return dict(sorted(found.items()))
