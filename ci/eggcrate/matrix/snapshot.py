"""What components were made of at one moment: digests that results depend on."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from eggcrate.matrix.example_file import FILE, is_case, upstream_components
from eggcrate.repo.closure import closure
from eggcrate.repo.sources import Sources

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.matrix.session import Matrix
    from eggcrate.repo.closure import Closure


class Snapshot:
    """A checkout's components as they are now; each file is read once.

    Args:
        matrix: whose components.
        root: the checkout.
    """

    def __init__(self, matrix: Matrix, root: Path) -> None:
        self._matrix = matrix
        self._root = root
        self._sources = Sources(root)
        self._own: dict[str, str] = {}
        self._whole: dict[str, str] = {}
        self._before: dict[str, tuple[str, ...]] = {}

    def own(self, name: str) -> str:
        """Digest of a component's own files.

        Raises:
            EggcrateError: they cannot be read.
        """
        if name not in self._own:
            found = self._matrix.closures.get(name) or closure(
                self._matrix.everyone[name], self._root, sources=self._sources
            )
            self._own[name] = found.digest(self._root, sources=self._sources)
        return self._own[name]

    def whole(self, name: str) -> str:
        """Digest of all files that a component's cells depend on.

        With examples, these are also those of the components that they begin with, and what
        examples are run by.

        Raises:
            EggcrateError: they cannot be read, or examples cannot be run here.
        """
        if name not in self._whole:
            found = self._matrix.closures.get(name)
            self._whole[name] = (
                self._with_examples(name) if found and has_examples(found) else self.own(name)
            )
        return self._whole[name]

    def before(self, name: str) -> tuple[str, ...]:
        """Names of the components whose examples a component's begin with.

        Raises:
            ConfigError: an example begins, in the end, with itself.
        """
        if name not in self._before:
            found = self._matrix.closures.get(name)
            everyone = self._matrix.everyone
            self._before[name] = (
                upstream_components(everyone[name], everyone, self._root)
                if found and has_examples(found)
                else ()
            )
        return self._before[name]

    def _with_examples(self, name: str) -> str:
        from eggcrate.matrix.examples import examples_version  # noqa: PLC0415 - slow, if needed

        everyone = self._matrix.everyone
        before = self.before(name)
        parts = [
            examples_version(),
            self.own(name),
            *(
                [
                    *(one, self.own(one), item.env, item.memory, item.timeout, item.network),
                    sorted(item.flavours),
                ]
                for one in before
                for item in (everyone[one],)
            ),
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def has_examples(found: Closure) -> bool:
    """Whether a component is proven by examples too.

    Any file in the folder of a case makes it one: without an ``example.toml``, or with one that
    is misnamed, reading it is an error, and no proof goes missing in silence.
    """
    return any(_of_case(path) for path in found.examples)


def _of_case(path: str) -> bool:
    """Of ``HOME/COMPONENT/examples/CASE/...``; or a case's file that stands beside the cases."""
    inner = path.split("/")[3:]
    return inner == [FILE] or (len(inner) > 1 and is_case(inner[0]))
