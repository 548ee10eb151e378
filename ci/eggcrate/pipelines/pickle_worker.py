"""Capture a component's function with cloudpickle, in a process of its own.

Standard input: ``{"root": …, "module": …, "function": …}``. Standard output: ``{"pickle":
"Base64"}``, or ``{"error": [what, why, hint]}``. Everything of the repository is captured by value,
under file names that are relative to it, so that the checkout's place does not matter.
"""

from __future__ import annotations

import base64
import importlib
import importlib.machinery
import itertools
import json
import os
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle

from eggcrate.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module of the repository as if the repository were the working directory."""

    root: str

    def source_to_code(  # type: ignore[override] # its arguments have no types of their own
        self, data: Any, path: str, *, _optimize: int = -1
    ) -> CodeType:
        return compile(data, os.path.relpath(path, self.root), "exec", dont_inherit=True)

    def get_code(self, fullname: str) -> CodeType:
        """From source: bytecode that lies about names other files."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = os.path.relpath(str(module.__file__), self.root)
        super().exec_module(module)


class _Finder(importlib.machinery.PathFinder):
    """Finds modules of the repository."""

    root: str

    @classmethod
    def find_spec(
        cls,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        spec = super().find_spec(fullname, path, target)
        if spec is None or not (spec.origin or "").startswith(f"{cls.root}{os.sep}"):
            return None  # another finder's
        if isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            loader = _Loader(fullname, str(spec.origin))
            loader.root = cls.root
            spec.loader = loader
        return spec


def main() -> None:
    """Answer one request."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what users' modules print is not the answer
    request = json.load(sys.stdin)
    sys.dont_write_bytecode = True
    with answer:
        try:
            captured = capture(Path(request["root"]), request["module"], request["function"])
            told: dict[str, Any] = {"pickle": base64.b64encode(captured).decode()}
        except CompileError as error:
            told = {"error": [error.what, error.why, error.hint]}
        json.dump(told, answer)


def capture(root: Path, module: str, function: str) -> bytes:
    """Pickle a function with all of the repository that it reaches.

    Raises:
        CompileError: its module cannot be imported here, or something in it cannot be pickled.
    """
    _Finder.root = str(root)
    numbers = itertools.count()
    # cloudpickle gives each class a random identity: another pickle of the same code each time.
    uuid.uuid4 = lambda: uuid.uuid5(uuid.NAMESPACE_OID, f"{module}.{function} {next(numbers)}")
    sys.path.insert(0, str(root))
    sys.meta_path.insert(0, _Finder)
    where = f"{module}.{function} cannot be pickled"
    try:
        found = getattr(importlib.import_module(module), function)
    except ImportError as error:
        raise CompileError(
            where,
            why=f"{type(error).__name__}: {error}",
            hint="a pickle takes what is imported where it is made: install the component's "
            'packages beside Eggcrate, or use share = "inject"',
        ) from error
    tops = {path.stem for path in root.iterdir()}
    for name, loaded in list(sys.modules.items()):
        if name.partition(".")[0] in tops and getattr(loaded, "__file__", None):
            cloudpickle.register_pickle_by_value(loaded)
    try:
        return bytes(cloudpickle.dumps(found.python_func, protocol=4))
    except Exception as error:  # whatever an object of users' code says of itself
        raise CompileError(where, why=f"{type(error).__name__}: {error}") from error


if __name__ == "__main__":
    main()
