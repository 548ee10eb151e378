"""Questions to a person, each with the answer that is taken when nobody can be asked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol, TextIO

from eggcrate.errors import EggcrateError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Questions(Protocol):
    """Asks, or does not."""

    person: bool
    """Whether there is somebody who answers."""

    def ask(self, question: str, default: str, check: Callable[[str], object] = str) -> str:
        """What a person answers; the default when there is nobody to ask.

        Args:
            question: a few words.
            default: the answer that is meant when nothing is typed; it was checked.
            check: raises an :class:`EggcrateError` for what is no answer; it is told, and the
                question asked again.
        """


class NobodyToAsk:
    """Takes every default: no terminal, a CI job, or ``--yes``."""

    person = False

    def ask(self, question: str, default: str, check: Callable[[str], object] = str) -> str:  # noqa: ARG002 - the protocol's
        """The default."""
        return default


class Terminal:
    """Asks on standard error, for standard output is for results."""

    person = True

    def __init__(self, source: TextIO, target: TextIO) -> None:
        self._source, self._target = source, target

    def ask(self, question: str, default: str, check: Callable[[str], object] = str) -> str:
        """What is typed; see :class:`Questions`.

        Raises:
            UsageError: the input ended (Ctrl-D).
        """
        while True:
            self._target.write(f"{question} [{default}]: " if default else f"{question}: ")
            self._target.flush()
            line = self._source.readline()
            if not line:
                self._target.write("\n")
                raise UsageError(
                    f"nobody answers: {question}?",
                    hint="--yes takes every default; --help lists the flags that answer",
                )
            answer = line.strip() or default
            try:
                check(answer)
            except EggcrateError as error:
                self._target.write(f"{error}\n")
            else:
                return answer


def questions(environ: Mapping[str, str], *, yes: bool) -> Questions:
    """Whom to ask: the person at the terminal, or nobody.

    Args:
        environ: CI systems set ``CI``; some give their jobs a terminal.
        yes: nobody is to be asked.
    """
    if yes or environ.get("CI") or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return NobodyToAsk()
    return Terminal(sys.stdin, sys.stderr)
