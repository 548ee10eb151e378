"""The reference of commands, written from the commands themselves: ``docs/commands.md``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.cli import parser, verb_names
from eggcrate.files import atomic_write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FILE = Path("docs", "commands.md")
_HEAD = """\
# Commands

<!-- Written by `make docs` from the commands themselves: edit their help, not this page. -->

`eggcrate [--repo DIR] VERB …`; in this repository `.venv/bin/eggcrate`. What files, formats and
outcomes mean stands in the [reference](reference.md). Results go to standard output, progress to
standard error; `--json` prints one document. Exit codes: 0 done, 1 an expected failure, 2 usage,
3 a defect in Eggcrate, 130 interrupted.
"""


def commands_page() -> str:
    """The whole page, as Markdown; the same under every version of Python."""
    verbs = [(name, _verb(name)) for name in verb_names()]
    index = "".join(
        f"| [`{name}`](#eggcrate-{name}) | {_cell(told)} |\n" for name, (told, _) in verbs
    )
    parts = [_HEAD, "\n| command | does |\n|---|---|\n", index]
    for name, (_, verb) in verbs:
        parts.extend(_section(f"eggcrate {name}", verb, level=2))
    return "".join(parts)


def _verb(name: str) -> tuple[str, argparse.ArgumentParser]:
    """What a verb does in a line, and its parser."""
    (verbs,) = _subparsers(parser([name]))
    told = {choice.dest: choice.help or "" for choice in verbs._get_subactions()}  # noqa: SLF001
    return told[name], verbs.choices[name]


def _section(title: str, verb: argparse.ArgumentParser, *, level: int) -> Iterator[str]:
    yield f"\n{'#' * level} `{title}`\n"
    if verb.description:
        yield f"\n{verb.description}\n"
    inner = list(_subparsers(verb))
    actions = [a for a in _actions(verb) if a.help is not argparse.SUPPRESS and a not in inner]
    own = (verb.usage or "").replace(" [-h]", "")
    yield f"\n```text\n{own or ' '.join([title, *_usage(verb, actions, inner)])}\n```\n"
    if actions:
        yield "\n| argument | means |\n|---|---|\n"
        yield from (f"| {_name(action)} | {_cell(_told(action))} |\n" for action in actions)
    for choices in inner:
        for name, one in choices.choices.items():
            yield from _section(f"{title} {name}", one, level=level + 1)


def _actions(verb: argparse.ArgumentParser) -> Iterable[argparse.Action]:
    return [a for a in verb._actions if not isinstance(a, argparse._HelpAction)]  # noqa: SLF001


def _subparsers(
    verb: argparse.ArgumentParser,
) -> Iterator[argparse._SubParsersAction[argparse.ArgumentParser]]:
    for action in _actions(verb):
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            yield action


def _usage(
    verb: argparse.ArgumentParser,
    actions: Iterable[argparse.Action],
    inner: Iterable[argparse.Action],
) -> Iterator[str]:
    for action in actions:
        if not action.option_strings:
            yield _values(action)
        elif action.required:
            yield f"{action.option_strings[-1]} {_values(action)}"
    yield from (str(choices.metavar) for choices in inner)
    yield "[OPTIONS]"
    if verb.get_default("takes_rest"):
        yield "[-- ARGUMENTS]"


def _name(action: argparse.Action) -> str:
    values = _values(action)
    if not action.option_strings:
        return _code(values)
    return ", ".join(_code(f"{option} {values}".strip()) for option in action.option_strings)


def _code(text: str) -> str:
    """A code span in a cell of a table."""
    escaped = text.replace("|", "\\|")
    return f"`{escaped}`"


def _values(action: argparse.Action) -> str:
    """What stands after an option, or for an argument: ``NAME``, ``[NAME …]``."""
    if action.nargs == 0:
        return ""
    one = action.metavar or ("|".join(map(str, action.choices)) if action.choices else "")
    name = " ".join(one) if isinstance(one, tuple) else one or action.dest.upper()
    if " " in name and not action.option_strings:
        return name
    match action.nargs:
        case "*":
            return f"[{name} …]"
        case "+":
            return f"{name} …"
        case "?":
            return f"[{name}]"
        case _:
            return name


def _told(action: argparse.Action) -> str:
    return (action.help or "") % {**vars(action), "prog": "eggcrate"}


def _cell(text: str) -> str:
    """A text in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def main() -> None:
    """Write the page into the repository that stands here."""
    atomic_write(FILE, commands_page().encode())
    sys.stdout.write(f"wrote {FILE}\n")


if __name__ == "__main__":
    main()
