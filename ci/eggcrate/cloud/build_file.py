"""``cloudbuild.yaml`` as values, as strict as the service is.

The schema: https://cloud.google.com/build/docs/api/reference/rest/v1/projects.builds
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.cloud.yaml_file import Text, YamlTable
from eggcrate.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

START = "-"
DAY = 86400.0
HOUR = 3600.0
WORKSPACE, HOME, SOCKET = "/workspace", "/builder/home", "/var/run/docker.sock"
_RESERVED = (WORKSPACE, HOME, SOCKET)
_MOST = 300
_STEP = (
    *("name", "args", "env", "dir", "id", "waitFor", "entrypoint", "secretEnv", "volumes"),
    *("timeout", "allowFailure", "allowExitCodes", "script", "automapSubstitutions"),
)
_ELSEWHERE = ("source", "logsBucket", "queueTtl", "secrets", "gitConfig", "dependencies", "name")
_BUILD = (
    *("steps", "timeout", "images", "artifacts", "options", "substitutions", "tags"),
    *("serviceAccount", "availableSecrets", *_ELSEWHERE),
)
_OPTIONS_ELSEWHERE = (
    *("sourceProvenanceHash", "requestedVerifyOption", "machineType", "diskSizeGb"),
    *("logStreamingOption", "workerPool", "pool", "logging", "defaultLogsBucketBehavior"),
    *("enableStructuredLogging", "workerRelease"),
)
_OPTIONS = (
    *("env", "secretEnv", "volumes", "substitutionOption", "dynamicSubstitutions"),
    *("automapSubstitutions", *_OPTIONS_ELSEWHERE),
)


@dataclass(frozen=True, kw_only=True)
class Volume:
    """A folder that steps share by name."""

    name: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step, as it is written or with its substitutions made."""

    number: int
    line: int
    name: str
    """The image."""
    id: str = ""
    entrypoint: str = ""
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    dir: str = ""
    script: str | None = None
    wait_for: tuple[str, ...] = ()
    """Ids; empty: all steps above."""
    secret_env: tuple[str, ...] = ()
    volumes: tuple[Volume, ...] = ()
    timeout: float | None = None
    allow_failure: bool = False
    allow_exit_codes: tuple[int, ...] = ()
    automap: bool = False
    """Whether it sees substitutions as variables."""

    @property
    def label(self) -> str:
        """As Cloud Build's logs call it."""
        return f'Step #{self.number} - "{self.id}"' if self.id else f"Step #{self.number}"


@dataclass(frozen=True, kw_only=True)
class BuildFile:
    """The whole file."""

    path: Path
    steps: tuple[Step, ...]
    images: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    service_account: str = ""
    substitutions: Mapping[str, str]
    timeout: float = HOUR
    dynamic: bool = False
    """Whether values of substitutions are expanded as bash does."""
    loose: bool = False
    """Whether substitutions that are not there are empty, not an error."""
    not_imitated: tuple[str, ...] = ()
    """Fields that mean something on Google's machines alone."""


def read_build(path: Path) -> BuildFile:
    """Read a build file.

    Raises:
        ConfigError: it is not one; with file and line.
    """
    table = YamlTable.read(path)
    table.only(_BUILD)
    options = table.table("options") or YamlTable(
        path=path, what="options", line=1, nodes={}, key_lines={}
    )
    options.only(_OPTIONS)
    automap = bool(options.flag("automapSubstitutions"))
    steps = tuple(
        _step(item, number, options, automap=automap)
        for number, item in enumerate(table.tables("steps"))
    )
    if not 0 < len(steps) <= _MOST:
        raise table.wrong("steps", f"there must be 1 to {_MOST} of them, not {len(steps)}")
    _check_order(table, steps)
    _check_volumes(table, steps)
    _check_secrets(table, steps)
    timeout = table.seconds("timeout")
    _check_timeouts(table, steps, timeout)
    substitutions = table.mapping("substitutions")
    strictness = options.text("substitutionOption") or "MUST_MATCH"
    if strictness not in ("MUST_MATCH", "ALLOW_LOOSE"):
        raise options.wrong("substitutionOption", "is MUST_MATCH or ALLOW_LOOSE")
    return BuildFile(
        path=path,
        steps=steps,
        images=_images(table),
        tags=table.texts("tags"),
        service_account=table.text("serviceAccount") or "",
        substitutions=substitutions,
        timeout=timeout or HOUR,
        dynamic=bool(options.flag("dynamicSubstitutions")),
        loose=strictness == "ALLOW_LOOSE",
        not_imitated=_not_imitated(table),
    )


