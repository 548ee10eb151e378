"""The comment on a pull or merge request that reports are written to, and replaced in.

GitHub: https://docs.github.com/en/rest/issues/comments; GitLab:
https://docs.gitlab.com/api/notes/. Both page with ``Link`` headers (RFC 8288), and both ask to
wait with ``Retry-After`` when there were too many requests.
"""

from __future__ import annotations

import functools
import json
import re
import ssl
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx2

from eggcrate.errors import ForgeError
from eggcrate.loopback import is_loopback
from eggcrate.retries import TRANSIENT, Retries, TransientError, retry_after

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NEXT = re.compile(r'<([^>]+)>\s*;[^,]*\brel="?next"?')
_TIMEOUT = 30.0
_PAGES = 100
_FORBIDDEN, _NOT_FOUND, _UNPROCESSABLE = (401, 403), 404, (400, 413, 422)
_LIMITED = 403


@dataclass(frozen=True, kw_only=True)
class Forge:
    """Where the comments of one pull or merge request are.

    Raises:
        ForgeError: the token would be sent to another machine in the clear.
    """

    name: str
    """``GitHub`` or ``GitLab``."""
    request: str
    """What is commented, in words: ``pull request 12 of owner/name``."""
    comments: str
    """URL that lists comments, and makes new ones."""
    comment: str
    """URL of one comment, with ``{id}``."""
    change: str
    """HTTP method that changes one."""
    headers: Mapping[str, str] = field(repr=False)
    permission: str
    """What the token must be allowed to, in words."""
    retries: Retries = field(default_factory=lambda: Retries(attempts=4))

    def __post_init__(self) -> None:
        scheme, host, _ = _place(self.comments)
        if scheme == "http" and not is_loopback(host):
            raise ForgeError(
                f"{self.name} at {host} would be spoken to without TLS",
                why="the token would be sent in the clear; plain HTTP is for this machine alone",
                hint="give the API's address with https://",
            )


@dataclass(frozen=True, kw_only=True)
class Posted:
    """What became of a comment."""

    outcome: str
    """``created``, ``updated``, ``unchanged``, or ``skipped`` when there was nothing to say."""
    url: str = ""


def post(
    forge: Forge, body: str, marker: str, *, quiet: bool = False, dry_run: bool = False
) -> Posted:
    """Write a comment, in place of the one that was written before.

    Args:
        forge: where to.
        body: Markdown that begins with the marker.
        marker: by it the earlier comment is found.
        quiet: make no new comment: only an earlier one is replaced.
        dry_run: tell what would be done.

    Raises:
        ForgeError: it does not let us, or does not answer.
    """
    with httpx2.Client(
        verify=ssl.create_default_context(),
        timeout=_TIMEOUT,
        follow_redirects=True,
        headers=dict(forge.headers),
        event_hooks={"request": [functools.partial(_check_place, forge)]},
    ) as http:
        earlier = _earlier(forge, marker, http)
        if earlier is None and quiet:
            return Posted(outcome="skipped")
        if earlier is not None and _same(str(earlier["body"]), body):
            return Posted(outcome="unchanged", url=str(earlier.get("html_url", "")))
        if dry_run:
            return Posted(outcome="created" if earlier is None else "updated")
        if earlier is not None:
            url = forge.comment.format(id=earlier["id"])
            answer = _ask(forge, http, forge.change, url, body)
            if answer.status_code != _NOT_FOUND:  # deleted meanwhile
                return _posted("updated", forge, answer)
        return _posted("created", forge, _ask(forge, http, "POST", forge.comments, body))


def _same(one: str, other: str) -> bool:
    """Whether two bodies are the same text: servers change line ends."""
    return one.replace("\r\n", "\n").strip() == other.strip()


def _posted(outcome: str, forge: Forge, answer: httpx2.Response) -> Posted:
    _check(forge, answer)
    told = _json(forge, answer)
    url = told.get("html_url", "") if isinstance(told, dict) else ""
    return Posted(outcome=outcome, url=str(url))


def _earlier(forge: Forge, marker: str, http: httpx2.Client) -> dict[str, Any] | None:
    """The first comment that begins with the marker: one that quotes it is another's."""
    for comment in _comments(forge, http):
        if str(comment.get("body", "")).lstrip().startswith(marker):
            return comment
    return None


def _comments(forge: Forge, http: httpx2.Client) -> Iterator[dict[str, Any]]:
    url = f"{forge.comments}?per_page=100"
    for _ in range(_PAGES):
        answer = _ask(forge, http, "GET", url)
        _check(forge, answer)
        page = _json(forge, answer)
        if not isinstance(page, list):
            raise _odd(forge, answer)
        yield from (item for item in page if isinstance(item, dict))
        following = _NEXT.search(answer.headers.get("Link", ""))
        if following is None:
            return
        url = str(httpx2.URL(url).join(following[1]))


