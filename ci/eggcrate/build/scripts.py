"""Commands that a wheel brings: entry points, and scripts whose shebang must be rewritten.

Specification: https://packaging.python.org/specifications/entry-points. The text of a script
stands here and not in a library, because it is part of every layer's digest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from eggcrate.errors import UnsupportedPackageError

_SECTIONS = ("console_scripts", "gui_scripts")
_REFERENCE = re.compile(
    r"(?P<module>\w+(?:\.\w+)*)\s*:\s*(?P<attribute>\w+(?:\.\w+)*)\s*(?:\[[^\]]*\])?"
)
_VERSIONED = {
    "pip": (re.compile(r"pip(\d+(\.\d+)?)?"), ("pip", "pip{major}", "pip{minor}")),
    "easy_install": (
        re.compile(r"easy_install(-\d+\.\d+)?"),
        ("easy_install", "easy_install-{minor}"),
    ),
}
_TEMPLATE = """\
#!{interpreter}
import re
import sys
from {module} import {name}
if __name__ == "__main__":
    sys.argv[0] = re.sub(r"(-script\\.pyw|\\.exe)?$", "", sys.argv[0])
    sys.exit({attribute}())
"""


@dataclass(frozen=True, kw_only=True, order=True)
class Script:
    """A command made of an entry point."""

    name: str
    module: str
    attribute: str


def parse_scripts(text: str, filename: str, minor: str) -> list[Script]:
    """The commands that ``entry_points.txt`` asks for, sorted by name.

    Args:
        text: its content; empty when there is none.
        filename: the wheel's, for errors.
        minor: Python's minor version; pip's own commands carry it.

    Raises:
        UnsupportedPackageError: a line cannot be made a command.
    """
    found: dict[str, Script] = {}
    section = ""
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
        elif section in _SECTIONS:
            script = _parse(line, filename)
            found[script.name] = script
    return sorted(_versioned(found, minor).values())


def generate(script: Script, interpreter: str) -> bytes:
    """The content of a command."""
    return _TEMPLATE.format(
        interpreter=interpreter,
        module=script.module,
        name=script.attribute.partition(".")[0],
        attribute=script.attribute,
    ).encode()


def fix_shebang(content: bytes, interpreter: str) -> bytes | None:
    """A script for this interpreter; ``None`` when it is to stay as it is."""
    if not content.startswith(b"#!python"):
        return None
    rest = content.partition(b"\n")[2]
    return b"#!%b\n%b" % (interpreter.encode(), rest)


def _parse(line: str, filename: str) -> Script:
    name, _, reference = (part.strip() for part in line.partition("="))
    match = _REFERENCE.fullmatch(reference)
    if not match or not name or "/" in name or "\0" in name or name in (".", ".."):
        raise UnsupportedPackageError(
            f"{filename} cannot be installed",
            why=f"its entry point {line!r} is no command: a name, a module and a function",
            hint="choose another version of the package, or tell its maintainers",
        )
    return Script(name=name, module=match["module"], attribute=match["attribute"])


def _versioned(found: dict[str, Script], minor: str) -> dict[str, Script]:
    """Commands with a Python version in their name get that of this Python, as in pip."""
    result = dict(found)
    for plain, (pattern, names) in _VERSIONED.items():
        if plain not in found:
            continue
        result = {name: item for name, item in result.items() if not pattern.fullmatch(name)}
        for template in names:
            name = template.format(major=minor.partition(".")[0], minor=minor)
            result[name] = Script(
                name=name, module=found[plain].module, attribute=found[plain].attribute
            )
    return result
