"""Make ``.venv`` as the root ``poetry.lock`` says. Run by ``make setup`` with any Python 3.11+.

``--all`` adds Google's clients (Vertex AI, Cloud Build), which the tests want and few people
need. A ``.venv`` with them serves without ``--all`` too, and one without them is added to.

Standard library only, for it runs before anything is installed. Every file is checked against
the lock's hash. pip downloads, so pip's configuration (index, mirror, certificate) is honoured.
A stamp is written last: a ``.venv`` without it, or with another one, is made again.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this is where it is found out
    sys.exit(
        "Eggcrate needs Python 3.11 or newer; %s is %s.\n"  # noqa: UP031 - parsed by old Pythons
        "  next: make setup PYTHON=/path/to/python3.11"
        % (sys.executable, ".".join(map(str, sys.version_info[:3])))
    )

import hashlib
import os
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "poetry.lock"
STAMP = VENV / "eggcrate-setup.stamp"
GROUPS = ("main", "dev")
EXTRAS = ("lock", "pipelines", "trust")
MORE = ("vertex", "cloud")
"""With ``--all``: Google's clients, 150 MB beside 220."""


class SetupError(Exception):
    """An expected failure, already in words for the user."""


def main() -> int:
    """Make ``.venv`` unless it is there already."""
    if unknown := set(sys.argv[1:]) - {"--all"}:
        print(f"usage: bootstrap.py [--all]; unknown: {' '.join(unknown)}", file=sys.stderr)
        return 2
    whole = "--all" in sys.argv[1:]
    try:
        lean, full = expected_stamp(EXTRAS), expected_stamp(EXTRAS + MORE)
        enough = (full,) if whole else (lean, full)
        if is_ready(*enough):
            return 0
        with exclusive():
            if not is_ready(*enough):
                make(full if whole else lean, whole, anew=not is_ready(lean))
    except SetupError as error:
        print(f"setup failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def expected_stamp(extras: tuple[str, ...] = EXTRAS) -> str:
    """A hash of all that decides what is in ``.venv``."""
    try:
        parts = [LOCK.read_bytes(), Path(__file__).read_bytes()]
    except FileNotFoundError as error:
        raise SetupError(f"{error.filename} is missing; a checkout is not complete") from error
    minor = "{}.{}".format(*sys.version_info[:2])
    parts += [minor.encode(), str(ROOT).encode()]  # scripts hold absolute paths
    parts += [extra.encode() for extra in extras]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def is_ready(*stamps: str) -> bool:
    """Whether ``.venv`` was made to its end from the same input, and its Python still exists."""
    try:
        return STAMP.read_text() in stamps and os.access(VENV / "bin" / "python", os.X_OK)
    except OSError:
        return False


class exclusive:  # noqa: N801 - read as a verb; contextlib would cost the fast path its import
    """Hold the set-up against other processes."""

    def __enter__(self) -> None:
        import fcntl  # noqa: PLC0415 - not needed when there is nothing to do

        folder = ROOT / ".eggcrate"
        folder.mkdir(exist_ok=True)
        self.descriptor = os.open(folder / "setup.lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another set-up of this checkout …")
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)


def make(stamp: str, whole: bool, *, anew: bool) -> None:
    """Make ``.venv`` from nothing, or add to it; the stamp comes last."""
    import shutil  # noqa: PLC0415 - not needed when there is nothing to do
    import tempfile  # noqa: PLC0415
    import time  # noqa: PLC0415

    start = time.monotonic()
    extras = EXTRAS + MORE if whole else EXTRAS
    lines = list(requirements(LOCK.read_text(encoding="utf-8"), extras))
    STAMP.unlink(missing_ok=True)
    doing = "setting up" if anew else f"adding {', '.join(MORE)} to"
    say(f"{doing} .venv: {len(lines)} locked packages, Python {sys.version.split()[0]} …")
    if anew:
        if VENV.is_symlink():
            VENV.unlink()
        shutil.rmtree(VENV, ignore_errors=True)
        make_venv()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "requirements.txt")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        install(pip_command(), path)
    add_ourselves()
    temporary = STAMP.with_suffix(".new")
    temporary.write_text(stamp)
    temporary.replace(STAMP)
    say(f"set up .venv in {time.monotonic() - start:.1f} s")


def requirements(lock: str, extras: tuple[str, ...] = EXTRAS) -> Iterator[str]:
    """The lock as lines of a pip requirements file, one for each package wanted."""
    import tomllib  # noqa: PLC0415 - not needed when there is nothing to do

    try:
        packages = tomllib.loads(lock).get("package", [])
    except tomllib.TOMLDecodeError as error:
        raise SetupError(f"{LOCK} cannot be read: {error}") from error
    for package in packages:
        groups = [group for group in package.get("groups", ["main"]) if group in GROUPS]
        if not groups:
            continue
        if "source" in package:
            raise SetupError(f"{LOCK}: {package['name']} is from a source pip cannot verify")
        marker = combined_marker(package.get("markers", ""), groups, extras)
        hashes = " ".join(f"--hash={file['hash']}" for file in package["files"])
        condition = f" ; {marker}" if marker else ""
        yield f"{package['name']}=={package['version']}{condition} {hashes}"


