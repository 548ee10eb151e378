"""A wheel of the helper modules that components share, for the way ``package`` of sharing them.

It holds the modules below their own dotted names, ``components.shared.features``, and no
``__init__.py`` of the folders above: those packages have other parts, in other wheels and beside
the component whose own code travels, and all of them have to be found.
See the specification of wheels,
https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from eggcrate.errors import ConfigError, UsageError
from eggcrate.pipelines.bundle import archive
from eggcrate.repo.reach import Reach

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eggcrate.repo.sources import Sources

HELPERS = "components/shared"
_TAG = "py3-none-any"
_LENGTH = 12
_NOT_HELPERS = ("tests", "conftest.py")


@dataclass(frozen=True, kw_only=True)
class HelperWheel:
    """A wheel, made: where it is put is another matter."""

    name: str
    """Of the distribution: ``components-shared``."""
    version: str
    """Normalised (PEP 440)."""
    files: Mapping[str, bytes]
    """The repository's, by the paths that they have there and in the wheel alike."""
    content: bytes

    @property
    def filename(self) -> str:
        """As installers demand it."""
        return f"{_stem(self.name, self.version)}-{_TAG}.whl"

    @property
    def quoted(self) -> str:
        """The filename as it stands in a URL: servers may read a plus sign as a space."""
        return quote(self.filename)

    @property
    def sha256(self) -> str:
        """Of the whole wheel, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


def make_helper_wheel(sources: Sources, folder: str = HELPERS, version: str = "") -> HelperWheel:
    """Make a wheel of a folder of helper modules, the same bytes from any checkout.

    Tests, hidden files and by-products of tools are left out.

    Args:
        sources: the repository.
        folder: relative to it, and importable from it.
        version: PEP 440; without one it is ``0.0.0+`` and a hash of the files, which is another
            one whenever they are, and does not say which one is newer.

    Raises:
        ConfigError: the folder holds no modules or compiled ones, or they import from the
            repository what the wheel would not hold.
        SourceError: a module cannot be read or parsed.
        UsageError: the version is not one.
    """
    paths = [path for path in sources.walk(folder) if _is_helper(path.removeprefix(f"{folder}/"))]
    modules = [path for path in paths if path.endswith(".py")]
    if not modules or not all(part.isidentifier() for part in folder.split("/")):
        raise ConfigError(
            f"{folder} holds no modules that components could import",
            hint=f"helper modules that components share are in {HELPERS}/",
        )
    if compiled := [path for path in paths if path.endswith(".so")]:
        raise ConfigError(
            f"{compiled[0]} is compiled for one Python and platform, and the wheel is for all",
            hint="release it as a package of its own, and lock that in the environments",
        )
    _check(sources, folder, modules, frozenset(paths))
    files = {path: sources.read(path) for path in paths}
    name = canonicalize_name(folder.replace("/", "-"))
    number = _number(version) if version else f"0.0.0+{_identity(name, files)}"
    return HelperWheel(
        name=name, version=number, files=files, content=archive(_whole(name, number, files))
    )


def _is_helper(path: str) -> bool:
    return not any(part in _NOT_HELPERS or part.startswith(".") for part in path.split("/"))


def _check(sources: Sources, folder: str, modules: list[str], known: frozenset[str]) -> None:
    """Refuse what could be imported here and nowhere else."""
    reach = Reach(sources=sources, home=folder.partition("/")[0])
    above = set(reach.packages(f"{folder}/__init__.py"))
    for path in modules:
        beyond = sorted(reach.edges(path).files - known - above)
        missing = sorted(item for item in reach.edges(path).missing if not item.guarded)
        if beyond:
            raise ConfigError(
                f"{path} imports {beyond[-1]}, which the wheel of {folder} would not hold",
                hint=f"move it into {folder}/, or share code another way "
                "(docs/how-to-share-code.md)",
            )
        if missing:
            raise ConfigError(
                f"{path}:{missing[0].line} imports {missing[0].module}"
                + (f".{missing[0].name}" if missing[0].name else "")
                + ", which the repository does not hold",
            )


def _number(version: str) -> str:
    try:
        return str(Version(version))
    except InvalidVersion as error:
        raise UsageError(
            f"{version!r} is not a version", hint="versions are PEP 440's, such as 1.4.0"
        ) from error


def _identity(name: str, files: Mapping[str, bytes]) -> str:
    """A letter, for a segment of digits alone would be read as a number, and a hash."""
    whole = hashlib.sha256(archive({name: b"", **files}))
    return f"h{whole.hexdigest()[:_LENGTH]}"


def _whole(name: str, version: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files with their metadata, and the record of all of them."""
    info = f"{_stem(name, version)}.dist-info"
    top = next(iter(files)).partition("/")[0]
    described = f"Helper modules that the components of {top}/ share"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: {described}\n"
    wheel = f"Wheel-Version: 1.0\nGenerator: eggcrate\nRoot-Is-Purelib: true\nTag: {_TAG}\n"
    whole = {
        **files,
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": wheel.encode(),
    }
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    for path, content in sorted(whole.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
        rows.writerow((path, f"sha256={digest.decode()}", len(content)))
    rows.writerow((f"{info}/RECORD", "", ""))
    return {**whole, f"{info}/RECORD": record.getvalue().encode()}


def _stem(name: str, version: str) -> str:
    return f"{name.replace('-', '_')}-{version}"
