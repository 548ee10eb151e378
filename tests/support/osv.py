"""Small databases of vulnerabilities, and what an audit by them finds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from support.adding import World

CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"


def write(folder: Path, *records: dict[str, Any]) -> str:
    """A database: these records, and one of each ecosystem about nothing that is held."""
    folder.mkdir(exist_ok=True)
    others = [affected("O-1", "PyPI", "other"), affected("O-2", "Debian:12", "other")]
    others.append(affected("O-3", "Debian:13", "other"))
    for one in (*records, *others):
        (folder / f"{one['id']}.json").write_text(json.dumps(one))
    return str(folder)


def affected(
    identifier: str,
    ecosystem: str,
    name: str,
    fixed: str = "",
    *,
    vector: str = CRITICAL,
    introduced: str = "0",
) -> dict[str, Any]:
    events = [{"introduced": introduced}, *([{"fixed": fixed}] if fixed else [])]
    return {
        "id": identifier,
        "aliases": [f"CVE-{identifier}"],
        "summary": "It is bad",
        "severity": [{"type": "CVSS_V3", "score": vector}] if vector else [],
        "affected": [
            {
                "package": {"ecosystem": ecosystem, "name": name},
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
            }
        ],
    }


def findings(here: World, database: str, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    ran = here.run("audit", "--database", database, "--json", *arguments)
    document = json.loads(ran.out)
    assert document["schema"] == "eggcrate.audit/1"
    assert document["good"] is (ran.code == 0)
    return ran.code, {item["id"]: item for item in document["findings"]}
