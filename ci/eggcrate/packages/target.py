"""What packages are chosen for: a Python version on a platform with a C library."""

from __future__ import annotations

import functools
import platform as host
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.tags import Tag, compatible_tags, cpython_tags

from eggcrate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_LEGACY_MANYLINUX = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}
_OLDEST_GLIBC_MINOR = {"amd64": 5, "arm64": 17}


@dataclass(frozen=True, kw_only=True, order=True)
class Platform:
    """An OCI platform, ``linux/amd64`` or ``linux/arm64``."""

    os: str
    architecture: str

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read ``linux/amd64``; :class:`ConfigError` for anything we cannot build."""
        os_name, _, architecture = text.partition("/")
        if os_name != "linux" or architecture not in _MACHINES:
            known = ", ".join(f"linux/{name}" for name in _MACHINES)
            raise ConfigError(
                f"platform {text!r} is not one Eggcrate can build",
                hint=f"use one of: {known}",
            )
        return cls(os=os_name, architecture=architecture)

    @classmethod
    def of_this_machine(cls) -> Platform:
        """What this machine's processor runs."""
        machine = host.machine()
        for architecture, name in _MACHINES.items():
            if name == machine:
                return cls(os="linux", architecture=architecture)
        raise ConfigError(
            f"Eggcrate cannot run images on a {machine} processor",
            why=f"it knows {', '.join(_MACHINES.values())}",
        )

    def __str__(self) -> str:
        return f"{self.os}/{self.architecture}"

    @property
    def machine(self) -> str:
        """The kernel's name of the processor, ``x86_64`` or ``aarch64``."""
        return _MACHINES[self.architecture]

    @property
    def multiarch(self) -> str:
        """Debian's multiarch triplet, the name of the library folder."""
        return f"{self.machine}-linux-gnu"


@dataclass(frozen=True, kw_only=True)
class Target:
    """Python, platform and C library: all that markers and wheel tags ask about."""

    python: str
    """The exact version of CPython, such as ``3.11.2``."""
    platform: Platform
    glibc: tuple[int, int]
    """The base's C library, such as ``(2, 36)``; never the building machine's."""

    @property
    def minor(self) -> str:
        """``3.11`` for ``3.11.2``."""
        return ".".join(self.python.split(".")[:2])

    def marker_environment(self) -> dict[str, str]:
        """The environment that PEP 508 markers are evaluated in."""
        return {
            "implementation_name": "cpython",
            "implementation_version": self.python,
            "os_name": "posix",
            "platform_machine": self.platform.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": self.python,
            "python_version": self.minor,
            "sys_platform": "linux",
        }

    def tags(self) -> tuple[Tag, ...]:
        """Wheel tags that can be installed, best first (PEP 425, PEP 600)."""
        return _tags(self)

    def tag_ranks(self) -> dict[Tag, int]:
        """Each installable tag with its rank, 0 for the best."""
        return _tag_ranks(self)


@functools.cache
def _tags(target: Target) -> tuple[Tag, ...]:
    major, minor = (int(part) for part in target.minor.split("."))
    platforms = list(_platform_tags(target))
    return (
        *cpython_tags((major, minor), platforms=platforms),
        *compatible_tags((major, minor), interpreter=f"cp{major}{minor}", platforms=platforms),
    )


@functools.cache
def _tag_ranks(target: Target) -> dict[Tag, int]:
    ranks: dict[Tag, int] = {}
    for rank, tag in enumerate(target.tags()):
        ranks.setdefault(tag, rank)
    return ranks


def _platform_tags(target: Target) -> Iterator[str]:
    machine = target.platform.machine
    major, newest = target.glibc
    for minor in range(newest, _OLDEST_GLIBC_MINOR[target.platform.architecture] - 1, -1):
        yield f"manylinux_{major}_{minor}_{machine}"
        if legacy := _LEGACY_MANYLINUX.get((major, minor)):
            yield f"{legacy}_{machine}"
    yield f"linux_{machine}"
