"""What Artifact Analysis found in images, through Google's own client (the extra ``cloud``).

``CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINERANALYSIS`` names another endpoint, as for gcloud.
Reference: https://cloud.google.com/artifact-analysis/docs/reference/rest/v1/projects.occurrences.
"""

from __future__ import annotations

import contextlib
import enum
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from eggcrate.cloud.clients import credentials, load
from eggcrate.errors import RegistryError
from eggcrate.packages.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

ENDPOINT = "CLOUDSDK_API_ENDPOINT_OVERRIDES_CONTAINERANALYSIS"
NAME = "Artifact Analysis"
_PAGE = 1000
_PATIENCE = 120.0
_FIRST_PAUSE = 1.0
_FORBIDDEN = (
    "roles/containeranalysis.occurrences.viewer reads findings; enable "
    "containeranalysis.googleapis.com where the API is off"
)


class ScanState(enum.Enum):
    """How far an image was looked at. Only ``finished`` says that nothing else is known."""

    FINISHED = "finished"
    PENDING = "pending"
    SCANNING = "scanning"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    """Google cannot scan what is in it."""
    STALE = "stale"
    """It was scanned, and findings are not kept up to date any more."""
    NOT_SCANNED = "not-scanned"


_WHY = {
    ScanState.PENDING: "its scan has not begun: ask again, or with --wait",
    ScanState.SCANNING: "its scan is under way: ask again, or with --wait",
    ScanState.FAILED: "its scan failed",
    ScanState.UNSUPPORTED: "what is in it cannot be scanned",
    ScanState.STALE: "findings are not kept up to date: it was not pulled for 30 days; pull it",
    ScanState.NOT_SCANNED: "it was never scanned: eggcrate registry ensure turns scanning on, "
    "where containerscanning.googleapis.com is enabled; only what is pushed then is scanned",
}


@dataclass(frozen=True, kw_only=True)
class Issue:
    """A vulnerability of one package, as Google tells it."""

    id: str
    """Such as ``CVE-2026-1234``."""
    summary: str
    severity: Severity
    score: float | None
    """CVSS."""
    package: str
    version: str
    kind: str
    """``OS``, ``PYPI``, ``GO`` …"""
    fixed: str
    """Version without it; empty when there is none."""


@dataclass(frozen=True, kw_only=True)
class Scanned:
    """What is known of an image."""

    state: ScanState
    why: str = ""
    """Why it is not finished."""
    at: datetime | None = None
    issues: tuple[Issue, ...] = ()


