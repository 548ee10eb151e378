"""Where records of vulnerabilities come from: a folder, a zip, a mirror, or OSV's own interface.

A mirror is laid out as OSV's bucket: ``<ecosystem>/all.zip``
(https://google.github.io/osv.dev/data/); an address that ends with ``/v1`` is the interface
(https://google.github.io/osv.dev/api/). What cannot be reached or read is an error: nothing is
ever found to be good because nobody could say that it is bad.
"""

from __future__ import annotations

import contextlib
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx2
from packaging.utils import canonicalize_name

from eggcrate.errors import ConfigError, VulnerabilityDataError
from eggcrate.files import atomic_open, atomic_write
from eggcrate.packages.osv import Package, Vulnerability, parse
from eggcrate.parsing import json_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_TIMEOUT = httpx2.Timeout(120, connect=15)
_LARGEST_RECORD = 8 << 20
_LARGEST_ZIP = 4 << 30
_MOST_RECORDS = 2_000_000
_BATCH = 500
_PAGES = 100
_OK, _UNCHANGED = 200, 304
_HINT = "check vulnerabilities under [tool.eggcrate], EGGCRATE_VULNERABILITIES, or --database"


def read_records(where: str, packages: Sequence[Package], *, cache: Path) -> Records:
    """All records that may be about these packages.

    Args:
        where: a folder, a zip, or the URL of a mirror or of the interface.
        packages: what is asked about.
        cache: the user's; a mirror's files are kept there, and asked for again each time.

    Raises:
        ConfigError: nothing is named.
        VulnerabilityDataError: it cannot be reached or read, or knows nothing of an ecosystem.
    """
    if not where:
        raise ConfigError("there is no database of vulnerabilities to ask", hint=_HINT)
    records = Records(names=frozenset(canonicalize_name(package.name) for package in packages))
    url = where.rstrip("/")
    if "://" in where and url.endswith("/v1"):
        _ask(url, packages, records)
        return records  # it answers about these packages alone
    if "://" in where:
        _mirrored(url, packages, cache, records)
    else:
        _local(Path(where).expanduser(), records)
    wanted = {package.ecosystem.partition(":")[0] for package in packages}
    if missing := sorted(wanted - records.ecosystems):
        raise VulnerabilityDataError(
            f"{where} holds no record of {' and '.join(missing)}",
            why="a database that is empty proves nothing",
            hint=_HINT,
        )
    return records


@dataclass(kw_only=True)
class Records:
    """What a database holds, as far as it may be about some packages."""

    names: frozenset[str]
    found: list[Vulnerability] = field(default_factory=list)
    ecosystems: set[str] = field(default_factory=set)
    """That it has records of at all, such as ``PyPI``."""
    count: int = 0
    """Of all its records."""

    def add(self, content: bytes, where: str) -> None:
        """Read one more.

        Raises:
            VulnerabilityDataError: it is none.
        """
        self.count += 1
        if self.count > _MOST_RECORDS or len(content) > _LARGEST_RECORD:
            raise VulnerabilityDataError(f"{where} is more than any database holds")
        try:
            document = json_of(content)
        except ValueError as error:
            raise VulnerabilityDataError(f"{where} is not JSON", why=str(error)) from error
        told = parse(document, where=where, names=self.names)
        self.ecosystems |= told.ecosystems
        if told.vulnerability:
            self.found.append(told.vulnerability)


def _local(path: Path, records: Records) -> None:
    if path.is_file():
        _zipped(path, records)
        return
    if not path.is_dir():
        raise VulnerabilityDataError(f"{path} is neither a folder nor a file", hint=_HINT)
    for name in sorted(path.rglob("*")):
        if name.suffix == ".zip":
            _zipped(name, records)
        elif name.suffix == ".json":
            with _readable(str(name)):
                records.add(name.read_bytes(), str(name))


def _zipped(path: Path, records: Records) -> None:
    with _readable(str(path)), zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.endswith(".json"):
                if info.file_size > _LARGEST_RECORD:
                    raise VulnerabilityDataError(f"{path}: {info.filename} is too large a record")
                records.add(archive.read(info), f"{path}: {info.filename}")


