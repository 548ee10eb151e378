"""Terraform's variables: what people answered once, and what follows from the repository.

Only what changes the cloud stands in them: an environment that is built like all others is not
mentioned, so that adding one changes nothing here.
"""

from __future__ import annotations

import enum
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from eggcrate.errors import ConfigError, UsageError
from eggcrate.parsing import json_of
from eggcrate.repo.pipelines import pipeline_names, read_config

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from eggcrate.questions import Questions
    from eggcrate.repo.monorepo import Monorepo

FOLDER, FILE = "infra", "infra/terraform.tfvars.json"
_MACHINE = "linux/amd64"
_PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_REGION = re.compile(r"[a-z]+-[a-z]+[0-9]+")
_REPOSITORY = re.compile(r"[a-z]([a-z0-9-]{0,50}[a-z0-9])?")
_CONNECTION = re.compile(r"([a-z]([a-z0-9-]{0,61}[a-z0-9])?)?")
_REMOTE = re.compile(r"(https://[A-Za-z0-9.-]+(:[0-9]+)?/[^@\s]+\.git)?")
_NOTIFY = re.compile(r"[^@\s]+@[^@\s]+")
_SCP = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/]+):(?P<path>[^/].*)")
_DERIVED = ("own_machines", "vertex")


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """A text that a person decides."""

    question: str
    pattern: re.Pattern[str]
    example: str
    default: str = ""
    asked: bool = False


_ANSWERS = {
    "project": _Answer(
        question="project of Google Cloud", pattern=_PROJECT, example="acme-ml", asked=True
    ),
    "region": _Answer(
        question="region of builds and images",
        pattern=_REGION,
        example="europe-west4",
        default="europe-west4",
        asked=True,
    ),
    "repository": _Answer(
        question="name of the repository of images",
        pattern=_REPOSITORY,
        example="eggcrate",
        default="eggcrate",
        asked=True,
    ),
    "connection": _Answer(
        question="connection of Cloud Build", pattern=_CONNECTION, example="github"
    ),
    "remote": _Answer(
        question="address of this repository",
        pattern=_REMOTE,
        example="https://github.com/acme/ml.git",
    ),
}
ANSWERS = tuple(_ANSWERS)
_KEYS = (*ANSWERS, "notify", *_DERIVED)


class Outcome(enum.Enum):
    """What becomes of the file."""

    CREATE = "create"
    UPDATE = "update"
    UP_TO_DATE = "up-to-date"


@dataclass(frozen=True, kw_only=True)
class NewCloud:
    """The variables, and what is new about them."""

    path: Path
    outcome: Outcome
    variables: Mapping[str, Any]
    changes: tuple[str, ...] = ()
    """In words, one for each variable that changes."""

    @property
    def text(self) -> str:
        """The file's content."""
        return json.dumps(self.variables, indent=2, ensure_ascii=False) + "\n"


def decide_cloud(
    given: Mapping[str, str],
    notify: tuple[str, ...] | None,
    *,
    monorepo: Monorepo,
    origin: str,
    questions: Questions,
) -> NewCloud:
    """What Terraform's variables shall be; nothing is written.

    Args:
        given: answers on the command line, by key of :data:`ANSWERS`.
        notify: addresses that are told of failures; ``None``: those of last time.
        monorepo: whose environments and pipelines decide the rest.
        origin: where git says that the checkout comes from; empty when it does not say.
        questions: asks what is known from nowhere.

    Raises:
        ConfigError: there is no Terraform here, or its variables cannot be read.
        UsageError: an answer is none, or the project is told nowhere.
    """
    path = monorepo.root / FILE
    if not any((monorepo.root / FOLDER).glob("*.tf")):
        raise ConfigError(
            f"there is no Terraform in {FOLDER}/",
            why="`new cloud` writes its variables; the resources are Eggcrate's own files",
            hint=f"take the folder {FOLDER}/ of Eggcrate's repository",
        )
    before = read_variables(path)
    found: dict[str, Any] = {}
    for key, answer in _ANSWERS.items():
        known = str((before or {}).get(key, ""))
        default = https_address(origin) if key == "remote" else answer.default
        found[key] = given.get(key) or known or _asked(key, answer, default, questions)
        _checker(key, answer)(found[key])
    found["notify"] = list((before or {}).get("notify", ()) if notify is None else notify)
    for address in found["notify"]:
        if not _NOTIFY.fullmatch(address):
            raise UsageError(f"{address!r} is no e-mail address")
    found["own_machines"] = _own_machines(monorepo, (before or {}).get("own_machines", {}))
    found["vertex"] = _vertex(monorepo.root)
    return _compared(path, before, found)


