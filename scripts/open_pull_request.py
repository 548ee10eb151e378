"""Open a pull request on GitHub, with build/impact.md as its text; leave one that is open.

open_pull_request.py REMOTE BRANCH BASE TITLE, with a token in FORGE_TOKEN. It needs Python alone.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

LONGEST = 60_000
"""GitHub takes 65,536 characters."""


def main(remote: str, branch: str, base: str, title: str) -> int:
    """Ask GitHub; the exit code."""
    place = urllib.parse.urlsplit(remote)
    host = (
        "https://api.github.com"
        if place.netloc == "github.com"
        else f"https://{place.netloc}/api/v3"
    )
    api = os.environ.get("GITHUB_API_URL") or host
    owner, name = place.path.removesuffix(".git").strip("/").split("/")[-2:]
    report = Path("build/impact.md")
    body = report.read_text(encoding="utf-8")[:LONGEST] if report.is_file() else title
    request = urllib.request.Request(  # noqa: S310 - the forge's own address
        f"{api}/repos/{owner}/{name}/pulls",
        data=json.dumps({"title": title, "head": branch, "base": base, "body": body}).encode(),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {os.environ['FORGE_TOKEN']}",
            "Content-Type": "application/json",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
            print(f"opened {json.load(answer)['html_url']}")
    except urllib.error.HTTPError as error:
        told = error.read().decode(errors="replace")
        if error.code == 422 and "already exists" in told:  # noqa: PLR2004 - unprocessable
            print("its pull request is open already")
            return 0
        print(f"no pull request: {error.code} {told[:500]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
