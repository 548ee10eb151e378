"""What a registry's refusal means, in words of the person who pushes or pulls.

Specification: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#error-codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eggcrate.errors import (
    AccessDeniedError,
    ImmutableTagError,
    NoRoomError,
    NoSuchRepositoryError,
    NotARegistryError,
    RegistryError,
    RegistryUnreachableError,
)
from eggcrate.parsing import json_of
from eggcrate.registry.address import is_google
from eggcrate.retries import TRANSIENT

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNAUTHORISED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_TOO_LARGE, _NO_ROOM, _TOO_MANY = 413, 507, 429
_CONFLICTS = frozenset({400, 403, 405, 409, 412})
_IMMUTABLE = ("immutab", "cannot be overwritten", "cannot update tag")
# 28 is ENOSPC, as CNCF Distribution tells it.
_FULL = (
    "quota",
    "no space left",
    "insufficient storage",
    "not enough space",
    "disk is full",
    "'err': 28",
)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What was asked of a registry, for messages."""

    host: str
    repository: str
    what: str
    """``manifest stable``, ``blob sha256:...``."""
    write: bool = False
    user: str = ""
    """Who asked; nobody when empty."""

    @property
    def image(self) -> str:
        """``host/repository``."""
        return f"{self.host}/{self.repository}" if self.repository else self.host


def explain(
    wanted: Wanted, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> RegistryError:
    """The error for an answer that is not the one wanted."""
    said = _said(body)
    answered = f"it answered {status}{f': {said}' if said else ''}"
    if status in _CONFLICTS and _mentions(said, _IMMUTABLE):
        return ImmutableTagError(
            f"{wanted.what} of {wanted.image} stays what it is",
            why=f"tags of this repository are immutable; {answered}",
            hint="push under another tag, or make the repository's tags mutable",
        )
    if _is_full(status, body) or status == _TOO_LARGE:
        return NoRoomError(
            f"registry {wanted.host} has no room for {wanted.what} of {wanted.repository}",
            why=answered,
            hint="a proxy before it limits the size of uploads: raise that limit"
            if status == _TOO_LARGE
            else "delete images that are not used, or raise its quota or disk size",
        )
    if status in (_UNAUTHORISED, _FORBIDDEN):
        return denied(wanted, answered)
    if status in TRANSIENT:
        return _busy(wanted, status, answered)
    if "text/html" in (headers or {}).get("content-type", ""):
        return not_a_registry(wanted.host, answered)
    return _not_found(wanted, said) if status == _NOT_FOUND else _refused(wanted, answered)


def may_heal(status: int, body: bytes) -> bool:
    """Whether another attempt may be answered otherwise."""
    # CNCF Distribution writes its links in place: while somebody else pushes the same blob, a
    # manifest that names it can be refused.
    if "MANIFEST_BLOB_UNKNOWN" in _said(body):
        return True
    return status in TRANSIENT and not _is_full(status, body)


def _is_full(status: int, body: bytes) -> bool:
    """Whether an answer says that the disk or quota is full, which no new attempt changes."""
    return status == _NO_ROOM or (
        status not in (_TOO_MANY, _NOT_FOUND) and _mentions(_said(body), _FULL)
    )


def denied(wanted: Wanted, why: str) -> AccessDeniedError:
    """The error for a log-in that is missing, wrong or not enough."""
    action = "write" if wanted.write else "read"
    login = f"log in with `docker login {wanted.host}`"
    if is_google(wanted.host):
        role = "writer" if wanted.write else "reader"
        login = (
            "log in with `gcloud auth login` or `gcloud auth application-default login`; "
            f"the account needs roles/artifactregistry.{role}"
        )
    who = f"as {wanted.user}" if wanted.user else "without a log-in"
    hint = f"ask for the right to {action} {wanted.repository}, or {login}"
    return AccessDeniedError(
        f"registry {wanted.host} does not let us {action} {wanted.repository}",
        why=f"asked {who}, {why}",
        hint=hint if wanted.user else login,
    )


def not_a_registry(host: str, why: str) -> NotARegistryError:
    """The error for a server that is something else."""
    return NotARegistryError(
        f"{host} does not answer as an image registry does",
        why=why,
        hint="check the registry's host and port, and the proxy in HTTPS_PROXY if one is set",
    )


def _busy(wanted: Wanted, status: int, answered: str) -> RegistryError:
    does = "take" if wanted.write else "give"
    many = "too many requests at once: " if status == _TOO_MANY else ""
    return RegistryUnreachableError(
        f"registry {wanted.host} does not {does} {wanted.what} of {wanted.repository} now",
        why=answered,
        hint=f"{many}try again in some minutes",
    )


def _refused(wanted: Wanted, why: str, *, hint: str = "") -> RegistryError:
    return RegistryError(
        f"registry {wanted.host} refuses {wanted.what} of {wanted.repository}", why=why, hint=hint
    )


def _not_found(wanted: Wanted, said: str) -> RegistryError:
    if not wanted.write:
        return RegistryError(
            f"registry {wanted.host} has no {wanted.repository}{_at(wanted.what)}", why=said
        )
    if "BLOB_UNKNOWN" in said or "BLOB_UPLOAD" in said:
        return _refused(wanted, said, hint="something was deleted there meanwhile: push again")
    hint = f"create it in the registry, or correct the prefix {wanted.image}"
    if is_google(wanted.host):
        name = wanted.repository.split("/")[1:2]
        where = wanted.host.removesuffix("-docker.pkg.dev")
        hint = (
            f"create it: gcloud artifacts repositories create {''.join(name)} "
            f"--repository-format=docker --location={where}"
        )
    return NoSuchRepositoryError(
        f"registry {wanted.host} has no repository {wanted.repository}",
        why=said or "it answered 404 to the first write",
        hint=hint,
    )


def _at(what: str) -> str:
    kind, _, reference = what.partition(" ")
    if kind not in ("manifest", "blob"):
        return f": {what}"
    return f"@{reference}" if reference.startswith("sha256:") else f":{reference}"


def _said(body: bytes) -> str:
    """The registry's own words."""
    try:
        errors = json_of(body)["errors"]
        found = [_one(item) for item in errors]
    except (AttributeError, KeyError, TypeError, ValueError):
        return ""
    return "; ".join(text for text in found if text)[:500]


def _one(item: dict[str, object]) -> str:
    parts = [str(item.get("code") or ""), str(item.get("message") or "")]
    detail = item.get("detail")
    if detail:
        parts.append(str(detail))
    return " ".join(part for part in parts if part)


def _mentions(said: str, words: tuple[str, ...]) -> bool:
    return any(word in said.lower() for word in words)