def _check_place(forge: Forge, request: httpx2.Request) -> None:
    """The token goes to this server and no other, wherever a link or a redirect leads."""
    if _place(request.url) != _place(forge.comments):
        raise ForgeError(
            f"{forge.name} sends us to {request.url.copy_with(query=None)}",
            why="that is another server, which must not get the token",
            hint="check the API's address: it may have moved",
        )


def _place(url: httpx2.URL | str) -> tuple[str, str, int | None]:
    parsed = httpx2.URL(url)
    return parsed.scheme, parsed.host, parsed.port


def _ask(
    forge: Forge, http: httpx2.Client, method: str, url: str, body: str | None = None
) -> httpx2.Response:
    """One request, tried again while that may help."""
    attempt = 0
    while True:
        try:
            return _once(http, method, url, body)
        except TransientError as error:
            attempt += 1
            # A comment that may have been made is not made twice.
            unsure = method == "POST" and error.retry_after is None and not _refused(error)
            if attempt >= forge.retries.attempts or unsure:
                raise ForgeError(
                    f"{forge.name} could not be asked about {forge.request}",
                    why=error.reason,
                    hint="run it again later; the report stands in build/impact.md",
                ) from error
            forge.retries.sleep(forge.retries.delay(attempt - 1, error.retry_after))


def _refused(error: TransientError) -> bool:
    return isinstance(error.__cause__, httpx2.ConnectError)


def _once(http: httpx2.Client, method: str, url: str, body: str | None) -> httpx2.Response:
    try:
        answer = http.request(method, url, json=None if body is None else {"body": body})
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.TooManyRedirects) as error:
        raise ForgeError(
            f"{url} cannot be asked", why=str(error), hint="check the API's address"
        ) from error
    except httpx2.TransportError as error:
        raise TransientError(f"no answer: {error or type(error).__name__}") from error
    if answer.request.method != method:
        raise ForgeError(
            f"{url} cannot be asked",
            why=f"it has moved to {answer.request.url.copy_with(query=None)}",
            hint="give the address that it has now",
        )
    wait = retry_after(answer.headers.get("Retry-After", ""))
    if answer.status_code == _LIMITED and wait is None and _used_up(answer):
        wait = _until_reset(answer)
    if answer.status_code in TRANSIENT or (answer.status_code == _LIMITED and wait is not None):
        raise TransientError(
            f"it answered {answer.status_code} {answer.reason_phrase}"
            + (f" and asks to wait {wait:.0f} s: too many requests" if wait is not None else ""),
            retry_after=wait,
        )
    return answer


def _used_up(answer: httpx2.Response) -> bool:
    """GitHub's way to say that an hour's requests are used up."""
    return bool(answer.headers.get("x-ratelimit-remaining") == "0")


def _until_reset(answer: httpx2.Response) -> float:
    reset = answer.headers.get("x-ratelimit-reset", "")
    return max(0.0, float(reset) - time.time()) if reset.isdigit() else 1.0


def _check(forge: Forge, answer: httpx2.Response) -> None:
    """Raise for what another attempt would not change."""
    if answer.is_success:
        return
    why = f"it answered {answer.status_code} {answer.reason_phrase}{_message(answer)}"
    if answer.status_code in _FORBIDDEN:
        told = "does not know the token" if answer.status_code != _LIMITED else "does not allow it"
        raise ForgeError(
            f"{forge.name} {told}: {forge.request} cannot be commented",
            why=why,
            hint=forge.permission,
        )
    if answer.status_code == _NOT_FOUND:
        raise ForgeError(
            f"{forge.name} does not have {forge.request}",
            why=f"{why}; it says the same of what the token may not see",
            hint=f"check the number and the name; {forge.permission}",
        )
    if answer.status_code in _UNPROCESSABLE:
        raise ForgeError(f"{forge.name} does not take the comment", why=why)
    raise ForgeError(f"{forge.name} does not do what was asked", why=why)


def _message(answer: httpx2.Response) -> str:
    """What the server says in words."""
    try:
        told = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return ""
    text = told.get("message") or told.get("error") if isinstance(told, dict) else ""
    return f": {str(text)[:300]}" if text else ""


def _json(forge: Forge, answer: httpx2.Response) -> Any:
    try:
        return answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise _odd(forge, answer) from error


def _odd(forge: Forge, answer: httpx2.Response) -> ForgeError:
    url = answer.request.url.copy_with(query=None)
    return ForgeError(
        f"{url} does not answer as {forge.name} does",
        why=f"content type {answer.headers.get('Content-Type', 'missing')!r}",
        hint="check the API's address: a proxy or a log-in page may answer instead",
    )
