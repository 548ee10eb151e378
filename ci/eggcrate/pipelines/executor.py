"""KFP's executor, taken from the installed kfp: what a component needs of it at run time.

With ``_KFP_RUNTIME=true`` kfp leaves its compiler and client out; what is left is about 15
modules that need the standard library alone. Which ones, kfp itself tells: they are imported
once, in a Python that has nothing else.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import sys
from importlib import metadata
from pathlib import Path

from eggcrate import process
from eggcrate.errors import CompileError
from eggcrate.pipelines.authoring import RUNTIME_VARIABLE

_LIST = """\
import json, sys
sys.path.insert(0, sys.argv[1])
import kfp.dsl.executor_main
names = sorted(name for name in sys.modules if name.partition(".")[0] == "kfp")
foreign = sorted(
    name for name, module in sys.modules.items()
    if name not in names and (getattr(module, "__file__", None) or "").startswith(sys.argv[1])
)
print(json.dumps([[sys.modules[name].__file__ for name in names], foreign]))
"""


def executor_version() -> str:
    """Identity of the installed kfp, from its own record of files.

    Raises:
        CompileError: kfp is not installed.
    """
    package()
    found = metadata.distribution("kfp")
    record = found.read_text("RECORD") or ""
    return f"{found.version} {hashlib.sha256(record.encode()).hexdigest()[:16]}"


@functools.cache
def executor_files() -> tuple[tuple[str, bytes], ...]:
    """Path and content of each of its modules, sorted; paths as they are imported.

    Raises:
        CompileError: kfp is not installed, or its executor needs more than the standard library.
    """
    above = package().parent
    command = [sys.executable, "-I", "-S", "-B", "-c", _LIST, str(above)]
    done = process.run(command, env={RUNTIME_VARIABLE: "true"}, check=False)
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise CompileError(
            "KFP's executor cannot be taken from the installed kfp",
            why=lines[-1] if lines else f"exit code {done.returncode}",
            hint="install the kfp that Eggcrate's poetry.lock names: run `make setup`",
        )
    files, foreign = json.loads(done.stdout)
    if foreign:
        raise CompileError(
            f"KFP's executor needs {', '.join(foreign)}, which images do not hold",
            hint="install the kfp that Eggcrate's poetry.lock names: run `make setup`",
        )
    paths = sorted(Path(file) for file in files)
    return tuple((path.relative_to(above).as_posix(), path.read_bytes()) for path in paths)


def package() -> Path:
    """The folder of the installed kfp; finding it does not import it.

    Raises:
        CompileError: it is not installed.
    """
    found = importlib.util.find_spec("kfp")
    if found is None or found.origin is None:
        raise CompileError(
            "components are compiled with kfp, which is not installed",
            hint="run `make setup`, or `pip install 'eggcrate[pipelines]'`",
        )
    return Path(found.origin).parent


def runtime_files() -> tuple[tuple[str, bytes], ...]:
    """All that components find at run time and no image holds: ``kfp``'s part and ``eggcrate``.

    Raises:
        CompileError: as :func:`executor_files`.
    """
    return (*_ours(), *executor_files())


def beside_tests() -> tuple[tuple[str, bytes], ...]:
    """The same for components' tests: without kfp, for those that do without it too."""
    return runtime_files() if installed() else _ours()


def beside_tests_version() -> str:
    """Identity of :func:`beside_tests`, known without reading them."""
    identity = hashlib.sha256((executor_version() if installed() else "").encode())
    for _, content in _ours():
        identity.update(content)
    return identity.hexdigest()


def installed() -> bool:
    """Whether there is a kfp to compile with; finding it does not import it."""
    return importlib.util.find_spec("kfp") is not None


def _ours() -> tuple[tuple[str, bytes], ...]:
    return (("eggcrate.py", Path(__file__).with_name("inside.py").read_bytes()),)
