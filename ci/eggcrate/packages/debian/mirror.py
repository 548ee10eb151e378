"""Which Debian mirrors to ask: apt's own, or ``EGGCRATE_DEBIAN_MIRROR``."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eggcrate.errors import ConfigError
from eggcrate.packages.debian.control import parse_paragraphs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MIRROR_VARIABLE = "EGGCRATE_DEBIAN_MIRROR"
_APT = Path("/etc/apt")
_ONE_LINE = re.compile(r"deb\s+(?:\[[^\]]*\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<rest>.*)")
_SECURITY = ("-security", "/updates")
_SUFFIXES = (*_SECURITY, "-updates", "-proposed-updates", "-backports")
_DEBIAN = frozenset(
    (
        *("stable", "oldstable", "oldoldstable", "testing", "unstable", "sid"),
        *("buster", "bullseye", "bookworm", "trixie", "forky", "duke"),
    )
)


@dataclass(frozen=True, kw_only=True)
class Mirrors:
    """Roots of Debian archives, best first, without the suite."""

    archive: tuple[str, ...]
    """Where releases and their updates are."""
    security: tuple[str, ...]
    """Where security updates are."""

    def serving(self, suite: str) -> tuple[str, ...]:
        """The roots that may hold this suite."""
        return self.security if suite.endswith(_SECURITY) else self.archive

    def files(self, path: str) -> tuple[str, ...]:
        """Every URL that may hold a file of the pool, likeliest first.

        A security update keeps its bytes when a point release takes it into the archive.
        """
        main = path.replace("pool/updates/", "pool/", 1)
        security = [f"{root}/{path}" for root in self.security]
        archive = [f"{root}/{main}" for root in self.archive]
        both = [*security, *archive] if path != main else [*archive, *security]
        return tuple(dict.fromkeys(both))


def configured_mirrors(
    *, environ: Mapping[str, str] = os.environ, apt: Path | None = None
) -> Mirrors:
    """The mirrors to use on this machine.

    Args:
        environ: where ``EGGCRATE_DEBIAN_MIRROR`` is looked up: roots of Debian archives,
            separated by spaces, each holding suites, security suites or both.
        apt: apt's configuration folder.

    Raises:
        ConfigError: there is neither.
    """
    if roots := tuple(root.rstrip("/") for root in environ.get(MIRROR_VARIABLE, "").split()):
        return Mirrors(archive=roots, security=(*roots, *_siblings(roots)))
    archive: list[str] = []
    security: list[str] = []
    for uri, suite in _sources(_APT if apt is None else apt):
        name = next((suite.removesuffix(end) for end in _SUFFIXES if suite.endswith(end)), suite)
        if name in _DEBIAN:
            (security if suite.endswith(_SECURITY) else archive).extend(_roots(uri))
    if not archive:
        raise ConfigError(
            "no Debian mirror is configured on this machine",
            why=f"apt's sources name none, and {MIRROR_VARIABLE} is not set",
            hint=f"set {MIRROR_VARIABLE} to the root of a Debian archive (the URL above dists/)",
        )
    return Mirrors(
        archive=tuple(dict.fromkeys(archive)),
        security=tuple(dict.fromkeys([*security, *archive, *_siblings(archive)])),
    )


def _siblings(roots: tuple[str, ...] | list[str]) -> Iterator[str]:
    return (f"{root}-security" for root in roots)


def _sources(apt: Path) -> Iterator[tuple[str, str]]:
    """Each URI with each of its suites, of the entries that serve binary packages of main."""
    folder = apt / "sources.list.d"
    lists = [apt / "sources.list", *sorted(folder.glob("*.list"))]
    for path in sorted(folder.glob("*.sources")):
        yield from _deb822(_text(path))
    for path in lists:
        yield from _one_line(_text(path))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _deb822(text: str) -> Iterator[tuple[str, str]]:
    try:
        entries = list(parse_paragraphs(text))
    except ValueError:
        return
    for raw in entries:
        fields = {name.lower(): value for name, value in raw.items()}
        if fields.get("enabled", "yes").lower() in {"no", "false", "without", "off", "disable"}:
            continue
        if "deb" not in fields.get("types", "").split():
            continue
        if "main" not in fields.get("components", "").split():
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield uri, suite


def _one_line(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        match = _ONE_LINE.match(line.partition("#")[0].strip())
        if match and "main" in match["rest"].split():
            yield match["uri"], match["suite"]


def _roots(uri: str) -> Iterator[str]:
    """The addresses behind one of apt's URIs; a mirror list on this machine is followed."""
    if uri.startswith(("http://", "https://")):
        yield uri.rstrip("/")
    elif uri.startswith(("mirror+file:", "mirror:file:")):
        path = Path("/" + uri.partition("file:")[2].lstrip("/"))
        for line in _text(path).splitlines():
            address = line.split("#")[0].split()
            if address and address[0].startswith(("http://", "https://")):
                yield address[0].rstrip("/")
