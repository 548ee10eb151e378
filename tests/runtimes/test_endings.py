"""Every way a program can end, and what it can see and do, in both runtimes."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.runtimes.protocol import Command, Ending, Limits, Mount

if TYPE_CHECKING:
    from collections.abc import Callable

LIMITS = Limits(memory=256 << 20, seconds=60)


@pytest.mark.parametrize("code", [0, 3])
def test_an_exit_code_is_told(bench: Any, code: int) -> None:
    """A program that ends by itself is told by its exit code and needs no reason."""
    result = bench.run(f"raise SystemExit({code})")
    assert (result.ending, result.exit_code, result.reason) == (Ending.EXITED, code, "")


def test_output_is_both_streams(bench: Any) -> None:
    """Standard output and standard error come back together."""
    result = bench.run("import sys; print('out', flush=True); print('err', file=sys.stderr)")
    assert sorted(result.output.split()) == ["err", "out"]


@pytest.mark.parametrize(
    ("script", "number"),
    [
        ("import ctypes; ctypes.string_at(0)", signal.SIGSEGV),
        ("import os; os.abort()", signal.SIGABRT),
        ("import os; os.kill(os.getpid(), 15)", signal.SIGTERM),
    ],
)
def test_a_crash_is_told_by_its_signal(bench: Any, script: str, number: int) -> None:
    """A program that a signal ends is told apart from one that exits."""
    result = bench.run(script)
    assert (result.ending, result.signal) == (Ending.SIGNALLED, number)
    assert signal.Signals(number).name in result.reason


def test_the_time_limit_ends_everything(bench: Any, processes: Callable[[str], list[str]]) -> None:
    """Past the limit all its processes end, those too that ignore SIGTERM and left its session."""
    mark = uuid.uuid4().hex
    result = bench.run(
        "import os, signal, time\n"
        f"mark = '{mark}'\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if os.fork() == 0: os.setsid()\n"
        "print('started', flush=True); time.sleep(300)",
        seconds=2,
    )
    assert result.ending is Ending.TIMED_OUT
    assert "2 s" in result.reason
    assert "started" in result.output
    assert processes(mark) == []


def test_what_it_leaves_behind_ends_with_it(
    bench: Any, processes: Callable[[str], list[str]]
) -> None:
    """A background process does not outlive the program, nor keep the run waiting."""
    mark = uuid.uuid4().hex
    script = f"import os, time\nmark = '{mark}'\nif os.fork() == 0: os.setsid(); time.sleep(300)"
    result = bench.run(script)
    assert (result.ending, result.exit_code) == (Ending.EXITED, 0)
    assert processes(mark) == []


def test_the_memory_limit_is_told_with_its_figure(bench: Any) -> None:
    """Needing more memory than the limit is an ending of its own."""
    result = bench.run("x = [b'x' * 1000000 for _ in range(1000)]", memory=100_000_000)
    assert result.ending is Ending.OUT_OF_MEMORY
    assert "100.0 MB" in result.reason


def test_a_child_short_of_memory_is_told(bench: Any) -> None:
    """A worker that is killed for memory is not mistaken for a failing test."""
    result = bench.run(
        "import os, sys\n"
        "pid = os.fork()\n"
        "if pid == 0: x = [b'x' * 1000000 for _ in range(1000)]\n"
        "os.waitpid(pid, 0); sys.exit(1)",
        memory=100_000_000,
    )
    assert result.ending is Ending.OUT_OF_MEMORY


def test_files_in_memory_count(bench: Any) -> None:
    """The scratch folder is limited, and is full with an error rather than a kill."""
    result = bench.run(
        "f = open('/tmp/big', 'wb')\ntry:\n"
        " for _ in range(1000): f.write(b'x' * 1000000); f.flush()\n"
        "except OSError as error: print(error.strerror, flush=True); import os; os._exit(0)"
    )
    assert result.ending is Ending.EXITED, result
    assert "No space left" in result.output


def test_there_is_no_network(bench: Any) -> None:
    """Nothing outside can be reached, and 127.0.0.1 works for what runs inside."""
    result = bench.run(
        "import socket\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname()).close(); print('loopback')\n"
        "print(socket.gethostbyname('localhost'))\n"
        "try: socket.create_connection(('192.0.2.1', 80), timeout=5)\n"
        "except OSError as error: print(error.strerror)"
    )
    assert result.output.split("\n")[:3] == ["loopback", "127.0.0.1", "Network is unreachable"]


def test_a_network_is_there_when_asked_for(bench: Any) -> None:
    """With the network there are a route, a resolver's configuration and certificates."""
    result = bench.run(
        "import os\n"
        "print(len(open('/proc/net/route').readlines()) > 1)\n"
        "print(os.path.exists('/etc/resolv.conf'), os.path.exists(os.environ['SSL_CERT_FILE']))",
        network=True,
    )
    assert result.output.split() == ["True", "True", "True"], result


