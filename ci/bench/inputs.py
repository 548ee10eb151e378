"""What all contenders start from: the same wheels on loopback, the same pins, and their changes.

Everything is fetched before the first measurement, through pip's and apt's configuration, and
then served by one server on loopback: luck with the network plays no part.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import sys
import zipfile
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, cast

import tomlkit
from packaging.utils import canonicalize_name, parse_wheel_filename

from bench.document import ROOT
from bench.patched_base import two_bases
from eggcrate.build.resolve import resolve
from eggcrate.cli.context import Context
from eggcrate.errors import EggcrateError
from eggcrate.files import remove_tree, sha256_file
from eggcrate.packages.distribution import Kind
from eggcrate.packages.target import Platform
from eggcrate.process import run
from eggcrate.repo.monorepo import read_monorepo

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tomlkit.items import Array, Table

    from eggcrate.packages.distribution import Distribution
    from eggcrate.progress import Progress

UV = "uv==0.13.9"
POETRY = f"poetry=={version('poetry')}"
POETRY_PLUGIN = f"poetry-plugin-pypi-mirror=={version('poetry-plugin-pypi-mirror')}"
ADDED = ("humanize==4.12.3", "tabulate==0.9.0", "toolz==1.0.0", "inflection==0.5.1")
"""Small, pure Python, no dependencies: each is added once."""
ENVIRONMENTS = {
    "small": ROOT / "environments" / "sklearn-1-5",
    "large": ROOT / "ci" / "bench" / "environments" / "large",
}
BASE = "python-3.11"
_CONTENT_HASH = (
    "import sys; from pathlib import Path; from poetry.factory import Factory\n"
    "for path in map(Path, sys.argv[1:]):\n"
    "    told = Factory().create_poetry(path).locker._get_content_hash()\n"
    "    lock = path / 'poetry.lock'\n"
    "    before, mark, after = lock.read_text().rpartition('content-hash = \"')\n"
    "    lock.write_text(before + mark + told + after[after.index('\"') :])\n"
)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One environment with its versions: as it is, then with one package more each."""

    name: str
    folders: tuple[Path, ...]
    """Each holds ``pyproject.toml`` and ``poetry.lock``."""
    pins: tuple[str, ...]
    """What the lock chose for this machine, as requirements."""
    wheels: int
    """Bytes of all its wheels."""
    unpacked: int
    """Bytes of what is in them."""


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """All that is needed, on this disk."""

    files: Mapping[str, Path | bytes]
    """What the server serves: a simple index, wheels, and Debian packages."""
    base: Path
    """The base's folder as it is."""
    patched: Path
    """The same, with a security update of one library."""
    variants: tuple[Variant, ...]


def prepare(scratch: Path, progress: Progress) -> Inputs:
    """Fetch everything, and write each version of each environment.

    Raises:
        EggcrateError: something cannot be had.
    """
    context = Context.open(ROOT, os.environ, progress)
    downloads = _download(scratch / "downloads")
    files: dict[str, Path | bytes] = {}
    base, patched, debs = two_bases(
        context.monorepo.bases[BASE], scratch, cache=context.settings.cache, progress=progress
    )
    files |= {f"debian/{path}": file for path, file in debs.items()}
    variants: list[Variant] = []
    wheels = {path.name: path for path in downloads}
    for name, source in ENVIRONMENTS.items():
        folder = scratch / "resolved"
        shutil.copytree(base, folder / "bases" / BASE)
        shutil.copytree(source, folder / "environments" / name)
        monorepo = read_monorepo(folder)
        found = resolve(
            monorepo.environments[name], monorepo.bases, Platform.of_this_machine()
        ).recipe.distributions
        remove_tree(folder)
        paths = context.fetch(found)
        wheels |= {path.name: path for path in paths.values()}
        variants.append(
            Variant(
                name=name,
                folders=tuple(_versions(source, scratch / "versions" / name, downloads)),
                pins=tuple(f"{one.name}=={one.version}" for one in _wheels(found)),
                wheels=sum(path.stat().st_size for path in paths.values()),
                unpacked=sum(_unpacked(path) for path in paths.values()),
            )
        )
    files |= index_files(wheels.values())
    return Inputs(files=files, base=base, patched=patched, variants=tuple(variants))


