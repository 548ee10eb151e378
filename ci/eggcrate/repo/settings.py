"""Settings: ``[tool.eggcrate]`` in the root ``pyproject.toml``, then ``EGGCRATE_*``, then flags."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import ConfigError
from eggcrate.repo.document import Table
from eggcrate.repo.quantities import parse_size

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULTS = {
    "runtime": "auto",
    "memory": "4GiB",
    "timeout": "300",
    "jobs": "0",
    "runs": "20",
    "cache": "",
    "store": ".eggcrate/store",
    "registry": "",
    "volume": "",
    "wheel": "",
    "attest": "false",
    "sign": "",
    "signatures": "",
    "trust": "",
    "verified": "false",
    "builder": "urn:eggcrate:local",
    "vulnerabilities": "",
}
_RUNTIMES = ("auto", "sandbox", "docker")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One value and where it came from."""

    name: str
    value: str
    origin: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of a checkout."""

    runtime: str
    """``auto``, ``sandbox`` or ``docker``."""
    memory: int
    """Bytes a cell may use unless its component says otherwise."""
    timeout: float
    """Seconds a cell may take unless its component says otherwise."""
    jobs: int
    """How many things are done at once; 0: as many as there are processors."""
    runs: int
    """How many local runs of each pipeline are kept; 0: all."""
    cache: Path
    """The user's cache, shared by all checkouts."""
    store: Path
    """The checkout's image store."""
    registry: str
    """Where images are published, such as ``REGION-docker.pkg.dev/PROJECT/REPOSITORY``; empty:
    nowhere, the store stands in for it."""
    volume: str
    """PersistentVolumeClaim that holds helper code; see ``docs/how-to-share-code.md``."""
    wheel: str
    """``URL#sha256=...`` of the wheel of helper code."""
    attest: bool
    """Whether a push attaches bills of materials and provenance to images, and signs them."""
    sign: str
    """The private key: a file, ``env:NAME`` or ``gcpkms://...``; empty: nothing is signed."""
    signatures: str
    """``HOST/PATH`` of a repository for all signatures; empty: beside each image."""
    trust: str
    """The public keys that images must be signed with, with commas between them."""
    verified: bool
    """Whether only signed images of the registry are used in cells and compiled pipelines."""
    builder: str
    """URI that provenance names as who built an image."""
    vulnerabilities: str
    """The OSV database: a folder, a zip, or the URL of a mirror of them."""
    origins: tuple[Setting, ...]

    @property
    def trusted(self) -> tuple[str, ...]:
        """The public keys that are trusted."""
        return tuple(filter(None, (one.strip() for one in self.trust.split(","))))

    @property
    def workers(self) -> int:
        """How many things are done at once."""
        return self.jobs or len(os.sched_getaffinity(0))


def read_settings(root: Path, environ: Mapping[str, str]) -> Settings:
    """Read the settings of the checkout at ``root``.

    Raises:
        ConfigError: a value is not valid; the message says where it came from.
    """
    path = root / "pyproject.toml"
    table = Table.read(path).table("tool").table("eggcrate")
    # These are read by eggcrate.repo.policy and eggcrate.repo.known_answers.
    table.only((*_DEFAULTS, "policy", "new"))
    found: dict[str, Setting] = {}
    for name, default in _DEFAULTS.items():
        variable = f"EGGCRATE_{name.upper()}"
        if variable in environ:
            found[name] = Setting(name=name, value=environ[variable], origin=f"${variable}")
        elif name in table:
            origin = f"{path.name}:{table.line(name)}"
            found[name] = Setting(name=name, value=str(table.data[name]), origin=origin)
        else:
            found[name] = Setting(name=name, value=default, origin="default")
    if not found["cache"].value:
        home = environ.get("XDG_CACHE_HOME") or str(Path(environ.get("HOME", "~")) / ".cache")
        cache = str(Path(home).expanduser() / "eggcrate")
        origin = "$XDG_CACHE_HOME" if environ.get("XDG_CACHE_HOME") else "default"
        found["cache"] = Setting(name="cache", value=cache, origin=origin)
    return Settings(
        runtime=_choice(found["runtime"], _RUNTIMES),
        memory=_size(found["memory"]),
        timeout=_number(found["timeout"], least=1),
        jobs=int(_number(found["jobs"], least=0)),
        runs=int(_number(found["runs"], least=0)),
        cache=(root / found["cache"].value).resolve(),
        store=(root / found["store"].value).resolve(),
        registry=found["registry"].value,
        volume=found["volume"].value,
        wheel=found["wheel"].value,
        attest=_flag(found["attest"]),
        sign=found["sign"].value,
        signatures=found["signatures"].value,
        trust=found["trust"].value,
        verified=_flag(found["verified"]),
        builder=found["builder"].value,
        vulnerabilities=found["vulnerabilities"].value,
        origins=tuple(found.values()),
    )


def _choice(setting: Setting, choices: tuple[str, ...]) -> str:
    if setting.value not in choices:
        raise _wrong(setting, f"must be one of {', '.join(choices)}")
    return setting.value


def _flag(setting: Setting) -> bool:
    value = setting.value.lower()
    if value not in ("true", "false"):
        raise _wrong(setting, "must be true or false")
    return value == "true"


def _size(setting: Setting) -> int:
    try:
        return parse_size(setting.value)
    except ValueError as error:
        raise _wrong(setting, str(error)) from error


def _number(setting: Setting, *, least: float) -> float:
    try:
        value = float(setting.value)
    except ValueError:
        value = least - 1
    if not least <= value < float("inf"):
        raise _wrong(setting, f"must be a number, {least:g} or more")
    return value


def _wrong(setting: Setting, problem: str) -> ConfigError:
    return ConfigError(
        f"setting {setting.name} is {setting.value!r}: {problem}", why=f"from {setting.origin}"
    )
