"""Where registries are: TLS for all of them, plain HTTP for this machine alone."""

from __future__ import annotations

import re
from dataclasses import dataclass

from eggcrate.errors import ConfigError, TlsError
from eggcrate.loopback import is_loopback

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_THE_HOST = "host.docker.internal"
"""How a container calls the machine that it runs on."""
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


def is_this_machine(host: str) -> bool:
    """Whether a host, with or without a port, is where we run, or where our container runs."""
    return is_loopback(host) or host.partition(":")[0] == _THE_HOST


@dataclass(frozen=True, kw_only=True)
class Address:
    """A registry and a prefix of image names in it."""

    host: str
    """With its port where it has one."""
    path: str = ""
    """``PROJECT/REPOSITORY``, or nothing."""
    plain: bool = False
    """Spoken to without TLS: only ever this machine."""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``host[:port][/path]``.

        ``https://`` before it asks for TLS on this machine as well.

        Raises:
            ConfigError: it names no registry.
            TlsError: it asks for plain HTTP to another machine.
        """
        scheme, _, rest = text.rpartition("://")
        host, _, path = rest.strip("/").partition("/")
        local = is_this_machine(host)
        if scheme not in ("", "http", "https") or not _HOST.fullmatch(host) or not _named(host):
            raise ConfigError(
                f"{text!r} is not a registry",
                hint="write it as host/path, such as REGION-docker.pkg.dev/PROJECT/REPOSITORY "
                "or localhost:5000/eggcrate",
            )
        if path and not _NAME.fullmatch(path):
            raise ConfigError(
                f"{text!r} is not a registry",
                why=f"{path!r} is not the beginning of an image name",
                hint="use lower-case letters and digits, with single . _ or - between them",
            )
        if scheme == "http" and not local:
            raise TlsError(
                f"{text} would be spoken to without TLS",
                why="plain HTTP is for this machine alone: passwords would be sent in the clear",
                hint="leave http:// away",
            )
        return cls(host=host, path=path, plain=local and scheme != "https")

    @property
    def origin(self) -> str:
        """``https://host``, what every request's URL begins with."""
        return f"{'http' if self.plain else 'https'}://{self.host}"

    def repository(self, name: str) -> str:
        """The registry's own name for image ``name`` under this prefix.

        Raises:
            ConfigError: no image can have this name.
        """
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{name!r} cannot name an image in a registry",
                hint="use lower-case letters and digits, with single . _ or - between them",
            )
        return f"{self.path}/{name}" if self.path else name

    def __str__(self) -> str:
        return f"{self.host}/{self.path}" if self.path else self.host


def is_google(host: str) -> bool:
    """Whether a host is Google's Artifact Registry (or the older names that it answers)."""
    return host.endswith(("-docker.pkg.dev", ".gcr.io")) or host == "gcr.io"


def check_tag(tag: str) -> str:
    """The tag itself, when it can be one.

    Raises:
        ConfigError: it cannot.
    """
    if not _TAG.fullmatch(tag):
        raise ConfigError(
            f"{tag!r} cannot be a tag", hint="use letters, digits, . _ and -, 128 at most"
        )
    return tag


def _named(host: str) -> bool:
    """Docker's rule: without a dot, a port or ``localhost`` it is a name, not a host."""
    return any(mark in host for mark in ".:[") or host == "localhost"