def index_files(wheels: Iterable[Path]) -> dict[str, Path | bytes]:
    """A simple index (PEP 503, with the metadata of PEP 658) of these wheels, as paths of a URL."""
    files: dict[str, Path | bytes] = {}
    links: dict[str, list[str]] = {}
    for path in sorted(wheels):
        files[f"files/{path.name}"] = path
        files[f"files/{path.name}.metadata"] = metadata = _metadata(path)
        python = re.search(rb"^Requires-Python: *(.+?)\r?$", metadata, re.MULTILINE)
        asks = html.escape(python[1].decode()) if python else ""
        links.setdefault(parse_wheel_filename(path.name)[0], []).append(
            f'<a href="../../files/{path.name}#sha256={sha256_file(path)}" '
            f'data-core-metadata="true" data-requires-python="{asks}">{path.name}</a><br>'
        )
    for name, lines in links.items():
        page = "<!DOCTYPE html><html><body>\n" + "\n".join(lines) + "\n</body></html>\n"
        files[f"simple/{name}/"] = page.encode()
    return files


def with_package(project: str, lock: str, wheel: Path) -> tuple[str, str]:
    """A project and its lock with one package more, one without dependencies.

    The lock's ``content-hash`` is still the old one.
    """
    name, number, _, _ = parse_wheel_filename(wheel.name)
    document = tomlkit.parse(project)
    dependencies = cast("Array", cast("Table", document["project"])["dependencies"])
    dependencies.append(f"{name}=={number}")
    package = (
        f'[[package]]\nname = "{name}"\nversion = "{number}"\ndescription = ""\n'
        'optional = false\npython-versions = "*"\ngroups = ["main"]\n'
        f'files = [\n    {{file = "{wheel.name}", hash = "sha256:{sha256_file(wheel)}"}},\n]\n\n'
    )
    before, mark, after = lock.partition("[metadata]\n")
    return tomlkit.dumps(document), f"{before}{package}{mark}{after}"


def uv_project(variant: Variant, number: int, index: str) -> str:
    """The same pins, with the first ``number`` of :data:`ADDED`, as a project that uv can lock."""
    pins = "".join(f'    "{pin}",\n' for pin in (*variant.pins, *ADDED[:number]))
    return (
        f'[project]\nname = "{variant.name}"\nversion = "1"\nrequires-python = ">=3.11,<3.12"\n'
        f"dependencies = [\n{pins}]\n\n"
        "[tool.uv]\npackage = false\nenvironments = [\"sys_platform == 'linux'\"]\n\n"
        f'[[tool.uv.index]]\nurl = "{index}"\ndefault = true\n'
    )


def _download(folder: Path) -> list[Path]:
    """The contenders' own programs and the packages that are added, for the base's Python."""
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder)]
    argv += ["--only-binary", ":all:", "--python-version", "3.11"]
    run([*argv, UV, POETRY, POETRY_PLUGIN, *ADDED])
    return sorted(folder.iterdir())


def _versions(source: Path, folder: Path, downloads: list[Path]) -> list[Path]:
    project = (source / "pyproject.toml").read_text()
    lock = (source / "poetry.lock").read_text()
    wheels = {parse_wheel_filename(path.name)[0]: path for path in downloads}
    folders = []
    for number in range(len(ADDED) + 1):
        if number:
            added = wheels[canonicalize_name(ADDED[number - 1].split("==")[0])]
            project, lock = with_package(project, lock, added)
        folders.append(folder / str(number))
        folders[-1].mkdir(parents=True)
        (folders[-1] / "pyproject.toml").write_text(project)
        (folders[-1] / "poetry.lock").write_text(lock)
    run([sys.executable, "-c", _CONTENT_HASH, *map(str, folders)])
    return folders


def _wheels(distributions: Iterable[Distribution]) -> list[Distribution]:
    if sdists := [str(one) for one in distributions if one.kind is not Kind.WHEEL]:
        raise EggcrateError(f"the bench needs wheels, and there are none of {', '.join(sdists)}")
    return list(distributions)


def _metadata(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        name = next(
            name
            for name in archive.namelist()
            if name.count("/") == 1 and name.endswith(".dist-info/METADATA")
        )
        return archive.read(name)


def _unpacked(wheel: Path) -> int:
    with zipfile.ZipFile(wheel) as archive:
        return sum(item.file_size for item in archive.infolist())
