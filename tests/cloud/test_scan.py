"""``eggcrate registry scan``: Google's own client, a fake API, and a real registry of images."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from cloud.conftest import publish
from eggcrate.cli import registry_scan
from eggcrate.cloud.artifact_analysis import ENDPOINT, ArtifactAnalysis, Scanned, ScanState
from eggcrate.cloud.artifact_registry import Place
from eggcrate.cloud.scan import Scan
from eggcrate.errors import RegistryError
from eggcrate.packages.severity import Severity
from support.artifact_analysis_server import artifact_analysis_server, discovery, issue
from support.matrix import add_component
from support.planning import package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from eggcrate.registry.remote import Remote
    from support.artifact_analysis_server import ArtifactAnalysisServer
    from support.repository import Repository

    Run = Callable[..., Any]

IMAGE = "europe-west4-docker.pkg.dev/acme/eggs/one@sha256:" + "1" * 64


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ArtifactAnalysisServer]:
    pytest.importorskip("grafeas.grafeas_v1", reason="run `make setup-all`")
    with artifact_analysis_server() as server:
        monkeypatch.setenv(ENDPOINT, server.endpoint)
        yield server


@pytest.fixture
def published(
    api: ArtifactAnalysisServer,
    repository: Repository,
    remote: Remote,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, str]:
    """Images by ``NAME PLATFORM``, as the API names them, in a registry that it says is Google's.

    All of them are scanned, and nothing is found.
    """
    place = Place(location="europe-west4", project="acme", repository="eggs")
    monkeypatch.setattr(registry_scan, "_place", lambda _: place)
    add_component(repository, "uses_six", needs=("six",))
    add_component(repository, "needs_more", needs=("six>=9",))
    images = {
        name: remote.image(name.partition(" ")[0], digest)
        for name, digest in publish(repository, run).items()
    }
    for image in images.values():
        api.scanned(image)
    return images


def scanned(image: str = IMAGE) -> Scanned:
    with ArtifactAnalysis(first_pause=0.01, patience=1.0) as client:
        return client.scanned("acme", image)


def test_findings_come_over_pages_with_their_fixes(api: ArtifactAnalysisServer) -> None:
    """Severity is the distribution's own, no fix is told as none, and repeats are told once."""
    api.scanned(
        IMAGE,
        issue("CVE-1", "glibc", "2.36-9", fixed="2.36-10", severity="MINIMAL"),
        issue("CVE-2", "openssl", "3.0"),
        issue("CVE-2", "openssl", "3.0"),
        issue("CVE-3", "six", "1.0", fixed="1.1", severity="SEVERITY_UNSPECIFIED", kind="PYPI"),
        issue("CVE-4", "zlib", "1.2", severity="SEVERITY_UNSPECIFIED", general=""),
    )
    found = scanned()
    assert (found.state, found.at.year if found.at else 0) == (ScanState.FINISHED, 2029)
    assert len(api.asked) == 3
    assert [(one.id, one.fixed, one.severity, one.kind) for one in found.issues] == [
        ("CVE-1", "2.36-10", Severity.LOW, "OS"),
        ("CVE-2", "", Severity.HIGH, "OS"),
        ("CVE-3", "1.1", Severity.CRITICAL, "PYPI"),
        ("CVE-4", "", Severity.UNKNOWN, "OS"),
    ]
    assert {one.score for one in found.issues} == {7.5}


@pytest.mark.parametrize(
    ("told", "state", "why"),
    [
        ([], ScanState.NOT_SCANNED, "never scanned"),
        ([discovery("ANALYSIS_STATUS_UNSPECIFIED")], ScanState.NOT_SCANNED, "never scanned"),
        ([discovery("PENDING")], ScanState.PENDING, "has not begun"),
        ([discovery("SCANNING")], ScanState.SCANNING, "under way"),
        ([discovery("FINISHED_FAILED", error="no space")], ScanState.FAILED, "failed: no space"),
        ([discovery("FINISHED_UNSUPPORTED")], ScanState.UNSUPPORTED, "cannot be scanned"),
        (
            [discovery("FINISHED_SUCCESS", continuous="INACTIVE")],
            ScanState.STALE,
            "not kept up to date",
        ),
        ([discovery("FINISHED_SUCCESS"), discovery("SCANNING")], ScanState.SCANNING, "under way"),
        ([discovery("FINISHED_SUCCESS")], ScanState.FINISHED, ""),
    ],
    ids=lambda value: value.value if isinstance(value, ScanState) else "",
)
def test_only_a_finished_scan_says_that_there_is_nothing(
    api: ArtifactAnalysisServer, told: list[dict[str, Any]], state: ScanState, why: str
) -> None:
    """All other states are told as what they are, with a reason."""
    api.occurrences[IMAGE] = told
    found = scanned()
    assert found.state is state
    assert why in found.why
    assert bool(found.why) is (state is not ScanState.FINISHED)


def test_a_quota_is_waited_for_and_a_denial_is_not(api: ArtifactAnalysisServer) -> None:
    """A used-up quota is an error in the end; both say what to do."""
    api.scanned(IMAGE)
    api.refusals = [(429, "slow down"), (503, "not now"), (429, "slow down")]
    assert scanned().state is ScanState.FINISHED
    api.always = (429, "Quota exceeded for requests a minute")
    with pytest.raises(RegistryError, match="does not tell") as caught:
        scanned()
    assert "Quota exceeded" in caught.value.why
    assert "quota" in caught.value.hint
    api.always = (403, "the API is disabled")
    with pytest.raises(RegistryError) as caught:
        scanned()
    assert "occurrences.viewer" in caught.value.hint
    api.always = (500, "broken")
    with pytest.raises(RegistryError, match="does not tell"):
        scanned()


