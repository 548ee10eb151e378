"""What pip is configured with: the one description of where packages come from."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from eggcrate import process
from eggcrate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# pip itself reads its files and environment: the precedence of its sections, files and
# variables, and its default index, are then pip's own, whatever its version.
_ASK_PIP = """
import json
from pip._internal.commands import create_command
options, _ = create_command("install").parse_args([])
names = ("index_url", "extra_index_urls", "find_links", "no_index", "cert", "client_cert",
         "timeout", "trusted_hosts", "retries", "proxy")
print(json.dumps({name: getattr(options, name, None) for name in names}))
"""


@dataclass(frozen=True, kw_only=True)
class PipConfig:
    """pip's settings, after its files, environment and defaults are taken together."""

    index_url: str
    """The main simple index; empty when pip is told to use none."""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    """Pages and folders (as ``file:`` URLs) that link to distributions."""
    cert: str = ""
    """File or folder of certificates; empty: the default ones."""
    client_cert: str = ""
    timeout: float = 15.0
    """Seconds without an answer after which a connection is given up."""
    trusted_hosts: tuple[str, ...] = ()
    no_index: bool = False
    retries: int = 5
    proxy: str = ""

    @property
    def index_urls(self) -> tuple[str, ...]:
        """Main and extra indexes, in the order they are asked."""
        return (*((self.index_url,) if self.index_url else ()), *self.extra_index_urls)


def read_pip_config(environment: Mapping[str, str] | None = None) -> PipConfig:
    """Ask pip for its configuration.

    Args:
        environment: what pip sees as its environment; ours by default.

    Raises:
        ConfigError: no pip can be asked, or it cannot read its own configuration.
    """
    env = dict(os.environ if environment is None else environment)
    failures = []
    for python in _interpreters():
        done = process.run([python, "-c", _ASK_PIP], env=env, check=False)
        if done.returncode == 0:
            return _from_answer(json.loads(done.text.splitlines()[-1]))
        failures.append(done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:])
    raise ConfigError(
        "pip's configuration could not be read",
        why="; ".join(line for lines in failures for line in lines),
        hint="`python -m pip config list` must work; remove .venv and run `make setup`",
    )


def _interpreters() -> list[str]:
    # A virtual environment made without pip (Debian without python3-venv) still has the
    # pip of the interpreter below it.
    base = str(getattr(sys, "_base_executable", sys.executable))
    return [sys.executable] if base == sys.executable else [sys.executable, base]


def _from_answer(answer: Mapping[str, Any]) -> PipConfig:
    no_index = bool(answer["no_index"])
    return PipConfig(
        index_url="" if no_index else _as_url(answer["index_url"] or ""),
        extra_index_urls=() if no_index else _unique(answer["extra_index_urls"] or ()),
        find_links=_unique(answer["find_links"] or ()),
        cert=answer["cert"] or "",
        client_cert=answer["client_cert"] or "",
        timeout=float(answer["timeout"] or PipConfig.timeout),
        trusted_hosts=tuple(answer["trusted_hosts"] or ()),
        no_index=no_index,
        retries=int(PipConfig.retries if answer["retries"] is None else answer["retries"]),
        proxy=answer["proxy"] or "",
    )


def _unique(locations: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_as_url(location) for location in locations))


def _as_url(location: str) -> str:
    """A URL as it is, a path as a ``file:`` URL, as pip accepts both."""
    if not location or "://" in location or location.startswith("file:"):
        return location
    return Path(location).expanduser().absolute().as_uri()


def is_local(url: str) -> bool:
    """Whether a URL names something that only this machine holds."""
    return urlsplit(url).scheme == "file"


def redacted(url: str) -> str:
    """A URL that can be shown: without user name and password, query and fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    netloc = f"***@{host}" if "@" in parts.netloc else host
    return urlunsplit((parts.scheme, netloc, parts.path, "", ""))
