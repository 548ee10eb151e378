"""What is the sandbox's alone: ordinary users, no control groups, being killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import eggcrate
from eggcrate.errors import RuntimeUnavailableError, UsageError
from eggcrate.progress import Silent
from eggcrate.runtimes import cgroup, choose, docker, sandbox
from eggcrate.runtimes.inside import Tail
from eggcrate.runtimes.protocol import Ending, Limits
from eggcrate.runtimes.rootfs import root_path
from support.python_image import PYTHON

if TYPE_CHECKING:
    from collections.abc import Callable

    from eggcrate.registry.layout import Layout

RUN = """
import json, sys
from pathlib import Path
from eggcrate.runtimes.sandbox import Sandbox, available
from eggcrate.runtimes.protocol import Command, Limits, Mount, UnpackedImage
root, python, script, seconds, out = sys.argv[1:]
reason = available()
if reason:
    print(json.dumps({"unavailable": reason})); raise SystemExit
mounts = (Mount(source=Path(out), target="/eggcrate/out", writable=True),) if out else ()
image = UnpackedImage(name="", digest="", platform="", env={})
limits = Limits(memory=200 << 20, seconds=float(seconds), scratch=64 << 20, processes=64)
command = Command(argv=(python, "-I", "-S", "-c", script), limits=limits, mounts=mounts)
result = Sandbox(None, Path("/")).run_in(Path(root), image, command)
print(json.dumps([result.ending.value, result.exit_code, result.signal, result.output]))
"""


@pytest.fixture
def no_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "create", lambda _: None)


def outside(bench: Any, script: str, out: str = "", seconds: float = 60) -> list[str]:
    """The command line of another process that runs a script in a sandbox."""
    root = str(root_path(bench.cache, bench.runtime.prepare(bench.digest).digest))
    return [sys.executable, "-c", RUN, root, PYTHON, script, str(seconds), out]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.mark.sandbox
def test_memory_without_control_groups(sandbox_bench: Any, no_groups: None) -> None:
    """Where no group can be made, memory is counted process by process."""
    result = sandbox_bench.run(
        "import os, time\n"
        "for _ in range(3):\n"
        "  if os.fork() == 0: x = b'x' * 60_000_000; time.sleep(60)\n"
        "time.sleep(60)",
        memory=150_000_000,
    )
    assert result.ending is Ending.OUT_OF_MEMORY
    assert result.memory_peak > 150_000_000


@pytest.mark.sandbox
def test_shared_memory_counts_once_without_control_groups(
    sandbox_bench: Any, no_groups: None
) -> None:
    """Forked processes that share their pages are not taken for three times as large."""
    result = sandbox_bench.run(
        "import os, time\n"
        "x = b'x' * 80_000_000\n"
        "for _ in range(3):\n"
        "  if os.fork() == 0: time.sleep(1); os._exit(0)\n"
        "for _ in range(3): os.wait()",
        memory=150_000_000,
    )
    assert (result.ending, result.exit_code) == (Ending.EXITED, 0), result


@pytest.mark.sandbox
@pytest.mark.skipif(os.geteuid() != 0, reason="becomes an ordinary user, which needs root")
def test_as_an_ordinary_user(sandbox_bench: Any) -> None:
    """Without root it works the same, in user namespaces, and files written are the user's."""
    python = shutil.which("python3.11", path="/usr/bin:/usr/local/bin")
    if not python:
        pytest.skip("no Python that every user of this machine can run")
    # pytest's own folders are root's alone.
    folder = Path(tempfile.mkdtemp(prefix="eggcrate-"))
    try:
        digest = sandbox_bench.runtime.prepare(sandbox_bench.digest).digest
        root = root_path(sandbox_bench.cache, digest)
        shutil.copytree(root, folder / "root", symlinks=True)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(Path(eggcrate.__file__).parent, folder / "ci/eggcrate", ignore=ignored)
        (folder / "out").mkdir()
        for path in (folder, folder / "out"):
            os.chown(path, 65534, 65534)
        script = (
            "import os\n"
            "print(os.getuid(), os.getgid(), open('/proc/self/uid_map').read().split())\n"
            "print([l.split()[1] for l in open('/proc/self/status') if l.startswith('CapEff')])\n"
            "for place in ('/x', '/root/x', '/proc/sys/kernel/hostname', '/proc/1/environ'):\n"
            "  try: open(place, 'r' if '/1/' in place else 'w'); print('opened', place)\n"
            "  except OSError: pass\n"
            "open('/eggcrate/out/result', 'w').write('x')\n"
        )
        argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", python, "-B"]
        command = [*argv, "-c", RUN, f"{folder}/root", PYTHON, script, "60", f"{folder}/out"]
        env = {"PYTHONPATH": f"{folder}/ci", "PATH": os.environ["PATH"]}
        done = subprocess.run(command, capture_output=True, check=True, cwd="/", env=env)
        answer = json.loads(done.stdout)
        if isinstance(answer, dict):
            pytest.skip(f"an ordinary user cannot: {answer['unavailable']}")
        assert answer[:2] == ["exited", 0], answer
        assert answer[3].split("\n")[:3] == [
            "65532 65532 ['65532', '0', '1']",
            "['0000000000000000']",
            "",
        ]
        assert (folder / "out/result").stat().st_uid == 65534
    finally:
        shutil.rmtree(folder)