def combined_marker(
    markers: str | dict[str, str], groups: list[str], extras: tuple[str, ...] = EXTRAS
) -> str:
    """When a package is wanted by one of ``groups``; empty: always. Extras are decided here."""
    if isinstance(markers, str):
        return with_extras(markers, extras)
    if any(group not in markers for group in groups):
        return ""
    return " or ".join(f"({with_extras(markers[group], extras)})" for group in groups)


def with_extras(marker: str, extras: tuple[str, ...] = EXTRAS) -> str:
    """The marker with each ``extra == "…"`` made true or false: pip installs a bare list."""
    import re  # noqa: PLC0415 - not needed when there is nothing to do

    def decided(match: re.Match[str]) -> str:
        return f'python_version {">" if match[1] in extras else "<"} "3"'

    return re.sub(r"""extra\s*==\s*["']([^"']+)["']""", decided, marker)


def make_venv() -> None:
    """Make an empty ``.venv``, with pip in it where this Python can."""
    base = base_python()
    command = [base, "-m", "venv", str(VENV)]
    if not has_module(base, "ensurepip"):
        if not has_module(base, "pip"):
            raise SetupError(
                f"{base} has neither ensurepip nor pip.\n"
                "  next: apt-get install python3-venv (Debian, Ubuntu), or python3-pip"
            )
        command.append("--without-pip")
    run(command, "the virtual environment could not be made")


def pip_command() -> list[str]:
    """The command line that is pip for ``.venv``."""
    python = str(VENV / "bin" / "python")
    if has_module(python, "pip"):
        return [python, "-m", "pip"]
    return [base_python(), "-m", "pip", "--python", python]


def base_python() -> str:
    """The interpreter under ours: make may run in the very .venv that is to be replaced."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def has_module(python: str, name: str) -> bool:
    """Whether an interpreter can import a module."""
    import subprocess  # noqa: PLC0415 - not needed when there is nothing to do

    return subprocess.run([python, "-c", f"import {name}"], capture_output=True).returncode == 0  # noqa: PLW1510 - ours


def install(pip: list[str], path: Path) -> None:
    """Let pip install exactly what the file lists, every hash checked."""
    # Byte code is left to the first import: compiling all of it takes longer than the rest.
    command = [*pip, "install", "--no-deps", "--require-hashes", "--prefer-binary", "--no-compile"]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar=off"]
    run(
        [*command, "-r", str(path)],
        "the locked packages could not be installed",
        hint="`pip config list` shows which index is used; a hash that differs means that the "
        "index gives another file than the lock asks for",
        counted="Collecting ",
    )


def run(command: list[str], failure: str, *, hint: str = "", counted: str = "") -> None:
    """Run a program; on a terminal count those of its lines that begin with ``counted``."""
    import subprocess  # noqa: PLC0415 - not needed when there is nothing to do

    tail: list[str] = []
    count = 0
    environment = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None  # noqa: S101 - for the type checker
        for line in process.stdout:
            tail = [*tail[-14:], line.rstrip()]
            if counted and line.startswith(counted):
                count += 1
                if sys.stderr.isatty():
                    sys.stderr.write(f"\r\x1b[2K  {count} {line.split()[1].partition('=')[0]}")
                    sys.stderr.flush()
    if counted and sys.stderr.isatty():
        sys.stderr.write("\r\x1b[2K")
    if process.returncode != 0:
        said = "\n        ".join(tail)
        next_step = f"\n  next: {hint}" if hint else ""
        raise SetupError(f"{failure}\n  why:  {said}{next_step}")


UNWANTED = frozenset({"PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"})


def add_ourselves() -> None:
    """Put ``ci/`` on the path and the ``eggcrate`` command into ``bin/``."""
    library = next((VENV / "lib").glob("python3.*"))
    (library / "site-packages" / "eggcrate-checkout.pth").write_text(f"{ROOT / 'ci'}\n")
    command = VENV / "bin" / "eggcrate"
    # A shell line finds Python: a #! line may be neither long nor hold spaces.
    command.write_text(
        "#!/bin/sh\n"
        '\'\'\'exec\' "$(dirname -- "$0")/python" "$0" "$@"\n'
        "' '''\n"
        "import sys\n\nfrom eggcrate.__main__ import main\n\nsys.exit(main())\n"
    )
    command.chmod(0o755)


def say(line: str) -> None:
    """Tell the user."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
