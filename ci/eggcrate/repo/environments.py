"""``environments/<name>/pyproject.toml`` as a value."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from eggcrate.errors import ConfigError
from eggcrate.repo.document import Table
from eggcrate.repo.names import NAME
from eggcrate.repo.values import Environment

if TYPE_CHECKING:
    from pathlib import Path

_KEYS = (
    "base",
    "groups",
    "extras",
    "system-packages",
    "platforms",
    "compile",
    "allow-overlap",
    "on-request",
    "user",
    "owner",
    "supported-until",
    "policy",  # this and the next are read by eggcrate.repo.policy
    "exceptions",
)


def read_environment(path: Path) -> Environment:
    """Read the environment in this folder.

    Raises:
        ConfigError: the file is missing, not valid, or holds a setting nobody knows; the
            message names file and line.
    """
    name = path.name
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"{path} is not a name an image can have",
            why="image names are lower-case letters, digits and single . _ - between them",
            hint="rename the folder",
        )
    document = Table.read(
        path / "pyproject.toml", missing="copy environments/_template for a new environment"
    )
    project = document.table("project")
    poetry = document.table("tool").table("poetry")
    ours = document.table("tool").table("eggcrate")
    ours.only(_KEYS)
    platforms = ours.strings("platforms", ("linux/amd64",))
    if not platforms:
        raise ours.error("platforms", "must name at least one platform")
    return Environment(
        name=name,
        path=path,
        description=project.string("description", poetry.string("description")),
        requires_python=requires_python(project, poetry),
        dependencies=requirements(project, "dependencies"),
        base=ours.string("base"),
        groups=ours.strings("groups", ("main",)),
        extras=ours.strings("extras"),
        system_packages=ours.strings("system-packages"),
        platforms=platforms,
        compile=ours.boolean("compile", default=True),
        allow_overlap=ours.strings("allow-overlap"),
        on_request=_on_request(ours),
        owner=ours.string("owner"),
        supported_until=ours.date("supported-until"),
        user=_user(ours),
    )


def _on_request(ours: Table) -> str:
    reason = ours.string("on-request")
    if "on-request" in ours and not reason.strip():
        raise ours.error("on-request", "must say why it is not built with the others")
    return reason


def _user(ours: Table) -> str:
    user = ours.string("user", "root")
    if user not in ("root", "nonroot"):
        raise ours.error("user", f"must be root or nonroot, not {user!r}")
    if "user" in ours and (ours.path.parent / "Dockerfile").is_file():
        raise ours.error("user", "is the Dockerfile's to set", hint="write USER there")
    return "" if user == "root" else user


def requires_python(project: Table, poetry: Table | None = None) -> str:
    """``requires-python``, or what Poetry's older ``python`` dependency means by it."""
    text = project.string("requires-python")
    if not text and poetry is not None:
        text = _poetry_python(poetry.table("dependencies").data.get("python"))
    try:
        python_range(text)
    except InvalidSpecifier as error:
        raise project.error("requires-python", f"is not a version range: {error}") from error
    return text


@functools.lru_cache(maxsize=256)
def python_range(text: str) -> SpecifierSet:
    """The versions that a ``requires-python`` allows.

    Raises:
        InvalidSpecifier: it is no range.
    """
    return SpecifierSet(text)


def _poetry_python(constraint: object) -> str:
    if not isinstance(constraint, str) or constraint == "*":
        return ""
    from poetry.core.constraints.version import parse_constraint  # noqa: PLC0415 - slow, rare

    return str(parse_constraint(constraint)).replace(" ", "")


@functools.lru_cache(maxsize=4096)
def requirement(text: str) -> Requirement:
    """A PEP 508 requirement; many projects have the same ones.

    Raises:
        InvalidRequirement: it is none.
    """
    return Requirement(text)


def requirements(table: Table, key: str) -> tuple[str, ...]:
    """A list of PEP 508 requirements, each checked."""
    found = table.strings(key)
    for text in found:
        try:
            requirement(text)
        except InvalidRequirement as error:
            line = table.line(text)
            raise ConfigError(
                f"{table.path}:{line}: {text!r} is not a requirement",
                why=str(error).splitlines()[0],
                hint='write for example "pandas>=2.2,<3"',
            ) from error
    return found