class ArtifactAnalysis:
    """A connection to the API; a context manager.

    Args:
        environ: where the endpoint is looked up.
        patience: seconds to go on asking when the quota is used up or Google is not there.
        first_pause: seconds before it is asked again for the first time.

    Raises:
        ConfigError: the extra ``cloud`` is not installed, or there is no log-in.
    """

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        *,
        patience: float = _PATIENCE,
        first_pause: float = _FIRST_PAUSE,
    ) -> None:
        api, transports, self._grafeas, grafeas, self._errors, retries = load(
            NAME,
            "google.cloud.devtools.containeranalysis_v1",
            "google.cloud.devtools.containeranalysis_v1.services.container_analysis.transports",
            "grafeas.grafeas_v1",
            "grafeas.grafeas_v1.services.grafeas.transports",
            "google.api_core.exceptions",
            "google.api_core.retry",
        )
        endpoint = environ.get(ENDPOINT, "").rstrip("/")
        scheme, _, host = endpoint.rpartition("://")
        # Grafeas' client knows no host of its own; the API's gives its gRPC, never its REST.
        transport = grafeas.GrafeasRestTransport(
            host=host or api.ContainerAnalysisClient.DEFAULT_ENDPOINT,
            url_scheme=scheme or "https",
            credentials=credentials(
                NAME, endpoint, transports.ContainerAnalysisTransport.AUTH_SCOPES
            ),
        )
        self._client = self._grafeas.GrafeasClient(transport=transport)
        again = (
            self._errors.TooManyRequests,
            self._errors.ServiceUnavailable,
            self._errors.GatewayTimeout,
            self._errors.InternalServerError,
        )
        self._retry = retries.Retry(
            predicate=retries.if_exception_type(*again),
            initial=first_pause,
            maximum=20.0,
            timeout=patience,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.transport.close()

    def scanned(self, project: str, image: str) -> Scanned:
        """What is known of an image.

        Args:
            project: of Google Cloud.
            image: ``HOST/PATH@sha256:…``.

        Raises:
            RegistryError: nobody may read it, the quota is used up, or the API does not answer.
        """
        kinds = self._grafeas.NoteKind
        request = {
            "parent": f"projects/{project}",
            "filter": '(kind = "VULNERABILITY" OR kind = "DISCOVERY") AND '
            f'resourceUrl = "https://{image}"',
            "page_size": _PAGE,
        }
        with self._told(image):
            found = list(
                self._client.list_occurrences(request=request, retry=self._retry, timeout=60.0)
            )
        told = [one.discovery for one in found if one.kind == kinds.DISCOVERY]
        issues = [
            issue for one in found if one.kind == kinds.VULNERABILITY for issue in self._issues(one)
        ]
        state, why = self._state(told)
        return Scanned(
            state=state,
            why=why,
            at=max((one.last_scan_time for one in told if one.last_scan_time), default=None),
            issues=tuple(dict.fromkeys(issues)),
        )

    def _state(self, told: Sequence[Any]) -> tuple[ScanState, str]:
        """The worst that is told, and why that is no answer."""
        statuses = self._grafeas.DiscoveryOccurrence.AnalysisStatus
        words = {
            statuses.FINISHED_FAILED: ScanState.FAILED,
            statuses.FINISHED_UNSUPPORTED: ScanState.UNSUPPORTED,
            statuses.SCANNING: ScanState.SCANNING,
            statuses.PENDING: ScanState.PENDING,
            statuses.FINISHED_SUCCESS: ScanState.FINISHED,
        }
        # Other analyses, such as that for a list of packages, tell no status here.
        known = [one for one in told if one.analysis_status in words]
        for status, state in words.items():
            for one in known:
                if one.analysis_status == status:
                    return self._explained(state, one)
        return ScanState.NOT_SCANNED, _WHY[ScanState.NOT_SCANNED]

    def _explained(self, state: ScanState, one: Any) -> tuple[ScanState, str]:
        inactive = self._grafeas.DiscoveryOccurrence.ContinuousAnalysis.INACTIVE
        if state is ScanState.FINISHED and one.continuous_analysis == inactive:
            state = ScanState.STALE
        told = str(one.analysis_status_error.message) if one.analysis_status_error else ""
        why = _WHY.get(state, "")
        return state, f"{why}: {told}" if told and why else why

    def _issues(self, one: Any) -> Iterator[Issue]:
        """An occurrence is one vulnerability, of one package or of several."""
        told = one.vulnerability
        score = told.cvss_score or (told.cvssv3.base_score if told.cvssv3 else 0.0)
        for package in told.package_issue:
            yield Issue(
                id=str(one.note_name).rpartition("/")[2],
                summary=" ".join(str(told.short_description or told.long_description).split()),
                severity=self._severity(
                    package.effective_severity, told.effective_severity, told.severity
                ),
                score=round(float(score), 1) or None,
                package=str(package.affected_package),
                version=self._version(package.affected_version),
                kind=str(package.package_type) or "OS",
                fixed=self._version(package.fixed_version),
            )

    def _severity(self, *told: Any) -> Severity:
        """The first that is known; a distribution's own counts more than the database's."""
        levels = self._grafeas.Severity
        words = {
            levels.MINIMAL: Severity.LOW,
            levels.LOW: Severity.LOW,
            levels.MEDIUM: Severity.MEDIUM,
            levels.HIGH: Severity.HIGH,
            levels.CRITICAL: Severity.CRITICAL,
        }
        return next((words[one] for one in told if one in words), Severity.UNKNOWN)

    def _version(self, told: Any) -> str:
        """A version as its ecosystem writes it; empty for the end of all versions: no fix."""
        if not told or told.kind != self._grafeas.Version.VersionKind.NORMAL:
            return ""
        if told.full_name:
            return str(told.full_name)
        epoch = f"{told.epoch}:" if told.epoch else ""
        return f"{epoch}{told.name}" + (f"-{told.revision}" if told.revision else "")

    @contextlib.contextmanager
    def _told(self, image: str) -> Iterator[None]:
        try:
            yield
        except (self._errors.GoogleAPIError, OSError) as error:
            # Of a time that ran out the cause tells more.
            cause = getattr(error, "cause", None) or error
            why = str(getattr(cause, "message", "") or cause)
            hint = _FORBIDDEN if isinstance(cause, self._errors.Forbidden) else ""
            if isinstance(cause, self._errors.TooManyRequests):
                hint = "the project's quota of requests a minute is used up: try again later"
            raise RegistryError(
                f"{NAME} does not tell what is in {image}", why=why, hint=hint
            ) from error