@pytest.mark.sandbox
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nothing_outlives_us(
    sandbox_bench: Any, processes: Callable[[str], list[str]], how: signal.Signals
) -> None:
    """When we are killed or interrupted, nothing that ran inside is left."""
    mark = uuid.uuid4().hex
    script = f"mark = '{mark}'\nimport os, time\nos.fork(); time.sleep(300)"
    process = subprocess.Popen(
        outside(sandbox_bench, script),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def inside() -> list[str]:
        return [line for line in processes(mark) if line.startswith(PYTHON + " -I")]

    while len(inside()) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(how)
    process.wait(30)
    end = time.monotonic() + 30
    while processes(mark) and time.monotonic() < end:
        time.sleep(0.05)
    assert processes(mark) == []


@pytest.mark.sandbox
def test_groups_are_removed(sandbox_bench: Any) -> None:
    """No control group is left behind by runs, nor by those that were killed."""
    group = cgroup.create(Limits(memory=1 << 26, seconds=1))
    if group is None:
        pytest.skip("no control group can be made here")
    group.remove()
    assert sandbox_bench.run("pass").exit_code == 0
    pid = os.getpid()
    assert not list(group.memory.parent.glob(f"eggcrate-{pid}-*"))
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = group.memory.parent / f"eggcrate-{dead.pid}-0"
    left.mkdir()
    cgroup._parents.cache_clear()
    cgroup._parents()
    assert not left.exists()


@pytest.mark.sandbox
def test_processes_are_limited(sandbox_bench: Any) -> None:
    """A fork bomb meets an error, not the machine's limit."""
    group = cgroup.create(Limits(memory=1 << 26, seconds=1))
    if group is None:
        pytest.skip("no control group can be made here")
    group.remove()
    result = sandbox_bench.run(
        "import os, time\nn = 0\n"
        "try:\n"
        "  while n < 500:\n"
        "    if os.fork() == 0: time.sleep(60)\n"
        "    n += 1\n"
        "except OSError: print(n)"
    )
    assert 10 < int(result.output) < 64


@pytest.mark.sandbox
def test_it_leaves_no_descriptor_open(sandbox_bench: Any) -> None:
    """Many runs do not use up descriptors, and a program is given three."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        result = sandbox_bench.run(
            "import os; print(sorted(map(int, os.listdir('/proc/self/fd'))))"
        )
        assert result.output == "[0, 1, 2, 3]\n"  # the fourth is the listing's own
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_tail_of_an_output() -> None:
    """What fits is whole; of what does not, exactly the end."""
    tail = Tail(10)
    tail.add(b"0123456789")
    assert tail.text() == "0123456789"
    tail.add("ä".encode())
    assert tail.text() == "[only the last 10 B of the output]\n23456789ä"
    for _ in range(100):
        tail.add(b"xyz")
    assert tail.text().endswith("\nz" + "xyz" * 3)


def test_the_choice_follows_one_rule(
    python_store: tuple[Layout, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker when a daemon answers and we are no container, else the sandbox, else why not."""
    store, _ = python_store

    def chosen(name: str, without_docker: str | None, without_sandbox: str | None) -> str:
        monkeypatch.setattr(docker, "available", lambda: without_docker)
        monkeypatch.setattr(sandbox, "available", lambda: without_sandbox)
        monkeypatch.setattr(docker, "Docker", lambda *_: sandbox_named("docker"))
        return choose.choose(name, store=store, cache=tmp_path, progress=Silent()).name

    def sandbox_named(name: str) -> sandbox.Sandbox:
        runtime = sandbox.Sandbox(store, tmp_path)
        runtime.name = name
        return runtime

    monkeypatch.setattr(choose, "_INSIDE_CONTAINER", ())
    assert chosen("auto", None, None) == "docker"
    assert chosen("auto", "down", None) == "sandbox"
    assert chosen("sandbox", None, None) == "sandbox"
    assert chosen("docker", None, None) == "docker"
    with pytest.raises(
        RuntimeUnavailableError, match=r"(?s)no runtime.*docker: down.*sandbox: old"
    ):
        chosen("auto", "down", "old")
    with pytest.raises(RuntimeUnavailableError, match=r"(?s)sandbox runtime.*old"):
        chosen("sandbox", None, "old")
    with pytest.raises(UsageError, match="no runtime 'x'"):
        chosen("x", None, None)
    monkeypatch.setattr(choose, "_INSIDE_CONTAINER", (tmp_path,))
    assert chosen("auto", None, None) == "sandbox"


def test_all_of_the_image_is_mounted_read_only(sandbox_bench: Any) -> None:
    """Whoever one is inside: it does not rest on permissions alone."""
    result = sandbox_bench.run("print(open('/proc/self/mounts').read())")
    options = {}
    for line in filter(None, result.output.splitlines()):
        _, place, _, told, *_ = line.split(" ")
        options[place] = told.split(",")[0]
    own = ("/tmp", "/dev", "/proc", "/eggcrate")  # noqa: S108 - the sandbox's own
    assert options["/"] == "ro"
    assert {told for place, told in options.items() if not place.startswith(own)} == {"ro"}
