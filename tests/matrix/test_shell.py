"""A shell where a cell runs, on a real terminal."""

from __future__ import annotations

import os
import pty
import select
import time
from typing import TYPE_CHECKING

import pytest

from support.matrix import BASE, running

if TYPE_CHECKING:
    from conftest import Proven

pytestmark = pytest.mark.network  # the shell's packages, when no cache holds them

ASLEEP = "sleep 612"


def converse(proven: Proven, *lines: str, component: str = "passes") -> tuple[int, str]:
    """Type lines into the shell; what was seen, and the exit code."""
    argv = proven.repository.argv(
        "matrix", "--runtime", proven.runtime, "--shell", component, "bare"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(argv[0], argv, proven.repository.variables({**BASE, "TERM": "dumb"}))  # noqa: S606 - ours
    seen, left, end = "", list(lines), time.monotonic() + 120
    prompts = 0
    while time.monotonic() < end:
        ready, _, _ = select.select([terminal], [], [], 0.2)
        try:
            data = os.read(terminal, 65536) if ready else b""
        except OSError:
            break
        if ready and not data:
            break
        seen += data.decode(errors="replace")
        if left and left[0] == "\x03" and running(ASLEEP):
            os.write(terminal, left.pop(0).encode())
        elif left and left[0] != "\x03" and seen.count("in bare $ ") > prompts:
            prompts = seen.count("in bare $ ")
            os.write(terminal, left.pop(0).encode())
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), seen.replace("\r", "")


def test_it_is_the_cells_place(proven: Proven) -> None:
    """The image's Python, the component's files, the user of cells; its tests can be run there."""
    run = "python /eggcrate/harness/run_cell.py /eggcrate/repo/components/passes/tests"
    code, seen = converse(
        proven,
        "id -u; python -c 'import sys; print(sys.prefix)'\n",
        "ls components/passes; touch components/x\n",
        f"{run} | grep passed; [ -t 0 ] && echo 'a te''rminal'\n",
        "exit 7\n",
    )
    assert code == 7, seen
    assert "passes in bare, image sha256:" in seen
    assert "/eggcrate/tools" in seen
    assert "\n/opt/env\n" in seen
    assert "component" not in seen.split("touch components/x\n")[1].splitlines()[0]
    assert "Read-only file system" in seen
    assert "1 passed" in seen
    assert "a terminal" in seen


def test_keys_are_the_programs(proven: Proven) -> None:
    """Ctrl-C ends what runs in the shell, and neither the shell nor us."""
    code, seen = converse(proven, f"{ASLEEP}\n", "\x03", "echo still he''re\n", "\x04")
    assert "still here" in seen, seen
    assert "Traceback" not in seen
    assert code in (0, 130)


def test_it_needs_a_person(proven: Proven) -> None:
    """In a pipe there is nobody to type."""
    ran = proven.matrix("--shell", "passes", "bare")
    assert ran.code == 2
    assert "this is not a terminal" in ran.err
