"""What became of Terraform's variables, for people and as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.cloud.new_cloud import FILE, FOLDER, Outcome

if TYPE_CHECKING:
    from eggcrate.cloud.new_cloud import NewCloud

ABSENT = f"{FILE} is not there, so that nothing can be stale: eggcrate new cloud makes it"


def text(wanted: NewCloud, *, written: bool) -> str:
    """What is in it, and what to do next."""
    told = wanted.variables
    lines = [
        f"{FILE}: {wanted.outcome.value}",
        f"  project {told['project']}, region {told['region']}, images in {told['repository']}",
        f"  triggers for {told['remote'] or 'no repository yet'}, through the connection "
        f"{told['connection']}"
        if told["connection"]
        else "  no triggers yet: connect the forge in Cloud Build, then --connection NAME",
        f"  failures are told to {', '.join(told['notify']) or 'nobody: --notify ADDRESS'}",
    ]
    lines += [f"  {name} needs a machine of its own: {why}" for name, why in _machines(wanted)]
    lines += ["  pipelines are submitted to Vertex AI"] if told["vertex"] else []
    lines += [f"  {change}" for change in wanted.changes]
    if wanted.outcome is not Outcome.UP_TO_DATE:
        following = f"next: commit {FILE}; then: terraform -chdir={FOLDER} apply"
        lines += ["", following if written else "nothing was written (--dry-run)"]
    return "\n".join(lines)


def checked(wanted: NewCloud) -> str:
    """Whether it is what the repository needs now, and what mends it."""
    if wanted.outcome is Outcome.UP_TO_DATE:
        return f"{FILE}: up-to-date"
    lines = [f"{FILE} is stale", *(f"  {change}" for change in wanted.changes)]
    mend = f"run: eggcrate new cloud --yes; then: terraform -chdir={FOLDER} apply"
    return "\n".join([*lines, "", mend])


def document(wanted: NewCloud | None, *, written: bool) -> dict[str, Any]:
    """The same as ``eggcrate.new/1``."""
    if wanted is None:
        return {"kind": "cloud", "file": FILE, "outcome": "absent", "written": False}
    return {
        "kind": "cloud",
        "file": FILE,
        "outcome": wanted.outcome.value,
        "written": written,
        "variables": dict(wanted.variables),
        "changes": list(wanted.changes),
    }


def _machines(wanted: NewCloud) -> list[tuple[str, str]]:
    found: dict[str, str] = wanted.variables["own_machines"]
    return list(found.items())
