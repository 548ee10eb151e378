"""Why locking failed, in the resolver's own words, and what to try."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

from eggcrate.errors import ConflictError, EggcrateError
from eggcrate.packages.advice import Names, suggestion

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.packages.loopback_index import LoopbackIndex

_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NOISE = re.compile(
    r"^(Resolving dependencies\.*.*|Updating dependencies|Creating virtualenv .*|"
    r"Using virtualenv: .*|Skipping virtualenv creation.*|Writing lock file)$"
)
_LACKING = re.compile(r"depends on (?P<name>[\w.-]+) \(.*?\) which doesn't match any versions")
_LONGEST = 30
_SHOWN = 5


def explain(folder: Path, output: str, *, index: LoopbackIndex) -> EggcrateError:
    """The error to raise for a resolver that gave up.

    Args:
        folder: the project.
        output: all that the resolver printed.
        index: the one it asked.
    """
    words = clean(output)
    unknown = [name for name in sorted(index.missing) if _mentions(words, name)]
    if index.failures and not unknown:
        # The resolver only saw our 424; the cause is what our side of it saw.
        return index.failures[-1]
    return ConflictError(
        f"{folder} cannot be locked", why=words, hint=_hint(folder, words, unknown, index)
    )


def clean(output: str) -> str:
    """A program's output as text to show: no colours, no progress lines, no blank ends."""
    lines: list[str] = []
    for line in _ANSI.sub("", output).replace("\r", "\n").splitlines():
        text = line.rstrip()
        if _NOISE.match(text.strip()) or (not text and (not lines or not lines[-1])):
            continue
        if text not in lines or not text:
            lines.append(text)
    return "\n".join(lines[-_LONGEST:]).strip()


def _hint(folder: Path, words: str, unknown: list[str], index: LoopbackIndex) -> str:
    if unknown:
        names = Names(packages=frozenset(_neighbours(folder)))
        said = [suggestion(name, names) for name in unknown]
        return "; ".join(said)
    if lacking := _LACKING.search(words):
        versions = index.versions(lacking["name"])
        if versions:
            return f"{lacking['name']} is offered in versions {_shown(versions)}"
    if "Check your dependencies Python requirement" in words:
        return "requires-python allows more than the package does: narrow it as proposed above"
    if "version solving failed" in words:
        return (
            "loosen one of the requirements named above; "
            "`eggcrate lock --upgrade` lets old pins move where they are what stands in the way"
        )
    if "is not installed" in words or "not a dependency" in words or "not dependencies" in words:
        return "name packages that the lock holds; new ones go into pyproject.toml"
    return "correct pyproject.toml, then lock again"


def _shown(versions: list[str]) -> str:
    last = ", ".join(versions[-_SHOWN:])
    return last if len(versions) <= _SHOWN else f"{versions[0]}, …, {last}"


def _neighbours(folder: Path) -> set[str]:
    """Names that are known to exist, because a lock near this one holds them."""
    names: set[str] = set()
    for lock in folder.resolve().parent.glob("*/poetry.lock"):
        try:
            packages = tomllib.loads(lock.read_text(encoding="utf-8")).get("package", [])
        except (OSError, ValueError):
            continue
        names.update(package["name"] for package in packages if "name" in package)
    return names


def _mentions(words: str, name: str) -> bool:
    pattern = r"[-_.]+".join(map(re.escape, name.split("-")))
    return re.search(rf"(?<![\w.-]){pattern}(?![\w-])", words, re.IGNORECASE) is not None