def _compared(path: Path, before: Mapping[str, Any] | None, found: dict[str, Any]) -> NewCloud:
    if before is None:
        return NewCloud(path=path, outcome=Outcome.CREATE, variables=found)
    changes = tuple(
        f"{key}: {_told(before.get(key))} becomes {_told(value)}"
        for key, value in found.items()
        if before.get(key) != value
    )
    outcome = Outcome.UPDATE if changes else Outcome.UP_TO_DATE
    return NewCloud(path=path, outcome=outcome, variables=found, changes=changes)


def _told(value: object) -> str:
    return "nothing" if value in (None, "", [], {}) else json.dumps(value, ensure_ascii=False)


def read_variables(path: Path) -> dict[str, Any] | None:
    """The variables as they are; ``None`` when there are none.

    Raises:
        ConfigError: they are none of ours.
    """
    if not path.is_file():
        return None
    hint = "mend it, or delete it and run: eggcrate new cloud"
    try:
        document = json_of(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read", why=str(error), hint=hint) from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path} is not a table of variables", hint=hint)
    for key, value in document.items():
        if key not in _KEYS:
            raise ConfigError(
                f"{path}: {key} is not written by Eggcrate",
                hint=f"say it in a file of your own, {FOLDER}/team.auto.tfvars, which wins",
            )
        wanted = {"notify": list, "own_machines": dict, "vertex": bool}.get(key, str)
        if not isinstance(value, wanted):
            raise ConfigError(f"{path}: {key} cannot be {value!r}", hint=hint)
    return document


def _asked(key: str, answer: _Answer, default: str, questions: Questions) -> str:
    if not answer.asked:
        return default
    told = questions.ask(answer.question, default, _checker(key, answer))
    if not told:
        raise UsageError(
            f"the {answer.question} is told nowhere", hint=f"for example --{key} {answer.example}"
        )
    return told


def _checker(key: str, answer: _Answer) -> Callable[[str], None]:
    def check(text: str) -> None:
        if not answer.pattern.fullmatch(text):
            raise UsageError(
                f"{text!r} cannot be the {answer.question}",
                hint=f"for example --{key} {answer.example}",
            )

    return check


def https_address(remote: str) -> str:
    """The address that Cloud Build clones from, of any that git does; empty for local ones."""
    if match := _SCP.fullmatch(remote):
        host, path = match["host"], match["path"]
    else:
        try:
            parts = urlsplit(remote)
        except ValueError:
            return ""
        if parts.scheme not in ("https", "ssh", "git"):
            return ""
        *_, place = parts.netloc.rpartition("@")
        host, path = place if parts.scheme == "https" else place.partition(":")[0], parts.path
    address = f"https://{host}/{path.strip('/').removesuffix('.git')}.git"
    return address if _REMOTE.fullmatch(address) else ""


def _own_machines(monorepo: Monorepo, before: Mapping[str, str]) -> dict[str, str]:
    """Environments that the build's own machine cannot make, and why."""
    found = {}
    for name in monorepo.environment_folders:
        environment = monorepo.environments.get(name)
        if environment is None:  # cannot be read now: as it was
            reasons = [before[name]] if name in before else []
        else:
            reasons = ["Dockerfile"] if environment.dockerfile else []
            reasons += [one for one in environment.platforms if one != _MACHINE]
        if reasons:
            found[name] = ", ".join(reasons)
    return found


def _vertex(root: Path) -> bool:
    """Whether a pipeline's configuration says how it is submitted to Vertex AI."""
    for name in pipeline_names(root):
        config = read_config(root, name)
        for project in ("", *config.projects):
            for stage in ("", *config.stages):
                if config.backend("vertex", project, stage):
                    return True
    return False
