"""What cells need where they are tasks of a pipeline, packed once for all of them.

The very modules that prove cells here travel, with the harness, the components' files and the code
that their examples run. No image holds any of it, and none has to be changed.
"""

from __future__ import annotations

import json
import lzma
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eggcrate import process
from eggcrate.errors import CompileError, EggcrateError
from eggcrate.matrix.example_file import upstream_components
from eggcrate.matrix.harness_install import install_harness
from eggcrate.matrix.snapshot import has_examples
from eggcrate.matrix.task import MANIFEST
from eggcrate.pipelines.bundle import archive
from eggcrate.pipelines.compile import compile_components

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from eggcrate.matrix.cells import Cell
    from eggcrate.matrix.session import Limits, Matrix
    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.target import Target
    from eggcrate.pipelines.compile import Compiled
    from eggcrate.repo.values import Component

_UNUSED = re.compile(
    r".*\.pyc|.*\.dist-info/(RECORD|licenses/.*)|packaging/licenses/.*"
    r"|pygments/lexers/(?!(__init__|_mapping|diff|python)\.py).*"
    r"|pygments/formatters/(?!(__init__|_mapping|terminal)\.py).*"
    r"|pygments/styles/(?!(__init__|_mapping)\.py).*"
)
"""Of the harness what no cell imports, and would be two thirds of the parcel."""
_LIST = """\
import importlib, json, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
for name in sys.argv[3:]:
    importlib.import_module(name)
own = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "eggcrate"}
foreign = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
print(json.dumps([[module.__file__ for module in own.values()], sorted(foreign)]))
"""
BOOT = "pipelines/boot.py"
"""A program that is read, and never imported."""
_HELD = frozenset({"eggcrate", "packaging", "__main__"})


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """The packed files."""

    packed: bytes
    """A zip of stored files, packed by xz as a whole: what components share is packed once."""
    files: int


@dataclass(kw_only=True)
class Packer:
    """Puts a parcel together.

    Args:
        matrix: what there is to prove.
        root: the repository.
        limits: what cells may use.
        cache: the user's cache.
        fetch: gives the files of the harness's distributions.
        entries: modules of ours that tasks begin with.
    """

    matrix: Matrix
    root: Path
    limits: Limits
    cache: Path
    fetch: Callable[[Sequence[Distribution]], Mapping[Distribution, Path]]
    entries: Sequence[str]
    _files: dict[str, bytes] = field(default_factory=dict)

    def pack(self, cells: Iterable[Cell], targets: Mapping[str, Target]) -> Parcel:
        """Pack what cells need.

        Args:
            cells: which.
            targets: by environment.

        Raises:
            EggcrateError: a file cannot be read, or code of ours needs what images do not hold.
        """
        self._files = {}
        wanted = sorted({cell.component for cell in cells})
        harness = self._harness(targets)
        everyone = sorted({one for name in wanted for one in (name, *self._before(name))})
        code = self._code(everyone)
        manifest = {
            "harness": harness,
            "files": {name: list(self.matrix.closures[name].files) for name in wanted},
            "components": everyone,
            "code": code,
            "limits": {
                "memory": self.limits.memory,
                "seconds": self.limits.seconds,
                "arguments": list(self.limits.arguments),
            },
        }
        for name in everyone:
            self._take(f"components/{name}/pyproject.toml")
            closure = self.matrix.closures.get(name)
            for path in closure.files if closure else ():
                self._take(path)
            for folder in ("examples", "tests"):  # of what others begin with there is no closure
                for file in sorted((self.root / "components" / name / folder).rglob("*")):
                    if file.is_file() and file.suffix != ".pyc":
                        self._take(file.relative_to(self.root).as_posix())
        self._files |= modules_of_ours(self.entries, self._any_harness(targets))
        self._files[MANIFEST] = json.dumps(manifest, sort_keys=True).encode()
        packed = lzma.compress(archive(self._files), preset=9 | lzma.PRESET_EXTREME)
        return Parcel(packed=packed, files=len(self._files))

    def _take(self, path: str) -> None:
        try:
            self._files[f"repo/{path}"] = (self.root / path).read_bytes()
        except OSError as error:
            raise CompileError(f"{path} cannot be read", why=error.strerror or "") from error

    def _before(self, name: str) -> tuple[str, ...]:
        """Components whose examples this one's begin with."""
        if not has_examples(self.matrix.closures[name]):
            return ()
        everyone = self.matrix.everyone
        return upstream_components(everyone[name], everyone, self.root)

    def _harness(self, targets: Mapping[str, Target]) -> dict[str, str]:
        """Take the harness of each environment; which folder of the parcel is whose."""
        found: dict[str, str] = {}
        for name, target in targets.items():
            folder = self._installed(target)
            found[name] = f"harness-{folder.name[:8]}"
            self._files |= {
                f"{found[name]}/{path}": (folder / path).read_bytes() for path in _used(folder)
            }
        return found

    def _installed(self, target: Target) -> Path:
        return install_harness(target, cache=self.cache, fetch=self.fetch)

    def _any_harness(self, targets: Mapping[str, Target]) -> Path:
        return self._installed(next(iter(targets.values())))

    def _code(self, names: Sequence[str]) -> dict[str, Any]:
        """Take the code that examples run; what each component is to KFP, or why it is nothing."""
        components = [self.matrix.everyone[name] for name in names]
        with_cases = [one for one in components if _has_cases(one)]
        return {
            name: self._compiled(name, compiled)
            for name, compiled in compile_components(with_cases, self.root).items()
        }

    def _compiled(self, name: str, compiled: Compiled | EggcrateError) -> dict[str, Any]:
        if isinstance(compiled, EggcrateError):
            return {"error": [compiled.what, compiled.why, compiled.hint]}
        self._files |= {
            f"code/{name}/{path}": content for path, content in compiled.bundle.files.items()
        }
        told = compiled.interface
        return {"module": told.module, "function": told.function, "spec": told.spec}


def _has_cases(component: Component) -> bool:
    return any((component.path / "examples").glob("*/*"))


def _used(folder: Path) -> list[str]:
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in paths if not _UNUSED.fullmatch(path))


def modules_of_ours(entries: Sequence[str], harness: Path) -> dict[str, bytes]:
    """Every module of ours that these import, by its path; Python itself tells which.

    Args:
        entries: dotted names.
        harness: a folder with the only packages that they may need.

    Raises:
        CompileError: they need others.
    """
    above = Path(__file__).parent.parent.parent
    command = [sys.executable, "-I", "-S", "-B", "-c", _LIST, str(above), str(harness), *entries]
    done = process.run(command, check=False)
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    if done.returncode != 0:
        raise CompileError("Eggcrate's own modules cannot travel", why=lines[-1] if lines else "")
    files, foreign = json.loads(done.stdout)
    if extra := sorted(set(foreign) - _HELD):
        raise CompileError(f"Eggcrate needs {', '.join(extra)}, which images do not hold")
    paths = sorted({Path(file) for file in files} | {Path(__file__).parent.parent / BOOT})
    return {path.relative_to(above).as_posix(): path.read_bytes() for path in paths}
