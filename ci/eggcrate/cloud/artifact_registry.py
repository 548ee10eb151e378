"""Artifact Registry through Google's own client (the extra ``cloud``).

``CLOUDSDK_API_ENDPOINT_OVERRIDES_ARTIFACTREGISTRY`` names another endpoint, as for gcloud; over
plain HTTP, which only this machine may be, nobody logs in.
"""

from __future__ import annotations

import contextlib
import enum
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from eggcrate.cloud.clients import load, opened
from eggcrate.cloud.inventory import Seen
from eggcrate.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from eggcrate.cloud.inventory import Name

NAME = "Artifact Registry"
ENDPOINT = "CLOUDSDK_API_ENDPOINT_OVERRIDES_ARTIFACTREGISTRY"
_PREFIX = re.compile(
    r"(?P<location>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>[^/]+)/(?P<repository>[^/]+)(?P<path>/.*)?"
)
_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_PAGE = 1000
_PATIENCE = 120.0


class Outcome(enum.Enum):
    """What became of a repository."""

    CREATE = "create"
    CREATED = "created"
    UPDATE = "update"
    UPDATED = "updated"
    UP_TO_DATE = "up-to-date"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A repository of Artifact Registry."""

    location: str
    project: str
    repository: str
    path: str = ""
    """Below which images are, in it."""

    @classmethod
    def parse(cls, prefix: str) -> Place | None:
        """The repository that a registry's prefix is in; ``None`` when it is none of Google's."""
        match = _PREFIX.fullmatch(prefix)
        if not match:
            return None
        path = (match["path"] or "").strip("/")
        return cls(
            location=match["location"],
            project=match["project"],
            repository=match["repository"],
            path=path,
        )

    @property
    def parent(self) -> str:
        """What repositories are made in."""
        return f"projects/{self.project}/locations/{self.location}"

    @property
    def resource(self) -> str:
        """Its name in the API."""
        return f"{self.parent}/repositories/{self.repository}"


@dataclass(frozen=True, kw_only=True)
class Ensured:
    """A repository that is as it should be, or would be made so."""

    place: Place
    outcome: Outcome
    changes: tuple[str, ...] = ()
    immutable: bool
    """Whether tags can be moved to no other image."""
    scanning: str
    """What Google says of it: ``active``, ``disabled`` or ``unsupported``; else empty."""
    why: str = ""
    """Why it is so, in Google's words."""


