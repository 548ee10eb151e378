"""The one place that runs other programs (cells apart, which have runtimes of their own)."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
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


class Answerer:
    """A program that answers each line that it is given with one of its own.

    It is in a group of its own: Ctrl-C does not reach it, and what it started ends with it.

    Args:
        argv: the program and its arguments.
        env: its whole environment.

    Raises:
        ProcessError: it could not be started.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self._argv = tuple(argv)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the program
        try:
            self._process = subprocess.Popen(
                self._argv,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,
                text=True,
            )
        except OSError as error:
            self._errors.close()
            raise ProcessError(f"{argv[0]} could not be started", why=str(error)) from error

    def ask(self, line: str) -> str:
        """Give it a line, and wait for its answer.

        Raises:
            ProcessError: it ended without one.
        """
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        assert self._process.stdout is not None  # noqa: S101 - as above
        with contextlib.suppress(BrokenPipeError):  # then there is no answer either
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        if answer := self._process.stdout.readline():
            return answer.rstrip("\n")
        code = self._process.wait()
        self._errors.seek(0)
        tail = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        raise ProcessError(
            f"`{shlex.join(self._argv)}` ended with exit code {code}",
            why="\n".join(tail[-_TAIL_LINES:]),
        )

    def close(self) -> None:
        """End it, and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()
