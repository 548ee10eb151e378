"""Which pull or merge request a CI job is about: what GitHub and GitLab tell in variables.

https://docs.github.com/en/actions/reference/workflows-and-actions/variables and
https://docs.gitlab.com/ci/variables/predefined_variables/.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from eggcrate.errors import UsageError
from eggcrate.parsing import json_of
from eggcrate.repo.forge import Forge

if TYPE_CHECKING:
    from collections.abc import Mapping

_PULL = re.compile(r"refs/pull/(\d+)/")


def github(environ: Mapping[str, str], *, repository: str = "", number: int | None = None) -> Forge:
    """GitHub's, or GitHub Enterprise's.

    Args:
        environ: ``GITHUB_API_URL``, ``GITHUB_REPOSITORY``, ``GITHUB_REF``,
            ``GITHUB_EVENT_PATH``, and ``GITHUB_TOKEN`` or ``GH_TOKEN``.
        repository: ``owner/name``, instead.
        number: of the pull request, instead.

    Raises:
        UsageError: something is told nowhere.
    """
    api = environ.get("GITHUB_API_URL", "").rstrip("/")
    repository = repository or environ.get("GITHUB_REPOSITORY", "")
    number = number or _pull_request(environ)
    token = environ.get("GITHUB_TOKEN") or environ.get("GH_TOKEN") or ""
    _told(
        "GitHub",
        {
            "the API's address (GITHUB_API_URL)": api,
            "the repository (GITHUB_REPOSITORY, --repository OWNER/NAME)": repository,
            "the pull request (--number)": number,
            "a token (GITHUB_TOKEN)": token,
        },
    )
    base = f"{api}/repos/{quote(repository)}/issues"
    return Forge(
        name="GitHub",
        request=f"pull request {number} of {repository}",
        comments=f"{base}/{number}/comments",
        comment=f"{base}/comments/{{id}}",
        change="PATCH",
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "X-GitHub-Api-Version": "2022-11-28",
        },
        permission="the job needs `permissions: pull-requests: write`; jobs of forks have no such "
        "token: post from a workflow_run",
    )


def gitlab(environ: Mapping[str, str], *, repository: str = "", number: int | None = None) -> Forge:
    """GitLab's.

    Args:
        environ: ``CI_API_V4_URL``, ``CI_MERGE_REQUEST_PROJECT_ID`` or ``CI_PROJECT_ID``,
            ``CI_MERGE_REQUEST_IID``, and ``GITLAB_TOKEN``.
        repository: ``group/name`` or the project's number, instead.
        number: of the merge request in its project, instead.

    Raises:
        UsageError: something is told nowhere.
    """
    api = environ.get("CI_API_V4_URL", "").rstrip("/")
    told = environ.get("CI_MERGE_REQUEST_IID", "")
    number = number or (int(told) if told.isdigit() else None)
    project = (
        repository or environ.get("CI_MERGE_REQUEST_PROJECT_ID") or environ.get("CI_PROJECT_ID", "")
    )
    token = environ.get("GITLAB_TOKEN", "")
    _told(
        "GitLab",
        {
            "the API's address (CI_API_V4_URL)": api,
            "the project (CI_PROJECT_ID, --repository GROUP/NAME)": project,
            "the merge request (CI_MERGE_REQUEST_IID, --number)": number,
            "a token (GITLAB_TOKEN; a job's own may not comment)": token,
        },
    )
    base = f"{api}/projects/{quote(project, safe='')}/merge_requests/{number}/notes"
    return Forge(
        name="GitLab",
        request=f"merge request {number} of {project}",
        comments=base,
        comment=f"{base}/{{id}}",
        change="PUT",
        headers={"PRIVATE-TOKEN": token},
        permission="GITLAB_TOKEN must be a project's or group's access token with the scope api "
        "and the role Reporter or more",
    )


def _pull_request(environ: Mapping[str, str]) -> int | None:
    """Its number, by the reference that was checked out or the event that started the job."""
    if match := _PULL.match(environ.get("GITHUB_REF", "")):
        return int(match[1])
    try:
        event = json_of(Path(environ["GITHUB_EVENT_PATH"]).read_bytes())
        return int((event.get("pull_request") or event.get("issue") or event)["number"])
    except (KeyError, OSError, ValueError, TypeError, AttributeError):
        return None


def _told(forge: str, facts: Mapping[str, object]) -> None:
    missing = [name for name, value in facts.items() if not value]
    if missing:
        raise UsageError(
            f"{forge} cannot be asked: {', '.join(missing)} is told nowhere"
            if len(missing) == 1
            else f"{forge} cannot be asked: these are told nowhere: {'; '.join(missing)}",
            hint="a CI job of it sets most of these; elsewhere set them by hand",
        )
