"""What a runtime is asked and what it answers."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - dataclass fields are inspected at run time
from typing import Protocol


class Ending(enum.Enum):
    """How a program inside an image came to its end."""

    EXITED = "exited"
    """By itself, with an exit code."""
    SIGNALLED = "signalled"
    """By a signal that was not ours and not for want of memory (a segmentation fault)."""
    TIMED_OUT = "timed-out"
    OUT_OF_MEMORY = "out-of-memory"
    BROKEN = "broken"
    """It never started: the image, the mounts or the runtime are at fault."""


@dataclass(frozen=True, kw_only=True)
class Mount:
    """A host folder or file made visible inside, read-only unless ``writable``.

    When we are root, a writable source is given to the program's unprivileged user.
    """

    source: Path
    target: str
    """Absolute path inside; must lie under ``/eggcrate``."""
    writable: bool = False


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a program may use."""

    memory: int
    """Bytes, all its processes together."""
    seconds: float
    processes: int = 512
    scratch: int = 2 << 30
    """Bytes of ``/tmp``."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A program to run inside an image."""

    argv: tuple[str, ...]
    limits: Limits
    env: dict[str, str] = field(default_factory=dict)
    """Added to the image's own environment; nothing of the host's comes in."""
    mounts: tuple[Mount, ...] = ()
    workdir: str = "/tmp"  # noqa: S108 - inside the sandbox it is a private tmpfs
    network: bool = False


@dataclass(frozen=True, kw_only=True)
class Result:
    """How it went."""

    ending: Ending
    exit_code: int | None
    """``None`` unless it exited by itself."""
    signal: int | None = None
    seconds: float = 0.0
    memory_peak: int | None = None
    """Bytes; ``None`` where the runtime cannot tell."""
    output: str = ""
    """Standard output and error together, at most the last megabyte, decoded with replacement."""
    reason: str = ""
    """For every ending but ``EXITED``: one sentence with the figures (limit, peak, signal)."""


@dataclass(frozen=True, kw_only=True)
class UnpackedImage:
    """An image ready to run: where it is unpacked, and how the store names it."""

    name: str
    digest: str
    """Manifest digest, ``sha256:...``."""
    platform: str
    env: dict[str, str]
    """The image configuration's environment variables."""


class Runtime(Protocol):
    """Runs programs inside images. Safe to call from several threads at once."""

    name: str

    def prepare(self, digest: str) -> UnpackedImage:
        """Make the image with this manifest digest ready; cheap when it already is.

        Raises:
            StoreError: the store does not hold it, or what it holds is damaged.
        """

    def run(self, image: UnpackedImage, command: Command) -> Result:
        """Run a command inside it, as an unprivileged user, on a read-only root.

        Never raises for what the program does: that is in the result.
        """

    def attend(self, image: UnpackedImage, command: Command) -> Result:
        """The same on the terminal that we run on, for a person; ends when the program does."""

    def close(self) -> None:
        """End everything that runs, from another thread; for Ctrl-C.

        Those runs are ``BROKEN``, as are all that follow.
        """