def test_no_image_is_no_good_news() -> None:
    """A gate over nothing stays closed."""
    assert not Scan(images=()).good(Severity.CRITICAL, fixable=True)


def test_images_in_use_are_judged_with_whom_they_reach(
    api: ArtifactAnalysisServer, published: dict[str, str], run: Run
) -> None:
    """Environment, component, the way to the package, the fix; and the gate of each severity."""
    told = run("registry", "scan", "--json")
    assert told["good"] is True
    assert {one["name"] for one in told["images"]} == {"one", "both"}
    assert len(told["images"]) == 3
    assert {one["state"] for one in told["images"]} == {"finished"}
    api.scanned(
        published["one linux/amd64"],
        issue("CVE-2029-1", "glibc", "2.36", severity="MEDIUM"),
        issue("CVE-2029-2", "Six", "1.0", fixed="1.16", severity="CRITICAL", kind="PYPI"),
        issue("CVE-2029-3", "golang.org/x/net", "0.1", severity="LOW", kind="GO"),
    )
    told = run("registry", "scan", "--json", code=1)
    found = {one["id"]: one for one in told["findings"]}
    assert list(found) == ["CVE-2029-2", "CVE-2029-1", "CVE-2029-3"]
    six = found["CVE-2029-2"]
    assert (six["package"], six["kind"], six["fixed"]) == ("six", "python", ["1.16"])
    assert (six["components"], six["through"]) == (["uses_six"], ["six"])
    assert six["image"].startswith("one@sha256:")
    assert (found["CVE-2029-3"]["kind"], found["CVE-2029-1"]["kind"]) == ("other", "debian")
    assert run("registry", "scan", "both", "--json")["findings"] == []
    assert "CVE-2029-1" in run("registry", "scan", "one", "--fail-on", "critical", code=1)
    api.occurrences[published["one linux/amd64"]].pop(2)
    text = run("registry", "scan", "--fail-on", "high")
    assert "3 images: 0 findings are high or worse, 0 images are not known" in text
    assert "0 findings are low or worse that have a fix" in run("registry", "scan", "--fixable")
    api.always = (403, "no")
    assert "does not tell what is in" in run("registry", "scan", code=1)


def test_exceptions_are_those_of_an_audit(
    api: ArtifactAnalysisServer, published: dict[str, str], repository: Repository, run: Run
) -> None:
    """With a reason and an end; one that is over is told and excuses nothing."""
    api.scanned(published["one linux/amd64"], issue("CVE-2029-1", "glibc", "2.36"))
    day = datetime.now(UTC).date()
    entry = (
        '\n[[tool.eggcrate.exceptions]]\nrule = "vulnerability"\nid = "cve-2029-1"\n'
        'package = "glibc"\nreason = "not reachable"\nuntil = {}\n'
    )
    path = repository.root / "environments" / "one" / "pyproject.toml"
    before = path.read_text()
    path.write_text(before + entry.format(day))
    text = run("registry", "scan")
    assert f"CVE-2029-1 is excused until {day}: not reachable" in text
    path.write_text(before + entry.format(day - timedelta(days=1)))
    text = run("registry", "scan", code=1)
    assert "the exception for CVE-2029-1 ended on" in text


def test_what_is_not_known_fails_and_can_be_waited_for(
    api: ArtifactAnalysisServer, published: dict[str, str], run: Run
) -> None:
    """Even where nothing was found; with --wait it is asked again until it is known."""
    api.scanned(published["one linux/amd64"], status="SCANNING")
    told = run("registry", "scan", "--json", code=1)
    assert (told["good"], told["findings"]) == (False, [])
    assert "not known: one@" in run("registry", "scan", "--fail-on", "critical", code=1)
    api.begins = len(api.asked) + 4
    assert run("registry", "scan", "--wait", "8", "--json")["good"] is True


def test_one_image_can_be_named(
    api: ArtifactAnalysisServer,
    published: dict[str, str],
    repository: Repository,
    remote: Remote,
    run: Run,
) -> None:
    """By tag or digest, in use or not; a name that stands for nothing is a mistake."""
    digest = published["one linux/amd64"].partition("@")[2]
    api.scanned(published["one linux/amd64"], issue("CVE-2029-1", "glibc", "2.36"))
    repository.environment("one", (package("six", "2.0"),))
    told = run("registry", "scan", f"one@{digest}", "--json", code=1)
    assert [one["id"] for one in told["findings"]] == ["CVE-2029-1"]
    assert "no image of one is in use" in run("registry", "scan", "one", code=2)
    assert run("registry", "scan", f"both@{remote.tags('both')[0]}", "--json")["good"]
    assert "there is no environment" in run("registry", "scan", "oen", code=2)
    run("registry", "scan", "one@nothing", code=1)


def test_elsewhere_google_scans_nothing(run: Run) -> None:
    """A registry that is not Google's is told at once, with what judges its images."""
    assert "eggcrate audit" in run("registry", "scan", code=2)
