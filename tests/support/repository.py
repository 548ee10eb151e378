"""Small Eggcrate repositories in temporary folders, built by the real command line."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import parse_sdist_filename, parse_wheel_filename

from eggcrate.files import sha256_file
from eggcrate.registry import oci
from eggcrate.registry.layout import Layout
from eggcrate.runtimes.protocol import Command, Limits, Result
from eggcrate.runtimes.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HERE = Path(__file__).parents[2]
"""This repository: bases are copied from it."""
PYTHON = "/opt/env/bin/python"
_MINUTES = 60


@dataclass(frozen=True, kw_only=True)
class Package:
    """One package of a lock."""

    name: str
    version: str
    files: tuple[tuple[str, str], ...]
    """Name and SHA-256 of each."""
    source: str = ""
    """The table of another source, as TOML."""

    def toml(self) -> str:
        """Its tables in a lock."""
        files = ", ".join(f'{{file = "{name}", hash = "sha256:{h}"}}' for name, h in self.files)
        text = (
            f'[[package]]\nname = "{self.name}"\nversion = "{self.version}"\ndescription = ""\n'
            f'optional = false\npython-versions = "*"\ngroups = ["main"]\nfiles = [{files}]\n'
        )
        return f"{text}\n[package.source]\n{self.source}" if self.source else text


def packages(*files: Path) -> tuple[Package, ...]:
    """Made wheels and sdists as packages of a lock; several files may be of one package."""
    found: dict[str, Package] = {}
    for path in files:
        name, version = (
            parse_wheel_filename(path.name)[:2]
            if path.suffix == ".whl"
            else parse_sdist_filename(path.name)
        )
        known = found.get(name) or Package(name=name, version=str(version), files=())
        file = (path.name, sha256_file(path))
        found[name] = replace(known, files=(*known.files, file))
    return tuple(found.values())


def real_packages(environment: str, *names: str) -> tuple[Package, ...]:
    """Packages as an environment of this repository locks them, without what they need."""
    return locked_packages(HERE / "environments" / environment / "poetry.lock", *names)


def locked_packages(lock: Path, *names: str) -> tuple[Package, ...]:
    """Packages as a lock has them, without what they need."""
    document = tomllib.loads(lock.read_text())
    found = {
        item["name"]: Package(
            name=item["name"],
            version=item["version"],
            files=tuple((f["file"], f["hash"].removeprefix("sha256:")) for f in item["files"]),
        )
        for item in document["package"]
    }
    return tuple(found[name] for name in names)


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What the command line answered."""

    code: int
    out: str
    err: str

    @property
    def results(self) -> list[dict[str, Any]]:
        """The environments of ``--json``."""
        document = json.loads(self.out)
        assert document["schema"] == "eggcrate.build/1"
        found: list[dict[str, Any]] = document["environments"]
        return found

    @property
    def calm(self) -> bool:
        """Whether no defect was reported."""
        return "Traceback" not in self.err and "defect" not in self.err and self.code in (0, 1, 2)