def test_the_root_is_read_only(bench: Any) -> None:
    """Nothing of the image can be changed; /tmp, HOME and shared memory can be written."""
    result = bench.run(
        "import os, sys\n"
        "for place in ('/x', '/etc/x', '/eggcrate', os.path.dirname(sys.executable) + '/x'):\n"
        "  try: open(place, 'w'); print('wrote', place)\n"
        "  except OSError as error: pass\n"
        "for place in ('/tmp', '/dev/shm', os.environ['HOME']): open(place + '/x', 'w').write('')\n"
        "os.chmod('/tmp/x', 0o755); print('done')"
    )
    assert result.output == "done\n"


def test_it_is_nobody_and_can_do_nothing(bench: Any) -> None:
    """It is not root, has no capability and no group, and cannot gain any by a file."""
    result = bench.run(
        "import os\n"
        "lines = dict(l.split(':', 1) for l in open('/proc/self/status'))\n"
        "print(os.getuid(), os.getgid(), os.getgroups() in ([], [os.getgid()]), *(lines[k].strip()"
        " for k in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs')))"
    )
    words = result.output.split()
    assert words[0] == words[1] != "0"
    assert words[2] == "True"
    assert {int(word, 16) for word in words[3:8]} == {0}
    assert words[8] == "1"


def test_the_kernels_settings_are_out_of_reach(bench: Any) -> None:
    """Neither the machine's settings nor its memory can be opened."""
    result = bench.run(
        "for place, mode in (('/proc/sys/kernel/hostname', 'w'), ('/proc/sysrq-trigger', 'w'),"
        " ('/proc/kcore', 'rb')):\n"
        "  try:\n"
        "    if open(place, mode).read(1): print('opened', place)\n"
        "  except OSError: pass\n"
        "print('done')"
    )
    assert result.output == "done\n"


