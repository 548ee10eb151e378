"""Notification: what is told arrives, on the occasions asked for, and no secret is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from kfp.dsl import PipelineTaskFinalStatus

from components.notify.component import Notified, notify
from components.notify.tests.fake_receivers import PATH, Receivers, receiving
from components.shared.errors import ComponentError

RUN = "projects/1/locations/eu/pipelineJobs/training-1"


def ended(state: str = "FAILED", message: str = "train-model failed") -> PipelineTaskFinalStatus:
    return PipelineTaskFinalStatus(
        state=state,
        pipeline_job_resource_name=RUN,
        pipeline_task_name="exit-handler-1",
        error_code=9 if message else None,
        error_message=message or None,
    )


@pytest.fixture
def receivers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receivers]:
    with receiving() as found:
        monkeypatch.setenv("HOOK", found.webhook)
        monkeypatch.setenv("PASSWORD", "hunter2")
        yield found


def mail(receivers: Receivers, **given: object) -> Notified:
    settings = {
        "mail_to": "ada@example.org, bo@example.org",
        "mail_from": "ml@example.org",
        "smtp_host": "127.0.0.1",
        "smtp_port": receivers.port,
        "smtp_security": "none",
        "required": True,
    }
    return notify(ended(), **(settings | given))


def test_a_webhook_gets_what_happened(receivers: Receivers) -> None:
    told = notify(ended(), webhook="env:HOOK", text="See the runbook", required=True)
    assert told == (["webhook"], "training-1: failed")
    [found] = receivers.posts
    assert found["text"].splitlines() == [
        "training-1: failed",
        f"run: {RUN}",
        "error (code 9): train-model failed",
        "See the runbook",
    ]


def test_an_e_mail_gets_what_happened(receivers: Receivers) -> None:
    """To all recipients, logged in; a title of two lines is one line of the head."""
    told = mail(
        receivers, smtp_user="ml", smtp_password="env:PASSWORD", title="Übung\nBcc: x@example.org"
    )
    assert told.sent == ["e-mail"]
    assert receivers.logins == ["\0ml\0hunter2"]
    [letter] = receivers.mails
    head = letter.partition("\r\n\r\n")[0]
    assert "To: ada@example.org, bo@example.org" in head
    assert "\nBcc" not in head
    assert "train-model failed" in letter


@pytest.mark.parametrize(
    ("when", "state", "sent"),
    [
        ("always", "SUCCEEDED", 1),
        ("always", "FAILED", 1),
        ("failure", "SUCCEEDED", 0),
        ("failure", "FAILED", 1),
        ("failure", "CANCELLED", 1),
        ("success", "SUCCEEDED", 1),
        ("success", "FAILED", 0),
    ],
)
def test_only_what_was_asked_for_is_told(
    receivers: Receivers, when: str, state: str, sent: int
) -> None:
    notify(ended(state, ""), webhook="env:HOOK", when=when)
    assert len(receivers.posts) == sent


def test_a_busy_webhook_is_asked_again(receivers: Receivers) -> None:
    receivers.answers = [503, 429]
    notify(ended(), webhook="env:HOOK", required=True)
    assert len(receivers.posts) == 1


def test_secrets_may_be_files(receivers: Receivers, tmp_path: Path) -> None:
    (tmp_path / "hook").write_text(f"{receivers.webhook}\n")
    assert notify(ended(), webhook=f"file:{tmp_path / 'hook'}").sent == ["webhook"]


def test_what_is_not_delivered_fails_only_where_it_must(
    receivers: Receivers, capsys: pytest.CaptureFixture
) -> None:
    """And neither the error nor the log holds the address's secret part."""
    receivers.answers = [403, 403]
    with pytest.raises(ComponentError, match=r"webhook at 127\.0\.0\.1 did not .* 403") as raised:
        notify(ended(), webhook="env:HOOK", required=True)
    assert notify(ended(), webhook="env:HOOK").sent == []
    output = capsys.readouterr().out
    assert "train-model failed" in output
    assert PATH not in output + str(raised.value)


def test_a_mail_server_that_refuses_is_told_of(receivers: Receivers) -> None:
    receivers.refuses = "RCPT"
    with pytest.raises(ComponentError, match=r"mail server 127\.0\.0\.1 did not take it: SMTPRec"):
        mail(receivers)
    with pytest.raises(ComponentError, match="did not take it"):
        mail(receivers, smtp_security="starttls")  # which the server does not offer


def test_with_no_way_to_tell_the_log_has_it(capsys: pytest.CaptureFixture) -> None:
    assert notify(ended()).sent == []
    assert "train-model failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"when": "sometimes"}, "no occasion 'sometimes'; use one of: always, failure, success"),
        ({"webhook": "https://example.org/s3cret"}, "must name a secret"),
        ({"webhook": "s3cret"}, "must name a secret"),
        ({"webhook": "env:NOWHERE"}, "webhook: there is nothing in env:NOWHERE"),
        ({"webhook": "file:/nowhere"}, "file /nowhere cannot be read: No such file"),
        ({"mail_to": "ada"}, "'ada' is no e-mail address"),
        ({"mail_to": "ada@example.org"}, "'' is no e-mail address"),
        ({"mail_to": "a@b", "mail_from": "c@d"}, "e-mail needs smtp_host"),
        (
            {"mail_to": "a@b", "mail_from": "c@d", "smtp_host": "h", "smtp_security": "ssl"},
            "smtp_security is 'ssl'",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(given: dict, says: str) -> None:
    with pytest.raises(ComponentError, match=says) as raised:
        notify(ended(), **given)
    assert "s3cret" not in str(raised.value)
