"""How runs on a platform are made: a pipeline's ``config.toml``, overridden by flags."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

from eggcrate.errors import UsageError

if TYPE_CHECKING:
    from eggcrate.repo.document import Table

_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_RULES = {
    "project": (r"[a-z][a-z0-9.:-]+", "must be a project's id, such as ml-production"),
    "location": (r"[a-z]+-[a-z]+[0-9]+", "must be a region, such as europe-west4"),
    "network": (
        r"projects/[^/]+/global/networks/[^/]+",
        "must be projects/NUMBER/global/networks/NAME",
    ),
    "service_account": (r"[^\s@]+@[^\s@]+", "must be the address of a service account"),
    "encryption_key": (
        r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+",
        "must be projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY",
    ),
    "failure_policy": (r"fast|slow", "must be fast or slow"),
    "endpoint": (r"[A-Za-z0-9.-]+(:[0-9]+)?", "must be a host, without https://"),
    "experiment": (r"[a-z0-9][a-z0-9-]{0,127}", "must be of lower-case letters, digits and dashes"),
    "pipeline_root": (r"gs://[a-z0-9][a-z0-9._-]+(/.*)?", "must be gs://BUCKET/PATH"),
}


@dataclass(frozen=True, kw_only=True)
class VertexOptions:
    """``[vertex]``. What is empty is not said, and is Vertex AI's to decide."""

    project: str = ""
    location: str = ""
    pipeline_root: str = ""
    """``gs://BUCKET/PATH`` below which artifacts are written."""
    service_account: str = ""
    network: str = ""
    encryption_key: str = ""
    experiment: str = ""
    failure_policy: str = ""
    """``fast``: start no task after one has failed; ``slow``: those that do not need it."""
    endpoint: str = ""
    """Host of the API, where it is not the location's own: Private Service Connect."""
    labels: Mapping[str, str] = field(default_factory=dict)
    caching: bool | None = None
    """For all tasks; without it, as compiled."""

    @classmethod
    def from_table(cls, table: Table) -> Self:
        """Read ``[vertex]``.

        Raises:
            ConfigError: with file and line.
        """
        return cls(**_read(cls, table, _RULES))

    def overridden(self, flags: Mapping[str, Any]) -> VertexOptions:
        """With what flags say; labels are added to.

        Raises:
            UsageError: a flag's value cannot be one.
        """
        return _overridden(self, flags, _RULES)


@dataclass(frozen=True, kw_only=True)
class KubeflowOptions:
    """``[kubeflow]``. What is empty is not said, and is the installation's to decide."""

    host: str = ""
    """Address of the pipelines' API, such as ``https://kubeflow.example.org/pipeline``."""
    namespace: str = ""
    """Of the user's profile, where Kubeflow has several."""
    experiment: str = ""
    pipeline_root: str = ""
    service_account: str = ""
    """A Kubernetes service account."""
    ca_certificate: str = ""
    """File of the authority that signed the server's certificate."""
    caching: bool | None = None
    """For all tasks; without it, as compiled."""

    @classmethod
    def from_table(cls, table: Table) -> Self:
        """Read ``[kubeflow]``.

        Raises:
            ConfigError: with file and line.
        """
        found = cls(**_read(cls, table, {}))
        if found.host and (problem := _host_problem(found.host)):
            raise table.error("host", problem)
        return found

    def overridden(self, flags: Mapping[str, Any]) -> KubeflowOptions:
        """With what flags say.

        Raises:
            UsageError: a flag's value cannot be one.
        """
        found = _overridden(self, flags, {})
        if found.host and (problem := _host_problem(found.host)):
            raise UsageError(f"--kubeflow {found.host!r} {problem}")
        return found


_Rules = Mapping[str, tuple[str, str]]
_Options = TypeVar("_Options", VertexOptions, KubeflowOptions)


def _read(cls: type, table: Table, rules: _Rules) -> dict[str, Any]:
    names = {one.name.replace("_", "-"): one.name for one in dataclasses.fields(cls)}
    table.only(tuple(names))
    found: dict[str, Any] = {}
    for key, name in names.items():
        if key not in table:
            continue
        if name == "caching":
            found[name] = table.boolean(key, default=True)
        elif name == "labels":
            labels = table.table(key)
            found[name] = {label: labels.string(label) for label in labels.data}
            for label, value in found[name].items():
                if problem := _label_problem(label, value):
                    raise labels.error(label, problem)
        else:
            found[name] = table.string(key)
            if problem := _problem(name, found[name], rules):
                raise table.error(key, problem)
    return found


def _overridden(options: _Options, flags: Mapping[str, Any], rules: _Rules) -> _Options:
    names = {one.name for one in dataclasses.fields(options)}
    given = {
        name: value
        for name, value in flags.items()
        if name in names and value is not None and value != ""
    }
    for name, value in given.items():
        if isinstance(value, str) and (problem := _problem(name, value, rules)):
            raise UsageError(f"--{name.replace('_', '-')} {value!r} {problem}")
    if "labels" in given:
        for label, value in given["labels"].items():
            if problem := _label_problem(label, value):
                raise UsageError(f"--label {label}={value}: it {problem}")
        given["labels"] = {**getattr(options, "labels", {}), **given["labels"]}
    return dataclasses.replace(options, **given)


def _problem(name: str, value: str, rules: _Rules) -> str:
    if not value or name not in rules:
        return ""
    pattern, problem = rules[name]
    return "" if re.fullmatch(pattern, value) else f"{problem}, not {value!r}"


def _label_problem(label: str, value: str) -> str:
    if not _LABEL_KEY.fullmatch(label) or not _LABEL_VALUE.fullmatch(value):
        return (
            "must be a label: lower-case letters, digits, _ and -, at most 63; the key begins "
            "with a letter"
        )
    return ""


def _host_problem(host: str) -> str:
    try:
        parts = urlsplit(host)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.password
        _ = parts.port
    except ValueError:
        good = False
    return "" if good else "must be an address, such as https://kubeflow.example.org/pipeline"
