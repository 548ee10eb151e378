"""A child build as the API's JSON: where its source comes from, and what its steps say."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from eggcrate.cloud.division import Why
from eggcrate.cloud.fleet import ANY
from eggcrate.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from eggcrate.cloud.division import Share

BUILDER = "python:3.11"
_GCS = re.compile(r"gs://(?P<bucket>[^/]+)/(?P<object>[^#]+)(?:#(?P<generation>[0-9]+))?")
_CONNECTED = re.compile(
    r"(?P<repository>projects/[^/]+/locations/[^/]+/connections/[^/]+/repositories/[^/@]+)"
    r"@(?P<revision>[^@]+)"
)
_GIT = re.compile(r"(?P<url>(?:https|ssh)://.+|git@.+)@(?P<revision>[^@:]+)")
_SOURCES = ("storageSource", "repoSource", "gitSource", "connectedRepository")
_TAG = re.compile(r"[^\w.-]")
_TAGS, _TAG_LENGTH = 60, 128
_HOUR = 3600.0
_LEAST = 60.0
_OPTIONS = (
    *(
        "machineType",
        "diskSizeGb",
        "pool",
        "workerPool",
        "logging",
        "secretEnv",
        "env",
        "dynamicSubstitutions",
    ),
    *("defaultLogsBucketBehavior", "enableStructuredLogging"),
)
_CELLS_END = "EGGCRATE_CELLS"


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """What all children of a parent have in common."""

    parent: str
    """The build or the run by hand that they belong to."""
    run: str
    """Tells this command from all others of the same parent."""
    build: str = ""
    """The parent's name in the API, when it is a build itself: its children end with it."""
    source: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    """Account, secrets, bucket of logs: fields of the build as they are."""
    substitutions: Mapping[str, str] = field(default_factory=dict)
    builder: str = BUILDER
    timeout: float = _HOUR
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of every step, in addition."""
    emulator: str = ""
    """Image that teaches the machine other architectures."""

    @property
    def tag(self) -> str:
        """That all children of this command have, and no other build."""
        return f"eggcrate-run-{self.run}"


def source_of(text: str) -> dict[str, Any]:
    """Read where the source of children is.

    Raises:
        UsageError: it is of no known form.
    """
    if match := _GCS.fullmatch(text):
        known = {name: value for name, value in match.groupdict().items() if value}
        return {"storageSource": known}
    if match := _CONNECTED.fullmatch(text):
        return {"connectedRepository": match.groupdict()}
    if match := _GIT.fullmatch(text):
        return {"gitSource": match.groupdict()}
    raise UsageError(
        f"--source {text} is none that a build can have",
        hint="write gs://BUCKET/OBJECT, the name of a connected repository with @REVISION, "
        "or https://HOST/PATH.git@REVISION",
    )


def resolved_source(build: Mapping[str, Any]) -> dict[str, Any]:
    """The source of a build, at the very commit or object that it got.

    Raises:
        ConfigError: it has none that another build could have.
    """
    wanted = build.get("source", {})
    got = build.get("sourceProvenance", {})
    for kind in _SOURCES:
        if kind in wanted:
            resolved = got.get(f"resolved{kind[0].upper()}{kind[1:]}", {})
            return {kind: {**wanted[kind], **resolved}}
    raise ConfigError(
        f"build {build.get('id', '')} has no source that a child build could have",
        why=f"its source is {', '.join(wanted) or 'nothing'}",
        hint="name one: --source",
    )


def pattern_of(
    build: Mapping[str, Any],
    *,
    name: str,
    parent: str,
    run: str,
    now: datetime,
    source: Mapping[str, Any] | None = None,
    builder: str = "",
    variables: Mapping[str, str] | None = None,
    emulator: str = "",
) -> Pattern:
    """What children have of a build that they are to be like.

    Args:
        build: as the API's JSON writes it.
        name: of the build that they end with; empty where it is only an example.
        parent: the build or the run by hand that they belong to.
        run: tells this command from all others of the same parent.
        now: the time; children have what is left of the parent's.
        source: instead of the build's own.
        builder: image of the steps instead of the first step's.
        variables: of every step, in addition.
        emulator: see :class:`Pattern`.
    """
    timeout = float(str(build.get("timeout", "3600s")).removesuffix("s"))
    started = build.get("startTime") if name else None
    if started:
        timeout -= (now - datetime.fromisoformat(_whole(started))).total_seconds()
    steps = build.get("steps", [])
    options = build.get("options", {})
    kept = ("serviceAccount", "logsBucket")
    return Pattern(
        parent=parent,
        run=run,
        build=name,
        source=source or resolved_source(build),
        options={name: options[name] for name in _OPTIONS if name in options},
        more={name: build[name] for name in kept if name in build} | _secrets(build),
        substitutions={
            name: value
            for name, value in build.get("substitutions", {}).items()
            if name.startswith("_")
        },
        builder=builder or (steps[0]["name"] if steps else BUILDER),
        timeout=max(_LEAST, timeout),
        variables=variables or {},
        emulator=emulator,
    )


def _secrets(build: Mapping[str, Any]) -> dict[str, Any]:
    """The secrets that all steps have; one that no step had would be refused."""
    wanted = set(build.get("options", {}).get("secretEnv", ()))
    told = build.get("availableSecrets", {})
    found = {
        "secretManager": [one for one in told.get("secretManager", ()) if one["env"] in wanted],
        "inline": [one for one in told.get("inline", ()) if wanted & set(one["envMap"])],
    }
    known = {name: items for name, items in found.items() if items}
    return {"availableSecrets": known} if known else {}


def _whole(moment: str) -> str:
    """A moment that Python 3.11 reads: of nanoseconds there are too many digits."""
    return re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", moment)


def child(
    pattern: Pattern, share: Share, command: Sequence[str], tag: str, *, stdin: str = ""
) -> dict[str, Any]:
    """A build that does one share.

    Args:
        pattern: what it has in common with others.
        share: what it does.
        command: of ``eggcrate`` that does it.
        tag: of this attempt alone.
        stdin: what the command reads.
    """
    env = {"BUILD_ID": "$BUILD_ID", **{n: _escaped(v) for n, v in pattern.variables.items()}}
    known = [item for item in pattern.options.get("env", ()) if item.split("=")[0] not in env]
    options = {
        **({"logging": "CLOUD_LOGGING_ONLY"} if "logging" not in pattern.options else {}),
        **pattern.options,
        "env": [*known, *(f"{name}={value}" for name, value in env.items())],
        "substitutionOption": "ALLOW_LOOSE",
    }
    steps: list[dict[str, Any]] = [
        {"id": "set-up", "name": pattern.builder, "script": "make setup-all"},
        {"id": "work", "name": pattern.builder, "script": _script(pattern, share, command, stdin)},
    ]
    foreign = share.why is Why.DOCKERFILE and _architectures(share)
    if foreign and pattern.emulator:
        arguments = ["--install", ",".join(sorted(foreign))]
        steps.insert(0, {"id": "emulator", "name": pattern.emulator, "args": arguments})
    made = {
        **pattern.more,
        "source": pattern.source,
        "steps": steps,
        "options": options,
        "tags": _tags(pattern, share, tag),
        "timeout": f"{pattern.timeout:.0f}s",
    }
    return made | ({"substitutions": pattern.substitutions} if pattern.substitutions else {})


def _script(pattern: Pattern, share: Share, command: Sequence[str], stdin: str) -> str:
    words = [".venv/bin/eggcrate", *command]
    if pattern.build:
        words += ["--child-of", pattern.build]
    # The build's own id is known only in the build.
    line = f'{shlex.join(words)} --hand-in "results-$BUILD_ID"'
    line += f" <<'{_CELLS_END}'\n{stdin}{_CELLS_END}\n" if stdin else "\n"
    needs = "scripts/ci_docker.sh\n" if share.why is Why.DOCKERFILE else ""
    return f"#!/bin/sh\nset -eu\n{needs}{line}"


def _tags(pattern: Pattern, share: Share, tag: str) -> list[str]:
    own = ["eggcrate", ANY, f"eggcrate-parent-{pattern.parent}", pattern.tag, tag]
    names = [_TAG.sub("_", name)[:_TAG_LENGTH] for name in share.environments]
    return list(dict.fromkeys((*own, *names)))[:_TAGS]


def _architectures(share: Share) -> set[str]:
    """Those that a worker of Cloud Build, which is ``amd64``, does not have."""
    return {job.platform.split("/")[1] for job in share.jobs} - {"amd64"}


def _escaped(value: str) -> str:
    return value.replace("$", "$$")


def a_name(now: datetime | None = None) -> str:
    """What tells a parent from others that is no build itself."""
    return (now or datetime.now(UTC)).strftime("here-%Y%m%d-%H%M%S-%f")
