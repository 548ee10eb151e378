"""The one place that runs other programs (cells apart, which have runtimes of their own)."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.errors import EggcrateError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_TAIL_LINES = 20


@dataclass(frozen=True, kw_only=True)
class Completed:
    """A program that ran to its end."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode("utf-8", "replace")


class ProcessError(EggcrateError):
    """A program that could not be started or ended with an error."""


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout: float | None = None,
    check: bool = True,
    hint: str = "",
) -> Completed:
    """Run a program and wait for it.

    Args:
        argv: the program and its arguments; never a shell line.
        cwd: its working directory.
        env: its whole environment; ``None`` inherits ours.
        stdin: what it reads; nothing by default.
        timeout: seconds after which it is killed.
        check: raise :class:`ProcessError` when it exits with anything but 0.
        hint: what the user can do when it fails.
    """
    command = shlex.join(argv)
    try:
        done = subprocess.run(
            list(argv),
            cwd=cwd,
            env=dict(env) if env is not None else None,
            input=stdin if stdin is not None else b"",
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise ProcessError(
            f"{argv[0]} could not be started", why=os.strerror(error.errno or 0), hint=hint
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ProcessError(f"`{command}` did not end within {timeout:g} s", hint=hint) from error
    if check and done.returncode != 0:
        tail = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
        raise ProcessError(
            f"`{command}` ended with exit code {done.returncode}",
            why="\n".join(tail[-_TAIL_LINES:]),
            hint=hint,
        )
    return Completed(
        argv=tuple(argv), returncode=done.returncode, stdout=done.stdout, stderr=done.stderr
    )
