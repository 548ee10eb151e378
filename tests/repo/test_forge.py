"""A report's comment is made once and replaced from then on; what goes wrong is told in words."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import ForgeError, UsageError
from eggcrate.repo.forge import Forge, post
from eggcrate.repo.forges import github, gitlab
from eggcrate.retries import Retries
from support.forges import TOKEN, FakeForge, fake_forge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARKER = "<!-- mine -->"
ONE, OTHER = f"{MARKER}\nfirst", f"{MARKER}\nsecond"


@pytest.fixture(params=["github", "gitlab"])
def fake(request: pytest.FixtureRequest) -> Iterator[FakeForge]:
    with fake_forge(request.param) as found:
        yield found


def forge_of(fake: FakeForge, waited: list[float] | None = None, **changes: str) -> Forge:
    make = github if fake.kind == "github" else gitlab
    slept = waited if waited is not None else []
    retries = Retries(attempts=3, first=0.0, sleep=slept.append)
    return replace(make({**fake.environ, **changes}), retries=retries)


def test_the_second_report_replaces_the_first(fake: FakeForge) -> None:
    """One comment, made, replaced, and left alone when it says the same already."""
    fake.add("somebody's opinion")
    forge = forge_of(fake)
    assert [post(forge, body, MARKER).outcome for body in (ONE, OTHER, OTHER)] == [
        "created",
        "updated",
        "unchanged",
    ]
    assert fake.bodies == ["somebody's opinion", OTHER]


def test_the_comment_is_found_on_any_page(fake: FakeForge) -> None:
    """By the Link header, page after page; one that quotes the marker is not ours."""
    fake.add(f"> {MARKER} I do not agree", 230)
    fake.add(ONE)
    fake.add("later", 50)
    assert post(forge_of(fake), OTHER, MARKER).outcome == "updated"
    assert fake.bodies.count(OTHER) == 1
    assert ONE not in fake.bodies
    assert len(fake.requests) == 4


def test_line_ends_of_the_server_are_no_change(fake: FakeForge) -> None:
    """GitHub stores what its own editor wrote with CRLF."""
    fake.add(ONE.replace("\n", "\r\n"))
    assert post(forge_of(fake), f"{ONE}\n", MARKER).outcome == "unchanged"


def test_nothing_is_written_when_it_is_not_to_be(fake: FakeForge) -> None:
    """A dry run tells what would be; a quiet one makes no new comment, but mends an old one."""
    assert post(forge_of(fake), ONE, MARKER, dry_run=True).outcome == "created"
    assert post(forge_of(fake), ONE, MARKER, quiet=True).outcome == "skipped"
    fake.add(ONE)
    assert post(forge_of(fake), OTHER, MARKER, dry_run=True).outcome == "updated"
    assert fake.written == []
    assert post(forge_of(fake), OTHER, MARKER, quiet=True).outcome == "updated"


def test_a_comment_deleted_meanwhile_is_made_anew(fake: FakeForge) -> None:
    """Somebody removed it between our two requests."""
    fake.add(ONE)
    fake.vanish = True
    assert post(forge_of(fake), OTHER, MARKER).outcome == "created"
    assert fake.bodies == [OTHER]


def test_a_limit_is_waited_for(fake: FakeForge) -> None:
    """403 or 429 with Retry-After, a used-up hour, a busy server: then it works."""
    waited: list[float] = []
    fake.faults = [(403, {"Retry-After": "7"}), (429, {"Retry-After": "3"})]
    assert post(forge_of(fake, waited), ONE, MARKER).outcome == "created"
    assert waited == [7.0, 3.0]
    fake.faults = [
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}),
        (502, {}),
    ]
    assert post(forge_of(fake, waited), OTHER, MARKER).outcome == "updated"


def test_patience_ends_with_a_sentence(fake: FakeForge) -> None:
    """A limit that stays is an error that says where the report is."""
    fake.faults = [(403, {"Retry-After": "1"})] * 3
    with pytest.raises(ForgeError, match="could not be asked") as caught:
        post(forge_of(fake), ONE, MARKER)
    assert "too many requests" in caught.value.why
    assert "build/impact.md" in caught.value.hint


def test_a_comment_that_may_have_been_made_is_not_made_twice(fake: FakeForge) -> None:
    """A 502 for a POST may have worked: better none than two."""
    fake.faults = [(502, {})]  # of a list: it is asked for again
    fake.write_faults = [502]
    with pytest.raises(ForgeError, match="could not be asked"):
        post(forge_of(fake), ONE, MARKER)
    assert fake.written == ["POST"]
    fake.add(ONE)
    fake.write_faults = [502]  # of a change: it may be sent again
    assert post(forge_of(fake), OTHER, MARKER).outcome == "updated"


@pytest.mark.parametrize(
    ("change", "what", "hint"),
    [
        ({"GITHUB_TOKEN": "wrong", "GITLAB_TOKEN": "wrong"}, "does not know the token", ""),
        (
            {"GITHUB_REPOSITORY": "acme/none", "CI_PROJECT_ID": "acme/none"},
            "does not have",
            "check",
        ),
        ({"GITHUB_API_URL": "nonsense", "CI_API_V4_URL": "nonsense"}, "cannot be asked", "address"),
    ],
)
def test_what_is_wrong_is_said(
    fake: FakeForge, change: dict[str, str], what: str, hint: str
) -> None:
    """A wrong token, a name that is not there, an address that is none; never the token itself."""
    with pytest.raises(ForgeError, match=what) as caught:
        post(forge_of(fake, **change), ONE, MARKER)
    assert hint in caught.value.hint
    assert TOKEN not in str(caught.value) + repr(forge_of(fake))


def test_a_token_that_may_not_write_is_told_what_it_needs(fake: FakeForge) -> None:
    """A 403 without Retry-After is no limit: it is told at once, with the permission."""
    fake.writable = False
    with pytest.raises(ForgeError, match="does not allow it") as caught:
        post(forge_of(fake), ONE, MARKER)
    assert "not accessible" in caught.value.why
    assert ("pull-requests: write" if fake.kind == "github" else "Reporter") in caught.value.hint
    assert len(fake.written) == 1


def test_a_page_elsewhere_does_not_get_the_token(fake: FakeForge) -> None:
    """A Link that leads to another server is not followed."""
    fake.faults = [(200, {"Link": '<http://127.0.0.2:1/x>; rel="next"'})]
    with pytest.raises(ForgeError, match=r"sends us to http://127\.0\.0\.2:1/x"):
        post(forge_of(fake), ONE, MARKER)
    assert len(fake.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_elsewhere_does_not_get_the_token(fake: FakeForge, status: int) -> None:
    """Another port is another server: it sees no request, so no header of ours."""
    with fake_forge(fake.kind) as other:
        fake.faults = [(status, {"Location": f"{other.url}/stolen"})]
        with pytest.raises(ForgeError, match=f"sends us to {other.url}/stolen"):
            post(forge_of(fake), ONE, MARKER)
        assert other.requests == []


def test_a_redirect_on_the_same_server_is_followed(fake: FakeForge) -> None:
    """A repository that was renamed; what would turn a POST into a GET is told instead."""
    listed = forge_of(fake).comments
    fake.faults = [(301, {"Location": listed}), (308, {"Location": listed})]
    assert post(forge_of(fake), ONE, MARKER, dry_run=True).outcome == "created"
    fake.write_faults = [301]
    fake.write_headers = {"Location": listed}
    with pytest.raises(ForgeError, match="cannot be asked") as caught:
        post(forge_of(fake), ONE, MARKER)
    assert "has moved to" in caught.value.why
    assert fake.bodies == []


@pytest.mark.parametrize("address", ["http://forge.example/api", "http://127.0.0.1.example:80"])
def test_a_token_is_not_sent_in_the_clear(fake: FakeForge, address: str) -> None:
    """Before anything is asked or computed: making the forge is refused, by an address of http."""
    with pytest.raises(ForgeError, match="without TLS") as caught:
        forge_of(fake, GITHUB_API_URL=address, CI_API_V4_URL=address)
    assert "https://" in caught.value.hint
    assert TOKEN not in str(caught.value)
    secure = address.replace("http:", "https:")
    assert forge_of(fake, GITHUB_API_URL=secure, CI_API_V4_URL=secure).comments.startswith(secure)


def test_the_event_tells_the_pull_request(tmp_path: Path) -> None:
    """Jobs that were not started by the request itself read its number from their event."""
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 12}}))
    environ = {
        "GITHUB_API_URL": "https://x/",
        "GITHUB_REPOSITORY": "a/b",
        "GH_TOKEN": "t",
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_EVENT_PATH": str(event),
    }
    assert github(environ).comments == "https://x/repos/a/b/issues/12/comments"
    assert github(environ, number=3, repository="c/d").request == "pull request 3 of c/d"
    event.write_text("[]")
    with pytest.raises(UsageError, match=r"the pull request \(--number\)"):
        github(environ)


def test_all_that_is_missing_is_told_at_once() -> None:
    """Outside of CI nothing is set."""
    for make in (github, gitlab):
        with pytest.raises(UsageError, match="told nowhere") as caught:
            make({})
        assert "TOKEN" in caught.value.what
