"""Passes that are remembered, by the key of their cell: on this machine, and in the registry.

A cell that failed is never remembered: it is run again, also when another machine says that it
passed. What is remembered is sealed, and read again only under its own key, so that a damaged
record is no record.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from eggcrate.files import atomic_write, sealed, unsealed
from eggcrate.matrix.cells import CellResult, Outcome, Proof
from eggcrate.matrix.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from eggcrate.matrix.cells import Cell

SCHEMA = "eggcrate.proof/1"
_FAILED = "eggcrate.proof-failed/1"
_TAIL = 2000
"""Characters of a pass's output that are kept."""
_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Pass:
    """A cell that passed: a sealed record, and what it says."""

    key: str
    image: str
    """Manifest digest of the image."""
    seconds: float
    memory_peak: int | None
    date: str
    runtime: str
    proofs: tuple[Proof, ...]
    output: str
    record: str
    """As it is written."""

    @classmethod
    def of(cls, result: CellResult) -> Pass | None:
        """What to remember of a result; nothing unless it plainly passed."""
        if result.outcome is not Outcome.PASSED or not result.key:
            return None
        document = {
            "schema": SCHEMA,
            "key": result.key,
            "cell": str(result.cell),
            "image": result.image,
            "seconds": round(result.seconds, 3),
            "memory_peak": result.memory_peak,
            "date": result.date,
            "runtime": result.runtime,
            "output": result.output[-_TAIL:],
            "proofs": [
                {
                    "name": proof.name,
                    "seconds": round(proof.seconds, 3),
                    "exit_code": proof.exit_code,
                    "memory_peak": proof.memory_peak,
                    "memory_limit": proof.memory_limit,
                    "imported": proof.evidence.imported,
                }
                for proof in result.proofs
            ],
        }
        return cls.read(sealed(document).encode(), result.key)

    @classmethod
    def read(cls, record: bytes, key: str) -> Pass | None:
        """Read a record; nothing when it is damaged, of another key, or not one of ours."""
        try:
            found = unsealed(record)
            if found["schema"] != SCHEMA or found["key"] != key:
                return None
            return cls(
                key=key,
                image=str(found["image"]),
                seconds=float(found["seconds"]),
                memory_peak=found["memory_peak"],
                date=str(found["date"]),
                runtime=str(found["runtime"]),
                output=str(found["output"]),
                proofs=tuple(_proof(**item) for item in found["proofs"]),
                record=record.decode(),
            )
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    def result(self, cell: Cell, command: str) -> CellResult:
        """What it stands for now."""
        return CellResult(
            cell=cell,
            outcome=Outcome.REUSED,
            reason=f"passed on {self.date[:10]} in the {self.runtime} runtime",
            image=self.image,
            seconds=self.seconds,
            memory_peak=self.memory_peak,
            output=self.output,
            command=command,
            proofs=self.proofs,
            key=self.key,
            date=self.date,
            runtime=self.runtime,
        )


def _proof(*, imported: Sequence[str] = (), **told: Any) -> Proof:
    return Proof(
        outcome=Outcome.PASSED, evidence=Evidence(imported=tuple(map(str, imported))), **told
    )


class Memory(Protocol):
    """A place where passes are remembered. Nothing in it is ever an error: at most a warning."""

    def recall(self, keys: Mapping[str, str]) -> dict[str, Pass]:
        """Those of these keys that it remembers; each comes with the name of its environment."""

    def remember(self, passes: Sequence[tuple[str, Pass]]) -> None:
        """Remember passes; each comes with the name of its environment."""

    def forget(self, keys: Mapping[str, str]) -> None:
        """Remember these keys no more; each comes with the name of its environment."""


class Near(Memory, Protocol):
    """A memory that also knows which keys failed here: of those no other is asked."""

    def failed(self, keys: Iterable[str]) -> set[str]:
        """Those of these keys that it was told to forget, and has not seen pass since."""


