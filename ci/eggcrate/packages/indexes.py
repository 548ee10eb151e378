"""Where a distribution is: the indexes and links that pip is configured with."""

from __future__ import annotations

import contextlib
import mimetypes
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from packaging.utils import canonicalize_name
from unearth.collector import IndexPage, parse_html_page, parse_json_response
from unearth.link import Link
from unearth.utils import is_archive_file

from eggcrate.errors import EggcrateError, PackageIndexError
from eggcrate.files import sha256_file
from eggcrate.packages.pip_config import is_local, redacted
from eggcrate.packages.web import (
    Retries,
    TransientError,
    check_status,
    open_client,
    retrying,
    transient_network,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.pip_config import PipConfig

_LARGEST_PAGE = 64 << 20
_ACCEPT = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, "
    "text/html;q=0.1"
)


@dataclass(frozen=True, kw_only=True)
class Source:
    """One place that pip looks in: a simple index (PEP 503, PEP 691), or a page of links."""

    url: str
    is_index: bool = True

    def __str__(self) -> str:
        return redacted(self.url)


class Indexes:
    """The sources of one run. Safe in threads; each page is fetched once.

    Args:
        config: pip's.
        retries: of each request; as many as pip's by default.
    """

    def __init__(self, config: PipConfig, *, retries: Retries | None = None) -> None:
        self.config = config
        self.retries = retries or Retries(attempts=config.retries + 1)
        self.client = open_client(config)
        self._pages: dict[tuple[Source, str], Future[tuple[Link, ...] | None]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()

    @property
    def sources(self) -> tuple[Source, ...]:
        """Index, extra indexes, then links: the order in which they are asked."""
        return (
            *(Source(url=url) for url in self.config.index_urls),
            *(Source(url=url, is_index=False) for url in self.config.find_links),
        )

    def links(self, source: Source, project: str) -> tuple[Link, ...] | None:
        """What a source offers for a project, in its order; ``None`` when it has no such page.

        Raises:
            PackageIndexError: the source cannot be read.
        """
        name = canonicalize_name(project) if source.is_index else ""
        key = (source, name)
        with self._lock:
            future = self._pages.get(key)
            mine = future is None
            if future is None:
                future = self._pages[key] = Future()
        if mine:
            try:
                future.set_result(self._read(source, name))
            except BaseException as error:
                future.set_exception(error)
        return future.result()

    def candidates(self, distribution: Distribution) -> Iterator[Link]:
        """Links that may give the distribution, the surest first.

        A link whose hash is the lock's ends the search; links that tell no hash follow, to
        be judged by the bytes they give.

        Raises:
            PackageIndexError: no source that can be read offers the file, or only with
                another hash.
        """
        if distribution.url:
            yield Link(distribution.url)
            return
        unsure: list[Link] = []
        others: list[Source] = []
        failures: list[EggcrateError] = []
        known = False
        sources = (Source(url=distribution.index),) if distribution.index else self.sources
        for source in sources:
            try:
                links = self.links(source, distribution.name)
            except PackageIndexError as error:
                failures.append(error)
                continue
            known = known or links is not None
            for link in links or ():
                if link.filename != distribution.filename:
                    continue
                sha256 = _sha256(link)
                if sha256 == distribution.sha256:
                    yield link
                    return
                if sha256:
                    others.append(source)
                else:
                    unsure.append(link)
        yield from unsure
        if not unsure:
            raise _not_found(distribution, sources, others, failures, known=known)

    def _read(self, source: Source, name: str) -> tuple[Link, ...] | None:
        url = f"{source.url.rstrip('/')}/{name}/" if source.is_index else source.url
        link = Link(url)
        if link.is_file:
            return _read_local(link)
        if not source.is_index and is_archive_file(link.filename):
            return (link,)
        what = f"the page of {name}" if name else "the page of links"
        return retrying(lambda: self._get_page(url, what), what=what, url=url, retries=self.retries)

    def _get_page(self, url: str, what: str) -> tuple[Link, ...] | None:
        with (
            transient_network(url),
            self.client.get_stream(url, headers={"Accept": _ACCEPT}) as response,
        ):
            if response.status_code in (404, 410):
                return None
            check_status(response, url, what)
            content = bytearray()
            for piece in response.iter_bytes():
                content += piece
                if len(content) > _LARGEST_PAGE:
                    raise PackageIndexError(f"{what} at {redacted(url)} is larger than any page")
            kind = response.headers.get("Content-Type", "")
            page = IndexPage(Link(str(response.url)), bytes(content), response.encoding, kind)
        return _parse(page, url)


def _parse(page: IndexPage, url: str) -> tuple[Link, ...]:
    kind = page.content_type.lower()
    try:
        if kind.startswith("application/vnd.pypi.simple.v1+json"):
            return tuple(parse_json_response(page))
        if kind.startswith(("text/html", "application/vnd.pypi.simple.v1+html")):
            return tuple(parse_html_page(page))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise TransientError(f"its page cannot be read: {error}") from error
    raise PackageIndexError(
        f"{redacted(url)} is not a page of a package index",
        why=f"its content type is {page.content_type or 'missing'!r}",
        hint="index-url in `pip config list` must end where project names begin (…/simple)",
    )


def _read_local(link: Link) -> tuple[Link, ...] | None:
    path = link.file_path
    if (path / "index.html").is_file():
        path = path / "index.html"
    if path.is_dir():
        return tuple(Link.from_path(child) for child in sorted(path.iterdir()))
    if mimetypes.guess_type(path.name)[0] == "text/html":
        with contextlib.suppress(FileNotFoundError):
            page = IndexPage(Link.from_path(path), path.read_bytes(), "utf-8", "text/html")
            return tuple(parse_html_page(page))
    return (link,) if path.is_file() else None


def _sha256(link: Link) -> str | None:
    known = (link.hash_option or {}).get("sha256")
    if known:
        return known[0]
    if link.is_file and link.file_path.is_file():
        return sha256_file(link.file_path)
    return None


def _not_found(
    distribution: Distribution,
    sources: tuple[Source, ...],
    others: list[Source],
    failures: list[EggcrateError],
    *,
    known: bool,
) -> EggcrateError:
    if failures:
        return failures[0]
    if others:
        return PackageIndexError(
            f"no file {distribution.filename} with the lock's hash is offered",
            why=f"{_names(others)} offers a file of that name with another hash",
            hint="it was locked against another index, or replaced since; "
            "if you trust the new file, lock the environment again",
        )
    if not sources:
        why = "pip is configured with no index and no links"
    elif known:
        why = f"{_names(sources)} knows {distribution.name}, but not this file"
    else:
        why = f"{_names(sources)} does not know {distribution.name}"
    return PackageIndexError(
        f"{distribution.filename} is offered nowhere",
        why=why,
        hint="if it is on another index, add that to pip's configuration "
        "(`pip config set global.extra-index-url …`); "
        "if it was deleted, lock the environment again",
    )


def _names(sources: tuple[Source, ...] | list[Source]) -> str:
    return ", ".join(dict.fromkeys(str(source) for source in sources))


def shared_sources(indexes: Indexes, *, include_local: bool) -> tuple[Source, ...]:
    """The sources a lock may rest on: what other machines can reach, and a local main index."""
    main = indexes.config.index_url
    return tuple(
        source
        for source in indexes.sources
        if include_local or source.url == main or not is_local(source.url)
    )
