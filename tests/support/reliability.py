"""``docs/reliability.md``: faults and bad input that tests try, and how each test ended.

``make reliability`` runs those tests and writes the page. Each claim is a test's own docstring.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from eggcrate.files import atomic_write

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
SECTIONS = {
    "Disks, kills and concurrent runs": (
        "tests/build/test_engine_faults.py",
        "tests/registry/test_layout.py",
        "tests/test_leftovers.py",
        "tests/test_faults.py",
        "tests/build/test_disturbed_builds.py",
        "tests/test_shortage.py",
        "tests/test_once.py",
    ),
    "Clocks that are set": ("tests/test_clocks.py",),
    "Registries and networks": (
        "tests/registry/test_remote_faults.py",
        "tests/registry/test_remote_patience.py",
        "tests/registry/test_referrers.py",
    ),
    "Hostile archives and layers": (
        "tests/build/test_wheel_unit.py",
        "tests/packages/debian/test_contents.py",
        "tests/runtimes/test_rootfs.py",
    ),
    "What runs in a cell": ("tests/runtimes/test_endings.py", "tests/runtimes/test_sandbox.py"),
    "Signatures, provenance, vulnerabilities": (
        "tests/registry/test_signing.py",
        "tests/build/test_attest.py",
        "tests/build/test_verified.py",
        "tests/packages/test_osv_source.py",
        "tests/cli/test_audit.py",
        "tests/cli/test_fix_proves.py",
    ),
    "The same bytes everywhere": ("tests/cloud/test_two_machines.py",),
    "Parsers of outside data": ("tests/fuzz/test_parsers.py",),
}
_HEAD = """\
# What was tried to break it

Made by `make reliability` from a run of the tests named here; each claim is the sentence that its
test proves. A test that a machine cannot run (no Docker, no network) is skipped by name there.
[The threat model](threat-model.md) says what is not defended against.
"""


@dataclass(frozen=True, kw_only=True, order=True)
class Claim:
    """A test and what it proves."""

    file: str
    test: str
    text: str
    """The first paragraph of its docstring."""


def claims(file: str) -> list[Claim]:
    """The tests of a file, in their order."""
    return [
        Claim(file=file, test=node.name, text=_paragraph(ast.get_docstring(node) or ""))
        for node in ast.parse((ROOT / file).read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]


def _paragraph(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split())


def page(results: dict[tuple[str, str], Counter[str]]) -> str:
    """The page, from what became of the cases of each test."""
    parts = [_HEAD]
    for title, files in SECTIONS.items():
        rows = ["| tried | proven | cases |", "|---|---|---|"]
        for one in (claim for file in files for claim in claims(file)):
            cases = results.get((one.file, one.test), Counter())
            told = ", ".join(f"{count} {word}" for word, count in sorted(cases.items()))
            name = one.test.removeprefix("test_").replace("_", " ")
            rows.append(f"| {name} | {_escaped(one.text)} | {told or 'not run'} |")
        named = ", ".join(f"[{Path(file).name}](../{file})" for file in files)
        parts.append(f"## {title}\n\n{named}\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _escaped(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|").replace("<", "&lt;")


def read_results(junit: Path) -> dict[tuple[str, str], Counter[str]]:
    """How many cases of each test ended in which way."""
    found: dict[tuple[str, str], Counter[str]] = {}
    for case in ET.parse(junit).iter("testcase"):  # noqa: S314 - pytest wrote it
        file = f"{case.get('classname', '').replace('.', '/')}.py"
        if not file.startswith("tests/"):
            file = f"tests/{file}"
        name = re.split(r"[\[@]", case.get("name", ""), maxsplit=1)[0]  # @: the group of a worker
        words = {"failure": "failed", "error": "failed", "skipped": "skipped"}
        ended = next((words[child.tag] for child in case if child.tag in words), "passed")
        found.setdefault((file, name), Counter())[ended] += 1
    return found


def main() -> int:
    """Run the tests and write the page."""
    # Sorted: pytest forgets the fixtures of a folder that it comes back to.
    files = sorted(file for names in SECTIONS.values() for file in names)
    with tempfile.TemporaryDirectory() as scratch:
        junit = Path(scratch, "junit.xml")
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup"]
        done = subprocess.run(
            [*command, f"--junitxml={junit}", *files, *sys.argv[1:]], cwd=ROOT, check=False
        )
        atomic_write(PAGE, page(read_results(junit)))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
