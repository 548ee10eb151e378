"""``eggcrate new`` on a terminal and without one: who is asked, and what is left of a start."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from support.newly import Conversation, folder

if TYPE_CHECKING:
    from support.adding import World


def test_a_person_is_asked_once(here: World) -> None:
    """Defaults in brackets, a wrong answer again; next time what was answered is told instead."""
    talk = Conversation(here, "new", "environment", "asked")
    talk.until("packages, separated by spaces [epsilon>=1]: ")
    talk.type("modern=1\n")
    talk.until('write "modern==1"')
    talk.type("modern\n")
    talk.until("Python (3.11, 3.13) [3.13]: ")
    talk.type("3.12\n")
    talk.until("no base has Python 3.12")
    talk.type("\n")
    talk.until("description, in one line [modern on Python 3.13]: ")
    talk.type("Modern things\n")
    talk.until("breaks [ml-platform]: ")
    talk.type("data-team\n")
    assert talk.end() == 0, talk.seen
    assert "environments/asked: Modern things" in talk.seen
    assert "owner data-team" in talk.seen
    again = Conversation(here, "new", "environment", "again", "epsilon", "--description", "e")
    assert again.end() == 0, again.seen
    assert "python: 3.13, as last time (--python says another)" in again.seen
    assert "owner: data-team, as last time (--owner says another)" in again.seen
    assert "]: " not in again.seen


def test_a_person_describes_a_component(here: World) -> None:
    """The same for components; an empty answer takes the default."""
    talk = Conversation(here, "new", "component", "asked")
    talk.until("description, in one line [What this component does, in one line]: ")
    talk.type("Ask things\n")
    talk.until("beside the template's: ")
    talk.type("epsilon>=1\n")
    talk.until("xgboost=xgboost-cpu>=2: ")
    talk.type("\n")
    talk.until("threshold:float: ")
    talk.type("size:int\n")
    talk.until("environment it runs in by default (none fits): ")
    talk.type("tow\n")
    talk.until("did you mean two?")
    talk.type("two\n")
    assert talk.end() == 0, talk.seen
    assert "components/asked: Ask things" in talk.seen


@pytest.mark.parametrize(("key", "code"), [("\x03", 130), ("\x04", 2)])
def test_whoever_leaves_leaves_nothing(here: World, key: str, code: int) -> None:
    """Ctrl-C and Ctrl-D at a question."""
    talk = Conversation(here, "new", "environment", "left")
    talk.until("packages")
    talk.type(key)
    assert talk.end() == code, talk.seen
    assert "Traceback" not in talk.seen
    assert not folder(here, "left").exists()


def test_an_interrupted_lock_leaves_nothing(here: World) -> None:
    """The resolver is under way when the job is ended: no folder, no half of one."""
    before = here.files()
    asked = len(here.index.requests)
    started = subprocess.Popen(
        here.repository.argv("new", "environment", "cut", "epsilon", "modern"),
        env=here.repository.variables(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 30
    while len(here.index.requests) == asked and time.monotonic() < end:
        time.sleep(0.01)
    started.send_signal(signal.SIGTERM)
    _, err = started.communicate(timeout=60)
    assert started.returncode == 130, err
    assert here.files() == before
    assert not list((here.repository.root / "environments").glob("*cut*"))


def test_without_a_terminal_nothing_waits(here: World) -> None:
    """No input at all, and a terminal in a CI job: defaults, and the same result."""
    quiet = subprocess.run(
        here.repository.argv("new", "environment", "quiet", "--json"),
        env=here.repository.variables(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = json.loads(quiet.stdout)
    assert found["requirements"] == ["epsilon>=1"]
    assert not list((here.repository.cache / "answers").glob("*"))
    talk = Conversation(here, "new", "pipeline", "calm", CI="true")
    assert talk.end() == 0, talk.seen
    assert "pipelines/calm: What this pipeline does, in one line" in talk.seen