@contextlib.contextmanager
def _readable(where: str) -> Iterator[None]:
    try:
        yield
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise VulnerabilityDataError(
            f"{where} cannot be read", why=str(error) or type(error).__name__, hint=_HINT
        ) from error


def _mirrored(url: str, packages: Iterable[Package], cache: Path, records: Records) -> None:
    with httpx2.Client(timeout=_TIMEOUT, follow_redirects=True) as client:
        for ecosystem in sorted({package.ecosystem for package in packages}):
            _zipped(_fetched(client, f"{url}/{quote(ecosystem)}/all.zip", cache), records)


def _fetched(client: httpx2.Client, url: str, cache: Path) -> Path:
    """A mirror's file in the cache: asked for each time, downloaded when it has changed."""
    name = quote(url, safe="")
    path, mark = cache / "osv" / f"{name}.zip", cache / "osv" / f"{name}.etag"
    with contextlib.suppress(OSError):
        known = mark.read_text() if path.is_file() else ""
    headers = {"if-none-match": known} if path.is_file() and known else {}
    try:
        with client.stream("GET", url, headers=headers) as answer:
            if answer.status_code == _UNCHANGED and headers:
                return path
            if answer.status_code != _OK:
                raise _unreachable(url, f"it answered {answer.status_code}")
            mark.unlink(missing_ok=True)
            size = 0
            with atomic_open(path) as file:
                for piece in answer.iter_bytes():
                    size += len(piece)
                    if size > _LARGEST_ZIP:
                        raise _unreachable(url, "it sends more than any database has")
                    file.write(piece)
    except httpx2.HTTPError as error:
        raise _unreachable(url, str(error) or type(error).__name__) from error
    if tag := answer.headers.get("etag", ""):
        atomic_write(mark, tag)
    return path


def _ask(url: str, packages: Sequence[Package], records: Records) -> None:
    """What the interface says of these packages; its records are judged here all the same."""
    with httpx2.Client(timeout=_TIMEOUT, follow_redirects=True) as client:
        names: set[str] = set()
        for start in range(0, len(packages), _BATCH):
            names |= _matching(client, url, packages[start : start + _BATCH])
        for name in sorted(names):
            address = f"{url}/vulns/{quote(name, safe='')}"
            records.add(_get(client, "GET", address), f"{url}: {name}")


def _matching(client: httpx2.Client, url: str, packages: Sequence[Package]) -> set[str]:
    queries = [
        {
            "package": {"name": package.name, "ecosystem": package.ecosystem},
            "version": package.version,
        }
        for package in packages
    ]
    found: set[str] = set()
    for _ in range(_PAGES):
        content = _get(client, "POST", f"{url}/querybatch", {"queries": queries})
        try:
            results = json_of(content)["results"]
            answered = list(zip(queries, results, strict=True))
            found |= {str(one["id"]) for item in results for one in item.get("vulns") or ()}
            queries = [
                {**query, "page_token": item["next_page_token"]}
                for query, item in answered
                if item.get("next_page_token")
            ]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _unreachable(url, f"its answer cannot be read: {error!r}") from error
        if not queries:
            return found
    raise _unreachable(url, "its answers never end")


def _get(client: httpx2.Client, method: str, url: str, body: Any = None) -> bytes:
    content = bytearray()
    try:
        with client.stream(method, url, json=body) as answer:
            if answer.status_code != _OK:
                raise _unreachable(url, f"it answered {answer.status_code}")
            for piece in answer.iter_bytes():
                content += piece
                if len(content) > _LARGEST_RECORD:
                    raise _unreachable(url, "it sends more than any record has")
    except httpx2.HTTPError as error:
        raise _unreachable(url, str(error) or type(error).__name__) from error
    return bytes(content)


def _unreachable(url: str, why: str) -> VulnerabilityDataError:
    return VulnerabilityDataError(
        f"the database of vulnerabilities at {url} cannot be had", why=why, hint=_HINT
    )
