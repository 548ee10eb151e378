"""One suite of a Debian archive: its signed release file and the package index it vouches for."""

from __future__ import annotations

import lzma
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from eggcrate.errors import BaseError, EggcrateError, IntegrityError, PackageIndexError
from eggcrate.packages.debian.control import paragraphs, parse_paragraph
from eggcrate.packages.debian.http import GoneError, fetch_file, get_bytes
from eggcrate.packages.debian.signature import signed_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx2

    from eggcrate.packages.debian.mirror import Mirrors

_RELEASE_LIMIT = 4 << 20
_INDEX_LIMIT = 1 << 30
_CHUNK = 1 << 20
_CLOCK_SKEW = timedelta(days=1)
_COMPONENT = "main"


@dataclass(frozen=True, kw_only=True)
class Release:
    """A release file whose signature was checked."""

    suite: str
    root: str
    """The archive it came from, without ``dists/``."""
    date: datetime
    by_hash: bool
    files: dict[str, tuple[str, int]]
    """Name of each index to its SHA-256 and size."""


def read_release(
    http: httpx2.Client,
    mirrors: Mirrors,
    suite: str,
    *,
    keys: bytes,
    seen: datetime | None = None,
    now: datetime | None = None,
) -> Release:
    """Read a suite's release file from the first mirror that has a good one.

    Args:
        http: how to ask.
        mirrors: whom to ask.
        suite: such as ``bookworm`` or ``bookworm-security``.
        keys: the OpenPGP keyring to trust.
        seen: date of a release that was accepted before; an older one is refused, since an
            attacker may send old releases, whose signatures are good, to keep old packages.
        now: the time, for tests.

    Raises:
        BaseError: no mirror has a good one; the message tells what was wrong with each.
    """
    problems: list[EggcrateError] = []
    for root in mirrors.serving(suite):
        url = f"{root}/dists/{suite}/InRelease"
        try:
            raw = get_bytes(http, url, limit=_RELEASE_LIMIT)
            text = signed_text(raw, keys=keys, source=url)
            release = parse_release(text, suite=suite, root=root)
            _check_dates(text, release, seen=seen, now=now or datetime.now(UTC))
        except (PackageIndexError, IntegrityError) as error:
            problems.append(error)
            continue
        return release
    # That one of several roots does not serve a suite is normal, unless none does.
    grave = [problem for problem in problems if not isinstance(problem, GoneError)] or problems
    raise BaseError(
        f"no Debian mirror gives a trustworthy index of {suite}",
        why="\n".join(f"{error.what}: {error.why}" for error in grave),
        hint=grave[0].hint or "check the suite's name and apt's sources, or EGGCRATE_DEBIAN_MIRROR",
    )


def parse_release(text: str, *, suite: str, root: str) -> Release:
    """Read the text of a release file.

    Raises:
        IntegrityError: it is about another suite, or not understood.
    """
    source = f"{root}/dists/{suite}/InRelease"
    try:
        fields = parse_paragraph(text)
        date = _date(fields["Date"])
        rows = [row.split() for row in fields["SHA256"].splitlines() if row.strip()]
        files = {name: (sha256, int(size)) for sha256, size, name in rows}
    except (KeyError, ValueError, OverflowError) as error:
        raise IntegrityError(f"{source} is not a release file", why=str(error)) from error
    if suite != fields.get("Codename"):
        raise IntegrityError(
            f"{source} is about another suite",
            why=f"it names itself {fields.get('Codename')!r}, not {suite!r}",
            hint="name the suite by its codename, such as bookworm",
        )
    by_hash = fields.get("Acquire-By-Hash", "").lower() == "yes"
    return Release(suite=suite, root=root, date=date, by_hash=by_hash, files=files)


def _check_dates(text: str, release: Release, *, seen: datetime | None, now: datetime) -> None:
    source = f"{release.root}/dists/{release.suite}/InRelease"
    if release.date > now + _CLOCK_SKEW:
        raise IntegrityError(
            f"{source} is from the future",
            why=f"its date is {release.date:%Y-%m-%d %H:%M} UTC",
            hint="check this machine's clock",
        )
    until = parse_paragraph(text).get("Valid-Until")
    if until and _date(until) < now:
        raise IntegrityError(
            f"{source} has expired",
            why=f"it was valid until {until}: the mirror is no longer updated",
            hint="use another mirror, or check this machine's clock",
        )
    if seen and release.date < seen:
        raise IntegrityError(
            f"{source} is older than one seen before",
            why=f"its date is {release.date:%Y-%m-%d %H:%M} UTC, the lock has seen "
            f"{seen:%Y-%m-%d %H:%M} UTC",
            hint="the mirror is behind: try again later, or use another mirror",
        )


def _date(text: str) -> datetime:
    date = parsedate_to_datetime(text.replace(" UTC", " +0000"))
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return date.astimezone(UTC)


def read_index(
    http: httpx2.Client, release: Release, architecture: str, *, cache: Path
) -> Iterator[bytes]:
    """The raw paragraphs of a suite's packages for an architecture, those for all included.

    Raises:
        PackageIndexError: the mirror does not give the index.
        IntegrityError: what it gives is not what the release file names.
        BaseError: the suite is not made for the architecture.
    """
    name = f"{_COMPONENT}/binary-{architecture}/Packages.xz"
    if name not in release.files:
        raise BaseError(f"{release.suite} has no packages for {architecture}")
    sha256, size = release.files[name]
    root = f"{release.root}/dists/{release.suite}"
    by_hash = f"{root}/{name.rpartition('/')[0]}/by-hash/SHA256/{sha256}"
    urls = [by_hash, f"{root}/{name}"] if release.by_hash else [f"{root}/{name}"]
    path = cache / "debian-indexes" / sha256
    fetch_file(http, urls, path, sha256=sha256, size=size)
    return paragraphs(_inflated(path))


def _inflated(path: Path) -> Iterator[bytes]:
    total = 0
    try:
        with lzma.open(path) as file:
            while chunk := file.read(_CHUNK):
                total += len(chunk)
                if total > _INDEX_LIMIT:
                    raise IntegrityError(f"{path} is larger than any Debian index")
                yield chunk
    except (lzma.LZMAError, EOFError) as error:
        raise IntegrityError(f"{path} cannot be decompressed", why=str(error)) from error