def test_nothing_of_the_host_is_seen(
    bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not its processes, files or environment variables."""
    monkeypatch.setenv("HOST_SECRET", "s")
    result = bench.run(
        "import json, os\n"
        f"print(json.dumps([len([p for p in os.listdir('/proc') if p.isdigit()]),"
        f" os.path.exists({str(tmp_path)!r}), sorted(os.environ), sorted(os.listdir('/'))]))\n"
        "try: assert b'HOST_SECRET' not in open('/proc/1/environ', 'rb').read()\n"
        "except OSError: pass",
        env={"MINE": "1"},
    )
    count, seen, names, top = json.loads(result.output)
    assert count <= 2
    assert not seen
    assert {"FROM_IMAGE", "HOME", "MINE"} <= set(names)
    assert "HOST_SECRET" not in names
    assert "home" not in top or os.path.commonpath([os.__file__, "/home"]) == "/home"


def test_credentials_are_out_of_reach(
    bench: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By trying: files of log-ins, sockets of daemons, variables, a cloud's own server."""
    (tmp_path / ".netrc").write_text("machine x login me password secret")
    names = ("GOOGLE_APPLICATION_CREDENTIALS", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK", "NETRC")
    for name in (*names, "EGGCRATE_SIGN", "PIP_INDEX_URL", "DOCKER_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / ".netrc"))
    homes = [str(Path.home()), str(tmp_path), "/root", "/home"]
    result = bench.run(
        "import os, socket\n"
        f"for home in {homes!r} + [os.environ['HOME']]:\n"
        "  for name in ('.netrc', '.docker/config.json', '.config/gcloud', '.ssh', '.aws',"
        " '.config/pip/pip.conf', '.cache/eggcrate'):\n"
        "    try: os.stat(home + '/' + name); print('saw', home, name)\n"
        "    except OSError: pass\n"
        "for path in ('/var/run/docker.sock', '/run/docker.sock', '/run/containerd', '/etc/shadow',"
        " '/run/secrets', '/etc/pip.conf'):\n"
        "  read = os.listdir if os.path.isdir(path) else open\n"
        "  try: read(path); print('saw', path)\n"
        "  except OSError: pass\n"
        "for address in (('169.254.169.254', 80), ('127.0.0.1', 2375)):\n"
        "  try: socket.create_connection(address, timeout=2); print('met', address)\n"
        "  except OSError: pass\n"
        f"print('told', [n for n, v in os.environ.items() if {str(tmp_path)!r} in v])"
    )
    assert result.output == "told []\n"


def test_mounts(bench: Any, tmp_path: Path) -> None:
    """A mount is read-only unless it is said to be writable; what is written is there after."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "data").write_text("from outside")
    (tmp_path / "out").mkdir()
    tmp_path.chmod(0o700)
    result = bench.run(
        "print(open('/eggcrate/a/in/data').read(), open('/eggcrate/file').read())\n"
        "try: open('/eggcrate/a/in/data', 'w')\n"
        "except OSError as error: print(error.strerror)\n"
        "open('/eggcrate/out/result', 'w').write('from inside')",
        mounts=(
            Mount(source=tmp_path / "in", target="/eggcrate/a/in"),
            Mount(source=tmp_path / "in" / "data", target="/eggcrate/file"),
            Mount(source=tmp_path / "out", target="/eggcrate/out", writable=True),
        ),
    )
    assert result.output == "from outside from outside\nRead-only file system\n", result
    assert (tmp_path / "out" / "result").read_text() == "from inside"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"argv": ("/no/such/program",)}, "/no/such/program"),
        ({"argv": ("/etc/hostname",)}, "ermission denied"),
        (
            {"mounts": (Mount(source=Path("/nowhere"), target="/eggcrate/x"),)},
            "/nowhere",
        ),
        ({"mounts": (Mount(source=Path("/etc"), target="/etc"),)}, "/etc"),
    ],
)
def test_what_cannot_start_is_broken(bench: Any, change: dict[str, Any], word: str) -> None:
    """A program or a mount that does not exist is told apart from a failing program."""
    command = replace(Command(argv=bench.argv("pass"), limits=LIMITS), **change)
    result = bench.runtime.run(bench.runtime.prepare(bench.digest), command)
    assert (result.ending, result.exit_code) == (Ending.BROKEN, None)
    assert word in result.reason


def test_a_flood_of_output_is_bounded(bench: Any) -> None:
    """Of 100 MB of output the end is kept, and the cut is told."""
    result = bench.run(
        "import os\nfor _ in range(100): os.write(1, b'x' * 999999 + b'\\n')\nprint('the end')"
    )
    assert result.exit_code == 0
    assert len(result.output) < 1_100_000
    assert result.output.startswith("[only the last")
    assert result.output.endswith("the end\n")


def test_twenty_at_once(bench: Any) -> None:
    """Any number of threads can run programs; none gets another's output."""
    with ThreadPoolExecutor(20) as pool:
        results = list(
            pool.map(lambda n: bench.run(f"print({n}); raise SystemExit({n})"), range(20))
        )
    assert [result.exit_code for result in results] == list(range(20))
    assert [result.output for result in results] == [f"{n}\n" for n in range(20)]


def test_close_ends_what_runs(bench: Any, processes: Callable[[str], list[str]]) -> None:
    """After Ctrl-C everything that runs is ended at once, and told as interrupted."""
    mark = uuid.uuid4().hex
    runtime = type(bench.runtime)(bench.store, bench.cache)
    command = Command(
        argv=bench.argv(f"mark='{mark}'; import time; time.sleep(300)"), limits=LIMITS
    )
    found = []
    thread = threading.Thread(
        target=lambda: found.append(runtime.run(runtime.prepare(bench.digest), command))
    )
    thread.start()
    while not [line for line in processes(mark) if "time.sleep" in line]:
        time.sleep(0.05)
    time.sleep(0.5)
    runtime.close()
    thread.join(30)
    assert found[0].ending is Ending.BROKEN
    assert "interrupted" in found[0].reason
    assert processes(mark) == []
