"""What a trigger or a person gives a build that runs here."""

from __future__ import annotations

import enum
import re
from pathlib import Path
from typing import TYPE_CHECKING

from docker.types import Mount

from eggcrate.cloud.substitutions import substitute
from eggcrate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from eggcrate.cloud.build_file import BuildFile
    from eggcrate.cloud.substitutions import Substituted
    from eggcrate.cloud.workspace import Source

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
REGISTRY, PUSH = "_REGISTRY", "_PUSH"
"""Substitutions that this repository's file has: where images go, and whether any do."""


class Trigger(enum.Enum):
    """Whose build it is."""

    PULL_REQUEST = "pull request"
    MAIN = "main branch"


def prepared(
    build: BuildFile,
    source: Source,
    trigger: Trigger,
    given: Mapping[str, str],
    *,
    build_id: str,
    project: str,
    base: str,
) -> Substituted:
    """The build with the substitutions that Cloud Build would give it.

    Args:
        build: as it is written.
        source: what is built.
        trigger: whose build it is.
        given: of the command line; wins.
        build_id: of this build.
        project: of Google Cloud; only a name here.
        base: the branch that a pull request goes to, and what the main branch is called.

    Raises:
        ConfigError: the file's substitutions are not right; with the line.
        UsageError: one is given that cannot be.
    """
    main = trigger is Trigger.MAIN
    branch = base if main else source.branch or "change"
    account = f"ci-local@{project}.iam.gserviceaccount.com"
    built_in = {
        "PROJECT_ID": project,
        "PROJECT_NUMBER": "0",
        "LOCATION": "global",
        "BUILD_ID": build_id,
        "TRIGGER_NAME": "ci-local",
        "COMMIT_SHA": source.commit,
        "REVISION_ID": source.commit,
        "SHORT_SHA": source.commit[:7],
        "REPO_NAME": source.repository,
        "REPO_FULL_NAME": f"local/{source.repository}",
        "BRANCH_NAME": branch,
        "REF_NAME": branch,
        "TRIGGER_BUILD_CONFIG_PATH": build.path.name,
        "SERVICE_ACCOUNT_EMAIL": account,
        "SERVICE_ACCOUNT": f"projects/{project}/serviceAccounts/{account}",
    }
    told: dict[str, str] = {"_BASE_BRANCH": base}
    if not main:
        told |= {"_HEAD_BRANCH": branch, "_PR_NUMBER": "1"}
    if PUSH in build.substitutions:
        told[PUSH] = "true" if main else "false"
    return substitute(build, built_in=built_in, given={**told, **given})


def pairs(texts: Iterable[str], what: str) -> dict[str, str]:
    """``NAME=VALUE`` each.

    Raises:
        UsageError: one has no ``=``.
    """
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UsageError(f"{text!r} is no {what}", hint="write NAME=VALUE")
        found[name] = value
    return found


def variables(texts: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    """``NAME=VALUE`` each, or ``NAME`` for our own value; names that are not set are left out.

    Raises:
        UsageError: one is no name.
    """
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not _VARIABLE.fullmatch(name):
            raise UsageError(f"{text!r} is no variable", hint="write NAME=VALUE, or NAME")
        if sign or name in environ:
            found[name] = value if sign else environ[name]
    return found


def mounts(texts: Iterable[str]) -> list[Mount]:
    """``HERE:INSIDE`` or ``HERE:INSIDE:ro`` each.

    Raises:
        UsageError: one is not, or there is nothing at its path here.
    """
    found = []
    for text in texts:
        here, _, rest = text.partition(":")
        inside, _, mode = rest.partition(":")
        path = Path(here).expanduser()
        if not inside.startswith("/") or mode not in ("", "ro") or not path.exists():
            raise UsageError(
                f"{text!r} cannot be mounted",
                why="" if path.exists() else f"there is no {path}",
                hint="write HERE:INSIDE or HERE:INSIDE:ro, INSIDE an absolute path",
            )
        found.append(
            Mount(target=inside, source=str(path.resolve()), type="bind", read_only=mode == "ro")
        )
    return found
