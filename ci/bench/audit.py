"""What reading a database of vulnerabilities costs, in the size that OSV's own has.

Records are made up, as large and as many as those of the ecosystem; some of them are about the
packages of an environment of this repository. Each reading is a process of its own.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

from bench.document import MEASUREMENTS, ROOT, markdown_table, write_section
from eggcrate.errors import EggcrateError
from eggcrate.progress import human_size
from eggcrate.report.table import table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from eggcrate.progress import Console

NAME = "audit"
RECORDS = 20_000
"""Of PyPI: in the order of what OSV has of it, malware included."""
VERSIONS = 150
"""That a record lists, at the most."""
HELD = ("numpy", "pandas", "scikit-learn", "scipy", "joblib", "pillow", "urllib3", "requests")
_VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
_READ = """
import json, resource, sys, time
from pathlib import Path
from eggcrate.packages.osv import PYPI, Package, hits
from eggcrate.packages.osv_source import read_records
names = sys.argv[2:]
asked = [Package(ecosystem=PYPI, name=name, version="2.0") for name in names]
began = time.process_time()
records = read_records(sys.argv[1], asked, cache=Path("unused"))
found = hits(asked, records.found)
seconds = time.process_time() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps([seconds, peak, records.count, len(records.found), len(found)]))
"""


def run(console: Console, scratch: Path, *, write: bool) -> None:
    """Make, read, print; with ``write`` keep the figures in docs/measurements.md."""
    console.info(f"making {RECORDS} records")
    folder, packed = scratch / "folder", scratch / "all.zip"
    folder.mkdir()
    size = 0
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in made(RECORDS):
            (folder / name).write_bytes(content)
            archive.writestr(name, content)
            size += len(content)
    rows = []
    for told, where in (("a zip, as a mirror has it", packed), ("a folder", folder)):
        seconds, peak, count, about, found = _read(where)
        if (count, about > 0, found > 0) != (RECORDS, True, True):
            raise EggcrateError(f"{where} was not read whole")
        rows.append((told, f"{seconds:.1f} s", human_size(int(peak)), f"{about} of {count}"))
    header = ("database", "processor time", "memory", "about what is held")
    shown = f"{RECORDS} records, {human_size(size)}; zipped {human_size(packed.stat().st_size)}"
    print(table(header, rows))
    print(shown, flush=True)
    if write:
        write_section(MEASUREMENTS, NAME, f"{markdown_table(header, rows)}\n\n{shown}.")


def made(count: int) -> Iterator[tuple[str, bytes]]:
    """Records by file name, always the same ones."""
    dice = random.Random(0)  # noqa: S311 - no secret
    words = [f"{dice.randrange(1 << 40):010x}" for _ in range(500)]
    for number in range(count):
        held = number % 200 == 0
        name = HELD[number // 200 % len(HELD)] if held else f"{dice.choice(words)}-{number % 8000}"
        versions = [f"{n // 10}.{n % 10}.0" for n in range(dice.randrange(VERSIONS))]
        events = [{"introduced": "0"}, {"fixed": f"{dice.randrange(1, 4)}.0"}]
        record = {
            "schema_version": "1.6.0",
            "id": f"GHSA-{number:06d}",
            "modified": "2026-01-01T00:00:00Z",
            "aliases": [f"CVE-2026-{number}"],
            "summary": " ".join(dice.choices(words, k=8)),
            "details": " ".join(dice.choices(words, k=dice.randrange(20, 400))),
            "severity": [{"type": "CVSS_V3", "score": _VECTOR}],
            "affected": [
                {
                    "package": {
                        "ecosystem": "PyPI",
                        "name": name,
                        "purl": f"pkg:pypi/{name}",
                    },
                    "ranges": [{"type": "ECOSYSTEM", "events": events}],
                    "versions": versions,
                }
            ],
            "references": [
                {"type": "WEB", "url": f"https://example.com/{word}"}
                for word in dice.choices(words, k=8)
            ],
        }
        yield f"GHSA-{number:06d}.json", json.dumps(record, indent=2).encode()


def _read(where: Path) -> tuple[float, float, int, int, int]:
    """Seconds of a processor, memory, records in all, those about the packages, and findings."""
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(where), *HELD],
        env={**os.environ, "PYTHONPATH": str(ROOT / "ci")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise EggcrateError(f"{where} could not be read", why=done.stderr)
    seconds, peak, count, about, found = json.loads(done.stdout)
    return seconds, peak, count, about, found