class LocalMemory:
    """Passes in the user's cache, shared by all its checkouts.

    In the place of a pass that is forgotten stands a note that says so.

    Args:
        cache: the user's cache.
    """

    def __init__(self, cache: Path) -> None:
        self._folder = cache / "proofs"

    def recall(self, keys: Mapping[str, str]) -> dict[str, Pass]:
        """Those of these keys that it remembers."""
        found = {}
        for key in keys:
            try:
                record = self._path(key).read_bytes()
            except OSError:
                continue
            if one := Pass.read(record, key):
                found[key] = one
        return found

    def remember(self, passes: Sequence[tuple[str, Pass]]) -> None:
        """Remember passes, each by itself: what is killed halfway keeps those before."""
        for _, one in passes:
            with contextlib.suppress(OSError):  # a full disk makes the next run slower
                atomic_write(self._path(one.key), one.record, flush=False)

    def forget(self, keys: Mapping[str, str]) -> None:
        """Remember these keys no more, and that they failed."""
        for key in keys:
            note = sealed({"schema": _FAILED, "key": key})
            try:
                atomic_write(self._path(key), note, flush=False)
            except OSError:  # a full disk has room for nothing
                with contextlib.suppress(OSError):
                    self._path(key).unlink(missing_ok=True)

    def failed(self, keys: Iterable[str]) -> set[str]:
        """Those of these keys that were forgotten last."""
        return {key for key in keys if self._has_note(key)}

    def _has_note(self, key: str) -> bool:
        try:
            found = unsealed(self._path(key).read_bytes())
            return (found["schema"], found["key"]) == (_FAILED, key)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return False

    def _path(self, key: str) -> Path:
        assert _KEY.fullmatch(key), key  # noqa: S101 - it names a file
        return self._folder / key[:2] / f"{key}.json"


class NoMemory:
    """Remembers nothing."""

    def recall(self, keys: Mapping[str, str]) -> dict[str, Pass]:  # noqa: ARG002 - the Protocol's
        """Nothing."""
        return {}

    def remember(self, passes: Sequence[tuple[str, Pass]]) -> None:
        """Do nothing."""

    def forget(self, keys: Mapping[str, str]) -> None:
        """Do nothing."""

    def failed(self, keys: Iterable[str]) -> set[str]:  # noqa: ARG002 - the Protocol's
        """None."""
        return set()


class Memories:
    """Several places as one: what a farther one knows, the nearer ones learn.

    Args:
        near: asked first, and told of each pass at once.
        far: asked for the rest, and told at the end.
    """

    def __init__(self, near: Near, far: Memory | None = None) -> None:
        self._near = near
        self._far = far
        self._new: list[tuple[str, Pass]] = []
        self._forgotten: set[str] = set()

    def recall(self, keys: Mapping[str, str]) -> dict[str, Pass]:
        """Those of these keys that any of them remembers."""
        found = self._near.recall(keys)
        rest = {key: name for key, name in keys.items() if key not in found}
        if self._far and rest:
            failed = self._near.failed(rest)
            rest = {key: name for key, name in rest.items() if key not in failed}
        if self._far and rest:
            learnt = self._far.recall(rest)
            self._near.remember([(rest[key], one) for key, one in learnt.items()])
            found |= learnt
        return found

    def remember(self, passes: Sequence[tuple[str, Pass]]) -> None:
        """Remember passes here at once, and elsewhere when they are shared.

        Of two cells with the same key one can fail: then the other's pass is none, whichever
        ends first.
        """
        passes = [item for item in passes if item[1].key not in self._forgotten]
        self._near.remember(passes)
        self._new += passes

    def share(self) -> None:
        """Tell the farther one all that was remembered since the last time."""
        if self._far and self._new:
            self._far.remember(self._new)
        self._new = []

    def forget(self, keys: Mapping[str, str]) -> None:
        """Remember these keys nowhere any more."""
        self._forgotten |= set(keys)
        self._new = [item for item in self._new if item[1].key not in keys]
        self._near.forget(keys)
        if self._far:
            self._far.forget(keys)
