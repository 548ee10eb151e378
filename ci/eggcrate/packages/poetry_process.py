"""Runs of Poetry, each in a process that has imported it already."""

from __future__ import annotations

import json
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.process import Answerer, Completed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_DRIVER = Path(__file__).with_name("poetry_driver.py")


@dataclass(kw_only=True)
class Poetry:
    """Runs Poetry for several threads at once; closed at the end.

    Args:
        environment: of its processes.
    """

    environment: Mapping[str, str] = field(repr=False)
    _free: list[Answerer] = field(default_factory=list)
    _all: list[Answerer] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, folder: Path, arguments: Sequence[str]) -> Completed:
        """Run it in a folder, and wait for its end.

        Raises:
            ProcessError: the process that it runs in could not be started, or was ended.
        """
        driver = self._take()
        with tempfile.TemporaryDirectory(prefix="eggcrate-poetry-") as told:
            files = {name: str(Path(told, name)) for name in ("stdout", "stderr")}
            request = {"folder": str(folder), "arguments": list(arguments), **files}
            code = int(driver.ask(json.dumps(request)))
            found = {name: Path(path).read_bytes() for name, path in files.items()}
        with self._lock:
            self._free.append(driver)
        return Completed(argv=("poetry", *arguments), returncode=code, **found)

    def close(self) -> None:
        """End all processes, and what still runs in them."""
        with self._lock:
            for driver in self._all:
                driver.close()
            self._all.clear()
            self._free.clear()

    def _take(self) -> Answerer:
        with self._lock:
            if self._free:
                return self._free.pop()
            made = Answerer([sys.executable, "-P", str(_DRIVER)], self.environment)
            self._all.append(made)
            return made