@dataclass(kw_only=True)
class Repository:
    """A repository, its cache, and how pip is configured for it."""

    root: Path
    cache: Path
    pip: Mapping[str, str] = field(default_factory=dict)
    """Variables; with none, those of this machine."""

    @property
    def store(self) -> Layout:
        """Its image store."""
        return Layout(self.root / ".eggcrate" / "store")

    def environment(
        self,
        name: str,
        locked: Iterable[Package] | None,
        *,
        settings: str = 'base = "python-3.11"',
        python: str = ">=3.11",
        wanted: Sequence[str] | None = None,
    ) -> Path:
        """Write an environment that asks for what it locks; ``None`` leaves the lock away."""
        folder = self.root / "environments" / name
        folder.mkdir(parents=True, exist_ok=True)
        items = tuple(locked or ())
        asked = [f"{item.name}=={item.version}" for item in items] if wanted is None else wanted
        (folder / "pyproject.toml").write_text(
            f'[project]\nname = "{name}"\nversion = "1"\nrequires-python = "{python}"\n'
            f"dependencies = {json.dumps(asked)}\n\n[tool.eggcrate]\n{settings}\n"
        )
        if locked is not None:
            write_lock(folder, items, python=python)
        return folder

    def variables(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment that the command line runs with."""
        ours = {"EGGCRATE_CACHE": str(self.cache), "PYTHONPATH": str(HERE / "ci")}
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("EGGCRATE_") and not (self.pip and name.startswith("PIP_"))
        }
        return {**inherited, **self.pip, **ours, **(extra or {})}

    def argv(self, *arguments: str) -> list[str]:
        """The command line with these arguments."""
        return [sys.executable, "-m", "eggcrate", "--repo", str(self.root), *arguments]

    def run(self, *arguments: str, extra: Mapping[str, str] | None = None, umask: int = -1) -> Ran:
        """Run the command line to its end."""
        done = subprocess.run(
            self.argv(*arguments),
            env=self.variables(extra),
            umask=umask,
            capture_output=True,
            text=True,
            check=False,
            timeout=10 * _MINUTES,
        )
        return Ran(code=done.returncode, out=done.stdout, err=done.stderr)

    def build(
        self, *arguments: str, extra: Mapping[str, str] | None = None, umask: int = -1
    ) -> dict[str, str]:
        """Build, which must work; environment and platform with the image's digest."""
        ran = self.run("build", "--json", *(arguments or ("--all",)), extra=extra, umask=umask)
        assert ran.code == 0, ran.out + ran.err
        return {f"{item['name']} {item['platform']}": item["digest"] for item in ran.results}

    def manifest(self, digest: str) -> oci.Manifest:
        """An image's manifest."""
        found = oci.parse(self.store.read_blob(digest))
        assert isinstance(found, oci.Manifest)
        return found

    def layers(self, digest: str) -> dict[tuple[str, ...], str]:
        """What is in each layer of an image (``files six``), with its digest."""
        found = {}
        for number, layer in enumerate(self.manifest(digest).layers):
            units = json.loads(layer.annotations.get("dev.eggcrate.units", "[]"))
            held = tuple(f"{unit['kind']} {unit['name']}" for unit in units)
            found[held or (str(number),)] = layer.digest
        return found

    def inside(self, digest: str, *argv: str) -> Result:
        """Run a program in the sandbox."""
        box = Sandbox(self.store, self.cache)
        limits = Limits(memory=512 << 20, seconds=120, scratch=64 << 20, processes=64)
        return box.run(box.prepare(digest), Command(argv=argv, limits=limits))

    def python(self, digest: str, script: str) -> str:
        """What a script prints inside an image; it must end well."""
        result = self.inside(digest, PYTHON, "-c", script)
        assert result.exit_code == 0, result
        return result.output.strip()


def write_lock(folder: Path, locked: Iterable[Package], *, python: str = ">=3.11") -> None:
    """Write a ``poetry.lock``."""
    (folder / "poetry.lock").write_text(
        "# This file is automatically @generated by Poetry 2.2.1.\n\n"
        + "\n".join(item.toml() for item in locked)
        + f'\n[metadata]\nlock-version = "2.1"\npython-versions = "{python}"\n'
        + f'content-hash = "{"0" * 64}"\n'
    )


def make_repository(root: Path, cache: Path, *, links: Path | None = None) -> Repository:
    """A repository without environments, with this repository's bases.

    Args:
        root: where to make it.
        cache: the user's cache of its builds.
        links: folder of wheels and sdists, the only source of packages; without one, packages
            come from where this machine's pip takes them.
    """
    (root / "environments").mkdir(parents=True)
    (root / "components").mkdir()
    (root / "pyproject.toml").write_text('[project]\nname = "small"\nversion = "1"\n')
    shutil.copytree(HERE / "bases", root / "bases")
    pip = {}
    if links:
        links.mkdir(parents=True, exist_ok=True)
        pip = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links)}
    return Repository(root=root, cache=cache, pip=pip)


def noise(seed: str, size: int) -> bytes:
    """Bytes that do not compress, the same ones each time."""
    return hashlib.shake_256(seed.encode()).digest(size)


def copy_cache(source: Path, target: Path, *, linked: bool = True) -> Path:
    """A copy of a cache; its files shared with the original unless they are to be damaged."""
    copy = os.link if linked else shutil.copy2
    left_out = shutil.ignore_patterns("*.lock", "partial")
    shutil.copytree(source, target, copy_function=copy, symlinks=True, ignore=left_out)
    return target


def users_cache() -> Path:
    """The cache of the user that runs the tests: only verified files are taken from it."""
    if named := os.environ.get("EGGCRATE_CACHE"):
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "eggcrate"


def take_debs(cache: Path, source: Path | None = None) -> None:
    """Start a cache with another's Debian packages, by default the user's.

    Each is verified before it is used, so that this only saves downloads.
    """
    folder = (source or users_cache()) / "debs"
    if folder.is_dir():
        shutil.copytree(folder, cache / "debs", ignore=shutil.ignore_patterns(".*", "*.lock"))
