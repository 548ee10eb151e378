"""Stand-ins for packages that are in environments and not here, while interfaces are read.

A component may import pandas at the top of its file; to read its interface, nobody needs the
gigabytes that an environment holds. A name that neither this Python nor the repository has is
found as a stand-in, which can be called, indexed, compared and inherited from, and does nothing.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import inspect
import sys
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import ModuleType

_REAL = frozenset({"kfp", "eggcrate", *sys.stdlib_module_names})
_OPERATORS = (
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"),
    *("radd", "rsub", "rmul", "rtruediv", "rfloordiv", "rmod", "rpow", "rmatmul", "rand", "ror"),
    *("rxor", "neg", "pos", "invert", "abs", "lshift", "rshift"),
)
_COMPARISONS = ("lt", "le", "gt", "ge")


class Absent:
    """Something of a package that is not here."""

    def __init__(self, name: str) -> None:
        self.__dict__["__name__"] = self.__dict__["__qualname__"] = name

    def __repr__(self) -> str:
        return str(self.__dict__["__name__"])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Absent(f"{self!r}.{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        """Take any setting: ``pd.options.mode.copy_on_write = True``."""
        self.__dict__[name] = value

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        """Give a decorated function or class back as it is."""
        if len(arguments) == 1 and not settings:
            [only] = arguments
            if inspect.isfunction(only) or inspect.isclass(only):
                return only
        return Absent(f"{self!r}()")

    def __getitem__(self, key: Any) -> Absent:
        return Absent(f"{self!r}[{key!r}]")

    def __setitem__(self, key: Any, value: Any) -> None:
        """Take it."""

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True

    def __contains__(self, item: Any) -> bool:
        return False

    def __hash__(self) -> int:
        return hash(repr(self))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Absent) and repr(other) == repr(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was entered."""

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        return ()


def _combined(self: Absent, *_: Any) -> Absent:
    return self


def _compared(_self: Absent, _other: Any) -> bool:
    return True


for _name in _OPERATORS:
    setattr(Absent, f"__{_name}__", _combined)
for _name in _COMPARISONS:
    setattr(Absent, f"__{_name}__", _compared)


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds what nobody else does; the last of ``sys.meta_path``.

    Args:
        root: the repository: what it should hold and does not is an error of its own.
    """

    def __init__(self, root: Path) -> None:
        self._own = frozenset(
            path.stem for path in root.iterdir() if path.is_dir() or path.suffix == ".py"
        )

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the importer's protocol
        target: ModuleType | None = None,  # noqa: ARG002 - the importer's protocol
    ) -> importlib.machinery.ModuleSpec | None:
        """A stand-in for every name that is neither the repository's nor Python's."""
        if name.partition(".")[0] in _REAL | self._own:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(
        self,
        spec: importlib.machinery.ModuleSpec,  # noqa: ARG002 - the loader's protocol
    ) -> ModuleType | None:
        """Python's own kind of module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Give it every name but those that only real modules have."""

        def attribute(name: str) -> Any:
            if name.startswith("__") and name != "__version__":
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            return Absent(f"{module.__name__}.{name}")

        module.__dict__["__getattr__"] = attribute
