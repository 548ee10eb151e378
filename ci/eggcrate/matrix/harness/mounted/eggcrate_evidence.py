"""What tests in a cell really did, told on the last line of its output.

Standard library only. Nothing in here may change how a cell ends: what cannot be told is not.
"""

import json
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MARK = "\x1eeggcrate-evidence "
"""Begins the line; what follows is JSON."""
COVERAGE = "/eggcrate/coverage"
"""Where coverage.py is when coverage is asked for."""
MOST = 400_000
"""Characters that may be told: the end of an output is all that is kept of it."""
_MONITORING = (3, 12)


def imported(modules: "Mapping[str, object]", beside: str = "/eggcrate/") -> "list[str]":
    """Names of the modules that the image gave, each as short as it says what gave it.

    ``numpy`` stands for all that is in it; of a namespace package the packages inside are
    named. Modules of the standard library, and files below ``beside``, are left out.
    """
    standard = getattr(sys, "stdlib_module_names", ())
    origins = {name: _origin(module) for name, module in list(modules.items())}
    found: set[str] = set()
    for name in origins:
        parts = name.split(".")
        if parts[0] in standard:
            continue
        for count in range(1, len(parts) + 1):
            shorter = ".".join(parts[:count])
            if origins.get(shorter):
                if not origins[shorter].startswith(beside):
                    found.add(shorter)
                break
    return sorted(found)


def _origin(module: object) -> str:
    """The file of a module; empty for a namespace package, and for what has none."""
    try:  # never by getattr: some modules import others when they are asked for anything
        spec = object.__getattribute__(module, "__dict__").get("__spec__")
        origin = str(spec.origin or "")
    except Exception:
        return ""
    return origin if origin.startswith("/") else ""


class Lines:
    """Measures which lines of the repository's modules are run, once it is started."""

    def __init__(self, repo: str) -> None:
        self._repo = repo
        self.beside = os.path.dirname(repo) + "/"  # noqa: PTH120 - as below
        """Where all that is not the image's is."""
        self._running: Any = None

    def start(self) -> None:
        """Begin, when coverage.py is there."""
        if not os.path.isdir(COVERAGE):  # noqa: PTH112 - as it is, without pathlib
            return
        sys.path.insert(0, COVERAGE)
        try:
            import coverage  # type: ignore[import-not-found]  # noqa: PLC0415 - only now is it there

            running = coverage.Coverage(
                data_file=None,
                config_file=False,
                include=[f"{self._repo}/*"],
                omit=["*/tests/*", "*/conftest.py"],
                messages=False,
            )
            if sys.version_info >= _MONITORING:
                running.set_option("run:core", "sysmon")
            running.start()
            self._running = running
        except Exception as error:
            print(f"coverage cannot be measured in this image: {error!r}", file=sys.stderr)
        finally:
            sys.path.remove(COVERAGE)

    def stop(self) -> "dict[str, list[list[int]]]":
        """By file, relative to the repository: its statements, and those that were not run."""
        if self._running is None:
            return {}
        import warnings  # noqa: PLC0415 - rarely needed

        found: dict[str, list[list[int]]] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._running.stop()
            for path in self._sources():
                try:
                    _, statements, _, missing, _ = self._running.analysis2(path)
                except Exception:  # noqa: S112 - a file that is there to be broken
                    continue
                if statements:
                    found[os.path.relpath(path, self._repo)] = [statements, missing]
        return found

    def _sources(self) -> "Iterator[str]":
        for folder, inner, names in os.walk(self._repo):
            inner[:] = sorted(name for name in inner if name not in {"tests", "examples"})
            for name in sorted(names):
                if name.endswith(".py") and name != "conftest.py":
                    yield os.path.join(folder, name)  # noqa: PTH118 - as above


def tell(lines: Lines) -> None:
    """Write what there is to tell, unless a person reads the output."""
    try:
        if os.isatty(1):
            return
        told = {"imported": imported(sys.modules, lines.beside), "lines": lines.stop()}
        text = json.dumps(told, separators=(",", ":"))
        if len(text) > MOST:
            text = json.dumps({"imported": told["imported"], "lines": {}})
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        with open(1, "w", encoding="utf-8", closefd=False) as out:
            out.write(f"\n{MARK}{text}\n")
    except Exception:  # noqa: S110 - it is no part of what is proven
        pass
