"""Which modules a locked file gives an environment, without running or installing anything.

A wheel's are in the directory of its zip, see :mod:`eggcrate.packages.learned`.
"""

from __future__ import annotations

import re
import tarfile
import zipfile
from typing import TYPE_CHECKING

from eggcrate.packages.learned import Subject, learn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.pip_config import PipConfig

MODULES_VERSION = 1
"""Raised whenever the same wheel would be said to give other modules."""
_DATA = re.compile(r"[^/]+\.data/(?:purelib|platlib)/")
_MODULE = re.compile(r"(?P<name>[^./]+)(?:\.py|\.pyc|(?:\.[^./]+)?\.so)")


def provided_modules(
    distributions: Iterable[Distribution],
    *,
    cache: Path,
    config: Callable[[], PipConfig] | None = None,
) -> dict[Distribution, frozenset[str] | None]:
    """The modules that each file gives, as far as they are known or can be learned.

    Args:
        distributions: of one or more environments.
        cache: the user's.
        config: gives pip's configuration when an index must be asked; without it none is.

    Returns:
        For each the names as :func:`modules_in` gives them; ``None`` for one that is neither
        remembered nor in the cache, when no index can be asked or none can be reached.
    """
    return learn(_MODULES, distributions, cache=cache, config=config)


def modules_in(names: Iterable[str]) -> frozenset[str]:
    """The shortest dotted names that say what a wheel's files give.

    ``numpy`` stands for all that is in it; of a namespace package, which other wheels add to,
    the packages inside are named: ``google.cloud.storage``. Stubs are no modules.

    Args:
        names: of the members of its zip.
    """
    paths = []
    for name in names:
        path = _DATA.sub("", name, count=1) if _DATA.match(name) else name
        *folders, file = path.split("/")
        match = _MODULE.fullmatch(file)
        if match and all(part.isidentifier() for part in (*folders, match["name"])):
            paths.append((tuple(folders), match["name"]))
    regular = {folders for folders, name in paths if folders and name == "__init__"}
    return frozenset(".".join(_shortest((*folders, name), regular)) for folders, name in paths)


def _shortest(parts: tuple[str, ...], regular: set[tuple[str, ...]]) -> tuple[str, ...]:
    return next((parts[:n] for n in range(1, len(parts)) if parts[:n] in regular), parts)


def _in_sdist(distribution: Distribution, path: Path) -> frozenset[str]:
    """What an sdist may give: more rather than less, since only building it would tell."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as zipped:
            names = zipped.namelist()
    else:
        with tarfile.open(path) as archive:
            names = archive.getnames()
    files = [tuple(name.split("/")[1:]) for name in names]
    packages = {file[:-1] for file in files if file[-1:] == ("__init__.py",)}
    found = {distribution.name.replace("-", "_")}
    for file in files:
        if file[-1:] and file[-1].endswith(".py") and file[:-1] not in packages:
            found.add(file[-1].removesuffix(".py"))
    found |= {
        ".".join(package[start:])
        for package in packages
        if package and package[:-1] not in packages
        for start in range(len(package))
    }
    return frozenset(found)


_MODULES = Subject(
    name="modules",
    version=MODULES_VERSION,
    of_wheel=lambda archive: modules_in(archive.namelist()),
    of_sdist=_in_sdist,
    encode=sorted,
    decode=frozenset,
)