def _step(table: YamlTable, number: int, options: YamlTable, *, automap: bool) -> Step:
    table.only(_STEP)
    name = table.text("name")
    if not name:
        raise table.wrong("name", "a step needs the name of an image")
    script = table.text("script")
    if script is not None and ("args" in table.nodes or "entrypoint" in table.nodes):
        raise table.wrong("script", "a step with a script has neither args nor entrypoint")
    env = table.texts("env")
    for item in (*env, *options.texts("env")):
        if "=" not in item:
            raise ConfigError(f"{table.path}:{item.line}: {item!r} must be written NAME=VALUE")
    secrets = (*table.texts("secretEnv"), *options.texts("secretEnv"))
    if len(set(secrets)) != len(secrets):
        raise table.wrong("secretEnv", "names a variable twice")
    own = table.flag("automapSubstitutions")
    return Step(
        number=number,
        line=table.line,
        name=name,
        id=table.text("id") or "",
        entrypoint=table.text("entrypoint") or "",
        args=table.texts("args"),
        env=(*options.texts("env"), *env),
        dir=table.text("dir") or "",
        script=script,
        wait_for=table.texts("waitFor"),
        secret_env=secrets,
        volumes=(*_volumes(options), *_volumes(table)),
        timeout=table.seconds("timeout"),
        allow_failure=bool(table.flag("allowFailure")),
        allow_exit_codes=table.numbers("allowExitCodes"),
        automap=automap if own is None else own,
    )


def _volumes(table: YamlTable) -> tuple[Volume, ...]:
    found = []
    for item in table.tables("volumes"):
        item.only(("name", "path"))
        volume = Volume(name=item.text("name") or "", path=item.text("path") or "")
        if not volume.name or not volume.path.startswith("/"):
            raise item.wrong("path", "a volume needs a name and an absolute path")
        if volume.path.rstrip("/") in _RESERVED:
            raise item.wrong("path", f"{volume.path} is taken by the build itself")
        found.append(volume)
    return tuple(found)


def _check_order(table: YamlTable, steps: Sequence[Step]) -> None:
    known = {START}
    for step in steps:
        for wanted in step.wait_for:
            if wanted not in known:
                line = wanted.line if isinstance(wanted, Text) else step.line
                raise ConfigError(
                    f"{table.path}:{line}: {step.label} waits for {wanted!r}, which no step above "
                    "is called",
                    hint=f"above are {', '.join(sorted(known - {START})) or 'no ids'}",
                )
        if step.id in known:
            raise ConfigError(f"{table.path}:{step.line}: the id {step.id!r} is taken")
        if step.id:
            known.add(step.id)


def _check_volumes(table: YamlTable, steps: Sequence[Step]) -> None:
    used: dict[str, list[Step]] = {}
    for step in steps:
        paths = [volume.path for volume in step.volumes]
        if len(set(paths)) != len(paths):
            raise ConfigError(f"{table.path}:{step.line}: {step.label} mounts a path twice")
        for volume in step.volumes:
            used.setdefault(volume.name, []).append(step)
    for name, users in used.items():
        if len(users) == 1:
            raise ConfigError(
                f"{table.path}:{users[0].line}: the volume {name!r} is used by one step alone",
                hint="mount it in another step too, or use a folder of the workspace",
            )


def _check_secrets(table: YamlTable, steps: Sequence[Step]) -> None:
    given: set[str] = set()
    if available := table.table("availableSecrets"):
        available.only(("secretManager", "inline"))
        for item in available.tables("secretManager"):
            item.only(("versionName", "env"))
            given.add(item.text("env") or "")
        for item in available.tables("inline"):
            item.only(("kmsKeyName", "envMap"))
            given |= set(item.mapping("envMap"))
    for item in table.tables("secrets"):
        item.only(("kmsKeyName", "secretEnv"))
        given |= set(item.mapping("secretEnv"))
    for step in steps:
        if missing := sorted(set(step.secret_env) - given):
            raise ConfigError(
                f"{table.path}:{step.line}: {step.label} wants secrets that are not available: "
                f"{', '.join(missing)}",
                hint="name them under availableSecrets",
            )


def _check_timeouts(table: YamlTable, steps: Sequence[Step], whole: float | None) -> None:
    if whole is not None and not 0 < whole <= DAY:
        raise table.wrong("timeout", "must be more than 0s and at most 86400s")
    for step in steps:
        most = whole or DAY
        if step.timeout is not None and step.timeout > most:
            raise ConfigError(
                f"{table.path}:{step.line}: the timeout of {step.label} is longer than the "
                f"build's {most:g}s"
            )


def _images(table: YamlTable) -> tuple[Text, ...]:
    images = table.texts("images")
    artifacts = table.table("artifacts")
    more = artifacts.texts("images") if artifacts else ()
    if images and more and images != more:
        raise table.wrong("artifacts", "images differ from the build's own images")
    return images or more


def _not_imitated(table: YamlTable) -> tuple[str, ...]:
    artifacts = table.table("artifacts")
    found = [f"artifacts.{name}" for name in (artifacts.nodes if artifacts else ())]
    found += [name for name in ("source", "gitConfig", "dependencies") if name in table.nodes]
    return tuple(name for name in found if name != "artifacts.images")
