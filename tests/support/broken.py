"""Environments with one fault each, and what should be told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.errors import (
    ConfigError,
    EggcrateError,
    LockError,
    LockMissingError,
    LockStaleError,
    UnsupportedPackageError,
)
from support.repository import Package, packages
from support.wheels import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from support.repository import Repository

_GIT = 'type = "git"\nurl = "https://example.invalid/x.git"\nreference = "v1"\n'


def break_all(repository: Repository, links: Path) -> dict[str, tuple[type[EggcrateError], str]]:
    """A repository of broken environments, and a good one; what each should be told."""
    good = packages(make_wheel(links, "good"))
    small, plain = 'base = "python-3.11"', packages(make_wheel(links, "plain"))
    repository.environment("good", good)
    repository.environment("stale", good, wanted=["good==1.0", "missing>=2"])
    repository.environment("outside", good, wanted=["good>=2"])
    repository.environment("leftover", (*good, *plain), wanted=["good==1.0"])
    repository.environment("unlocked", None, wanted=["good"])
    folder = repository.environment("conflict", good)
    lock = folder / "poetry.lock"
    lock.write_text("<<<<<<< HEAD\n" + lock.read_text())
    repository.environment("no-base", good, settings='base = "python-2.7"')
    repository.environment("other-python", good, settings=small, python=">=3.12")
    repository.environment("no-python", good, settings="", python=">=3.99")
    git = Package(name="fork", version="1", files=(), source=_GIT)
    repository.environment("git", (git,), wanted=["fork"])
    windows = packages(make_wheel(links, "binary", tag="cp311-cp311-win_amd64"))
    repository.environment("no-wheel", windows)
    newer = packages(make_wheel(links, "newer", tag="cp311-cp311-manylinux_2_99_x86_64"))
    repository.environment("glibc", newer)
    repository.environment("arm", good, settings=f'{small}\nplatforms = ["linux/riscv64"]')
    repository.environment("system", good, settings=f'{small}\nsystem-packages = ["libxml2"]')
    return {
        "stale": (LockStaleError, "the lock does not hold missing"),
        "outside": (LockStaleError, "good 1.0, outside"),
        "leftover": (LockStaleError, "nothing asks for it any more"),
        "unlocked": (LockMissingError, "does not exist"),
        "conflict": (LockError, "conflict markers"),
        "no-base": (ConfigError, "there is no base 'python-2.7'"),
        "other-python": (ConfigError, "requires-python is >=3.12, base python-3.11 has"),
        "no-python": (ConfigError, "no base has Python >=3.99"),
        "git": (UnsupportedPackageError, "fork 1 comes from git source"),
        "no-wheel": (UnsupportedPackageError, "no file for Python 3.11 on linux/amd64"),
        "glibc": (UnsupportedPackageError, "glibc 2.36; the lock offers newer-1.0"),
        "arm": (ConfigError, "linux/riscv64"),
        "system": (LockMissingError, "base.lock does not exist"),
    }
