"""Components as pickles: convenient where helpers are still being written, and fragile."""

from __future__ import annotations

import base64
import importlib.metadata
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import CompileError
from eggcrate.pipelines.reading import ask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eggcrate.pipelines.code import Code
    from eggcrate.pipelines.open_task import Choice


def captured(choice: Choice, code: Code, python: str, *, root: Path) -> Mapping[str, bytes]:
    """The files of a function captured by cloudpickle, ``eggcrate_pickle.py`` among them.

    Args:
        choice: names the function.
        code: of its component; not used, for a pickle takes what is imported.
        python: exact version of the Python that is to read it.
        root: the repository.

    Raises:
        CompileError: cloudpickle is not installed, this Python is another than that one, or the
            function cannot be captured.
    """
    del code
    ours = platform.python_version()
    if ours.split(".")[:2] != python.split(".")[:2]:
        raise CompileError(
            f"{choice.component} cannot be pickled here for Python {python}",
            why=f"this is Python {ours}, and bytecode of one is not read by the other",
            hint='run Eggcrate with that Python, or use share = "inject"',
        )
    travelling = _cloudpickle()
    request = {"root": str(root.resolve()), "module": choice.module, "function": choice.function}
    told = ask("eggcrate.pipelines.pickle_worker", request, root, f"components/{choice.component}")
    if "error" in told:
        what, why, hint = told["error"]
        raise CompileError(what, why=why, hint=hint)
    return {
        **travelling,
        "eggcrate_pickle.bin": base64.b64decode(told["pickle"]),
        "eggcrate_pickle.py": Path(__file__).with_name("inside_pickle.py").read_bytes(),
    }


def _cloudpickle() -> Mapping[str, bytes]:
    """The installed cloudpickle: Python files alone."""
    try:
        files = importlib.metadata.files("cloudpickle") or []
    except importlib.metadata.PackageNotFoundError:
        raise CompileError(
            "components are pickled with cloudpickle, which is not installed",
            hint="run `make setup`, or `pip install 'eggcrate[pipelines]'`",
        ) from None
    return {
        str(path): path.read_binary()
        for path in sorted(files, key=str)
        if str(path).startswith("cloudpickle/") and path.suffix == ".py"
    }
