"""Substitutions of a build: built in and of one's own, and how strictly they are checked.

https://cloud.google.com/build/docs/configuring-builds/substitute-variable-values
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from eggcrate.cloud.expansions import ExpansionError, expand
from eggcrate.cloud.yaml_file import Text
from eggcrate.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from eggcrate.cloud.build_file import BuildFile, Step

OWN = re.compile(r"_[A-Z0-9_]+")
BUILT_IN = (
    *("PROJECT_ID", "BUILD_ID", "PROJECT_NUMBER", "LOCATION"),
    *("TRIGGER_NAME", "COMMIT_SHA", "REVISION_ID", "SHORT_SHA", "REPO_NAME", "REPO_FULL_NAME"),
    *("BRANCH_NAME", "TAG_NAME", "REF_NAME", "TRIGGER_BUILD_CONFIG_PATH"),
    *("SERVICE_ACCOUNT_EMAIL", "SERVICE_ACCOUNT"),
)
_KEY = re.compile(r"\$(?:(\$)|\{([A-Z_][A-Z0-9_]*)\}|([A-Z_][A-Z0-9_]*))")
_LONGEST = 4000


@dataclass(frozen=True, kw_only=True)
class Substituted:
    """A build with its substitutions made."""

    build: BuildFile
    values: Mapping[str, str]


def substitute(
    build: BuildFile, *, built_in: Mapping[str, str], given: Mapping[str, str]
) -> Substituted:
    """Make the substitutions of a build.

    Args:
        build: as it is written.
        built_in: what Cloud Build itself would give.
        given: what the trigger or the command line gives; wins over the file.

    Raises:
        ConfigError: one is used that nobody gives, or given that nobody uses; with the line.
        UsageError: one is given that cannot be.
    """
    for name in given:
        if not OWN.fullmatch(name) and name not in BUILT_IN:
            raise UsageError(
                f"{name} cannot be substituted",
                hint="names of one's own begin with _ and have capitals, digits and _",
            )
    for name, value in build.substitutions.items():
        line = value.line if isinstance(value, Text) else 1
        if not OWN.fullmatch(name):
            raise ConfigError(
                f"{build.path}:{line}: {name!r} cannot name a substitution",
                hint="such a name begins with _ and has capitals, digits and _",
            )
        if len(value) > _LONGEST:
            raise ConfigError(f"{build.path}:{line}: {name} is longer than {_LONGEST} characters")
    raw = {**dict.fromkeys(BUILT_IN, ""), **built_in, **build.substitutions, **given}
    values = evaluated(raw, build)
    made = _Maker(build=build, values=values, used=set())
    steps = tuple(made.step(step) for step in build.steps)
    done = replace(
        build,
        steps=steps,
        images=made.texts(build.images),
        tags=made.texts(build.tags),
        service_account=made.text(build.service_account),
        substitutions=values,
    )
    if not (build.loose or any(step.automap for step in build.steps)):
        _check_used(build, made.used)
    return Substituted(build=done, values=values)


def evaluated(raw: Mapping[str, str], build: BuildFile) -> dict[str, str]:
    """The values, in which others may stand where the build says ``dynamicSubstitutions``.

    Raises:
        ConfigError: one stands in itself, or is of a form that bash does not know.
    """
    if not build.dynamic:
        return {name: str(value) for name, value in raw.items()}
    done: dict[str, str] = {}

    def value(name: str, under: tuple[str, ...] = ()) -> str:
        if name in under:
            raise ExpansionError(f"{' in '.join((*under, name))}: it stands in itself")
        if name not in done and name in raw:
            done[name] = expand(raw[name], lambda other: value(other, (*under, name)))
        return done.get(name, "")

    for name, text in raw.items():
        try:
            value(name)
        except ExpansionError as error:
            where = f"{build.path}:{text.line}: " if isinstance(text, Text) else ""
            raise ConfigError(f"{where}the substitution {name} cannot be made: {error}") from error
    return done


@dataclass(frozen=True, kw_only=True)
class _Maker:
    build: BuildFile
    values: Mapping[str, str]
    used: set[str]

    def step(self, step: Step) -> Step:
        return replace(
            step,
            name=self.text(step.name),
            args=self.texts(step.args),
            env=self.texts(step.env),
            dir=self.text(step.dir),
            entrypoint=self.text(step.entrypoint),
        )

    def texts(self, texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(self.text(text) for text in texts)

    def text(self, text: str) -> str:
        def value(match: re.Match[str]) -> str:
            if match[1]:
                return "$"
            name = match[2] or match[3]
            self._check(name, text)
            self.used.add(name)
            return self.values.get(name, "")

        return _KEY.sub(value, text)

    def _check(self, name: str, text: str) -> None:
        own = bool(OWN.fullmatch(name))
        if name in self.values or (own and self.build.loose):
            return
        line = text.line if isinstance(text, Text) else 1
        if own:
            raise ConfigError(
                f"{self.build.path}:{line}: there is no substitution {name}",
                hint="give it a value under substitutions, or write $$ for a dollar",
            )
        raise ConfigError(
            f"{self.build.path}:{line}: {name} is not a built-in substitution",
            hint=f"write $${name} for a variable of the step's own",
        )


def _check_used(build: BuildFile, used: set[str]) -> None:
    reached = set(used)
    waiting = list(used)
    while waiting:
        for match in re.finditer(OWN, build.substitutions.get(waiting.pop(), "")):
            if match[0] not in reached:
                reached.add(match[0])
                waiting.append(match[0])
    for name, value in build.substitutions.items():
        if name not in reached:
            line = value.line if isinstance(value, Text) else 1
            raise ConfigError(
                f"{build.path}:{line}: nothing uses the substitution {name}",
                hint="take it away, or say substitutionOption: ALLOW_LOOSE under options",
            )
