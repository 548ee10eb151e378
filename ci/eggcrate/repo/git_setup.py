"""A merge driver for locks: a line in ``.gitattributes`` and a section of this clone's settings."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.errors import ConfigError
from eggcrate.files import atomic_write

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.repo.git import Git

DRIVER = "eggcrate-lock"
LINE = f"environments/*/poetry.lock merge={DRIVER}"
_SECTION = f"merge.{DRIVER}"
_NAME = "Eggcrate: locks by packages"


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What installing or removing the driver does; decided before it is done."""

    attributes: Path
    text: str | None
    """What ``.gitattributes`` would hold; ``None``: it would not be there."""
    settings: dict[str, str]
    """Names and values to be; none: the section goes."""
    steps: tuple[str, ...]
    """What would change, in words; none: nothing."""


def decide_setup(git: Git, *, remove: bool = False) -> Setup:
    """What must change for git to merge locks with Eggcrate, or not to any more.

    Args:
        git: of the checkout.
        remove: take it out again.

    Raises:
        ConfigError: the folder is not in a git repository.
    """
    prefix = git.prefix()
    if prefix is None:
        raise ConfigError(
            f"{git.root} is not in a git repository", hint="run: git init, or clone it with git"
        )
    attributes = git.root / ".gitattributes"
    before = attributes.read_bytes().decode() if attributes.is_file() else None
    lines = (before or "").splitlines(keepends=True)
    others = [line for line in lines if line.strip() != LINE]
    text: str | None = before
    if remove and len(others) < len(lines):
        text = "".join(others) or None
    elif not remove and len(others) == len(lines):
        newline = "" if not before or before.endswith("\n") else "\n"
        text = f"{before or ''}{newline}{LINE}\n"
    settings = {} if remove else {"name": _NAME, "driver": _command(prefix)}
    steps = []
    if text != before:
        steps.append(f"{attributes}: {'without' if remove else 'with'} `{LINE}`")
    now = {key: git.setting(f"{_SECTION}.{key}") for key in ("name", "driver")}
    if {key: value for key, value in now.items() if value} != settings:
        told = "removed" if remove else f"driver = {settings['driver']}"
        steps.append(f"git config {_SECTION}: {told}")
    return Setup(attributes=attributes, text=text, settings=settings, steps=tuple(steps))


def carry_out(setup: Setup, git: Git) -> None:
    """Write the line and the settings.

    Raises:
        ConfigError: git does not write its settings.
    """
    if setup.text is None:
        setup.attributes.unlink(missing_ok=True)
    elif not setup.attributes.is_file() or setup.attributes.read_bytes() != setup.text.encode():
        atomic_write(setup.attributes, setup.text)
    if not setup.settings:
        git.remove_settings(_SECTION)  # fails when there are none
    for key, value in setup.settings.items():
        if git.setting(f"{_SECTION}.{key}") != value and not git.set_setting(
            f"{_SECTION}.{key}", value
        ):
            raise ConfigError(
                f"git could not write {_SECTION}.{key}",
                hint="look at .git/config: it may be locked or not yours",
            )


def _command(prefix: str) -> str:
    """What git runs, in its own root: ours, ancestor's and theirs are files, then the path."""
    words = [sys.executable, "-m", "eggcrate", "--repo", f"./{prefix}", "merge-lock"]
    return f"{shlex.join(words)} %O %A %B %P"
