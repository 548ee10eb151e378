"""Logs of builds from Cloud Logging, by its REST interface: its client would be a heavy guest.

``CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING`` names another endpoint, as for gcloud.
Specification: https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import httpx2

from eggcrate.errors import CloudBuildError
from eggcrate.parsing import json_of
from eggcrate.registry.google import access_token

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDPOINT = "CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING"
_HERE = "https://logging.googleapis.com"
_PAGE, _PAGES = 1000, 50
_TIMEOUT = 30


def read_log(project: str, build_id: str, environ: Mapping[str, str] = os.environ) -> str:
    """The lines of a build's log, as far as they have arrived.

    Raises:
        CloudBuildError: they cannot be read.
        AccessDeniedError: the log-in has ended.
    """
    endpoint = environ.get(ENDPOINT, "").rstrip("/") or _HERE
    token = "" if endpoint.startswith("http://") else access_token()
    asked: dict[str, Any] = {
        "resourceNames": [f"projects/{project}"],
        "filter": f'resource.type="build" AND resource.labels.build_id="{build_id}"',
        "orderBy": "timestamp asc",
        "pageSize": _PAGE,
    }
    lines: list[str] = []
    with httpx2.Client(timeout=_TIMEOUT) as client:
        for _ in range(_PAGES):
            answer = _asked(client, f"{endpoint}/v2/entries:list", token, asked)
            lines += [str(one.get("textPayload", "")) for one in answer.get("entries", ())]
            if not (more := answer.get("nextPageToken")):
                break
            asked["pageToken"] = more
    return "".join(f"{line}\n" for line in lines)


def _asked(client: httpx2.Client, url: str, token: str, asked: dict[str, Any]) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        answer = client.post(url, json=asked, headers=headers)
        answer.raise_for_status()
        found = json_of(answer.content)
    except (httpx2.HTTPError, ValueError) as error:
        raise CloudBuildError(
            "Cloud Logging does not give the log",
            why=str(error).splitlines()[0] or type(error).__name__,
            hint="the account of the build needs roles/logging.viewer",
        ) from error
    return found if isinstance(found, dict) else {}