class ArtifactRegistry:
    """A connection to the API; a context manager.

    Args:
        environ: where the endpoint is looked up.

    Raises:
        ConfigError: the extra ``cloud`` is not installed, or there is no log-in.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._api, self._errors = load(
            NAME, "google.cloud.artifactregistry_v1", "google.api_core.exceptions"
        )
        endpoint = environ.get(ENDPOINT, "").rstrip("/")
        self._client = opened(self._api.ArtifactRegistryClient, NAME, endpoint, _SCOPES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.transport.close()

    def images(self, place: Place) -> dict[Name, Seen]:
        """Every manifest, by image and digest; names are relative to the place's path.

        Raises:
            RegistryError: the repository is not there, or nobody may list it.
        """
        start = f"{place.location}-docker.pkg.dev/{place.project}/{place.repository}/"
        start += f"{place.path}/" if place.path else ""
        found: dict[Name, Seen] = {}
        with self._told(place, "list"):
            request = {"parent": place.resource, "page_size": _PAGE}
            for item in self._client.list_docker_images(request=request, timeout=_PATIENCE):
                name, _, digest = str(item.uri).rpartition("@")
                if name.startswith(start):
                    uploaded = item.upload_time or None
                    seen = Seen(tags=tuple(item.tags), uploaded=uploaded)
                    found[name.removeprefix(start), digest] = seen
        return found

    def delete(self, place: Place, name: str, digest: str) -> bool:
        """Delete a manifest and the tags that stand for it; false when there was none.

        Over the registry's own protocol Google refuses to delete what has a tag.

        Raises:
            RegistryError: nobody may, or an index that stays names it.
        """
        package = quote(f"{place.path}/{name}".strip("/"), safe="")
        version = f"{place.resource}/packages/{package}/versions/{digest}"
        with self._told(place, f"delete {name}@{digest} of"):
            try:
                operation = self._client.delete_version(
                    request={"name": version, "force": True}, timeout=_PATIENCE
                )
                operation.result(timeout=_PATIENCE)
            except self._errors.NotFound:
                return False
        return True

    def ensure(
        self, place: Place, *, immutable: bool, scanning: bool, dry_run: bool = False
    ) -> Ensured:
        """Have a repository of images, with these settings.

        Args:
            place: where.
            immutable: tags can be moved to no other image.
            scanning: Google looks for vulnerabilities, where the project's API allows it.
            dry_run: change nothing.

        Raises:
            RegistryError: it is of another format, or may not be made or changed.
        """
        wanted = self._repository(place, immutable=immutable, scanning=scanning)
        changes: tuple[str, ...] = ()
        outcome = Outcome.UP_TO_DATE
        with self._told(place, "make"):
            try:
                now = self._client.get_repository(name=place.resource, timeout=_PATIENCE)
            except self._errors.NotFound:
                now = wanted if dry_run else self._create(place, wanted)
                outcome = Outcome.CREATE if dry_run else Outcome.CREATED
                return self._ensured(place, outcome, now, immutable=immutable)
            if now.format_ != self._api.Repository.Format.DOCKER:
                raise RegistryError(
                    f"{place.resource} holds {now.format_.name}, not images",
                    hint="choose another name",
                )
            if changes := self._changes(now, immutable=immutable, scanning=scanning):
                outcome = Outcome.UPDATE if dry_run else Outcome.UPDATED
                if not dry_run:
                    now = self._client.update_repository(
                        request={"repository": wanted, "update_mask": {"paths": list(changes)}},
                        timeout=_PATIENCE,
                    )
        return self._ensured(place, outcome, now, immutable=immutable, changes=changes)

    def _create(self, place: Place, wanted: Any) -> Any:
        operation = self._client.create_repository(
            parent=place.parent,
            repository_id=place.repository,
            repository=wanted,
            timeout=_PATIENCE,
        )
        with contextlib.suppress(self._errors.AlreadyExists):  # somebody else made it meanwhile
            return operation.result(timeout=_PATIENCE)
        return self._client.get_repository(name=place.resource, timeout=_PATIENCE)

    def _ensured(
        self,
        place: Place,
        outcome: Outcome,
        now: Any,
        *,
        immutable: bool,
        changes: tuple[str, ...] = (),
    ) -> Ensured:
        told = now.vulnerability_scanning_config
        states = self._api.Repository.VulnerabilityScanningConfig.EnablementState
        words = {
            states.SCANNING_ACTIVE: "active",
            states.SCANNING_DISABLED: "disabled",
            states.SCANNING_UNSUPPORTED: "unsupported",
        }
        return Ensured(
            place=place,
            outcome=outcome,
            changes=changes,
            immutable=immutable,
            scanning=words.get(told.enablement_state, ""),
            why=str(told.enablement_state_reason),
        )

    def _repository(self, place: Place, *, immutable: bool, scanning: bool) -> Any:
        kinds = self._api.Repository.VulnerabilityScanningConfig.EnablementConfig
        return self._api.Repository(
            name=place.resource,
            format_=self._api.Repository.Format.DOCKER,
            description="Images made by Eggcrate",
            docker_config={"immutable_tags": immutable},
            vulnerability_scanning_config={
                "enablement_config": kinds.INHERITED if scanning else kinds.DISABLED
            },
        )

    def _changes(self, now: Any, *, immutable: bool, scanning: bool) -> tuple[str, ...]:
        kinds = self._api.Repository.VulnerabilityScanningConfig.EnablementConfig
        disabled = now.vulnerability_scanning_config.enablement_config == kinds.DISABLED
        found = []
        if bool(now.docker_config.immutable_tags) != immutable:
            found.append("docker_config")
        if disabled == scanning:
            found.append("vulnerability_scanning_config")
        return tuple(found)

    @contextlib.contextmanager
    def _told(self, place: Place, what: str) -> Iterator[None]:
        try:
            yield
        except self._errors.GoogleAPIError as error:
            denied = isinstance(error, self._errors.Forbidden)
            raise RegistryError(
                f"Artifact Registry does not {what} {place.resource}",
                why=str(getattr(error, "message", "") or error),
                hint="roles/artifactregistry.admin makes repositories, .reader lists them"
                if denied
                else "",
            ) from error
