"""What documentation and CI name exists: commands and their options, make targets, pages."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest

from eggcrate.cli import parser, verb_names
from eggcrate.cli.reference import FILE, commands_page

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
_CODE = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r"(?:^|\$ |- run: |&& |\(|- )((?:\.venv/bin/)?eggcrate|make) ([^#;&|)]*)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_RUN = re.compile(r"\.venv/bin/eggcrate ([^;&|>#\n]*)")
_WHEN_SET = re.compile(r"\$\{\w+:\+[^}]*\}")
_VALUE = re.compile(r'"?\$(?:\w+|\{\w+\})"?')
_TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
CI_FILES = [ROOT / "cloudbuild.yaml", *sorted((ROOT / "ci").glob("*.yaml"))]
CI_FILES += sorted((ROOT / "scripts").glob("*.sh"))
_INCOMPLETE = "the following arguments are required"
_STANDS_FOR = re.compile(r"[…\[\]|]|\\")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def commands(text: str) -> list[tuple[bool, list[str]]]:
    """Every call of eggcrate or make in a page, as words; patterns such as ``ENV …`` are none.

    With each whether it stands in a block, to be typed as it is, and not in a sentence.
    """
    found = []
    in_block = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            in_block = not in_block
            continue
        for piece in [line] if in_block else _CODE.findall(line):
            for match in _COMMAND.finditer(piece):
                if not _STANDS_FOR.search(match[0]):
                    with contextlib.suppress(ValueError):
                        words = [Path(match[1]).name, *shlex.split(match[2])]
                        found.append((in_block, words))
    return found


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    """docs/commands.md is never older than the help: `make docs` writes it."""
    assert (ROOT / FILE).read_text() == commands_page(), "run: make docs"


def test_every_verb_has_help_for_every_argument() -> None:
    """Nobody must guess what an option does."""
    lines = commands_page().splitlines()
    assert [line for line in lines if line.startswith("| `") and line.endswith("|  |")] == []


def refusal(words: list[str]) -> str:
    """What the command line says against these words; nothing when it takes them."""
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(told):
            parser(words).parse_args(words)
    except SystemExit as stop:
        if stop.code:
            return f"{' '.join(words)}: {told.getvalue().strip().splitlines()[-1]}"
    return ""


@each_page
def test_commands_parse(page: Path) -> None:
    """Each command in a page is one that this version understands, with these options."""
    wrong = []
    for whole, (name, *rest) in commands(page.read_text()):
        if name != "eggcrate" or not rest or rest[0] not in verb_names():
            continue
        refused = refusal(rest[: rest.index("--")] if "--" in rest else rest)
        # In a sentence `eggcrate follow --cancel` names an option, without the rest.
        if refused and (whole or _INCOMPLETE not in refused):
            wrong.append(refused)
    assert wrong == []


def test_commands_of_ci_parse() -> None:
    """Steps of builds, and the scripts they run, say nothing that this version refuses."""
    found = [
        shlex.split(_VALUE.sub("value", _WHEN_SET.sub("", said)))
        for path in CI_FILES
        for said in _RUN.findall(path.read_text().replace("\\\n", " "))
    ]
    assert {"matrix", "plan", "bases", "upload"} <= {words[0] for words in found}
    assert [refused for words in found if (refused := refusal(words))] == []


@each_page
def test_verbs_and_targets_exist(page: Path) -> None:
    """No page names a verb or a make target that is not there."""
    targets = set(_TARGET.findall((ROOT / "Makefile").read_text()))
    known = {"eggcrate": set(verb_names()), "make": targets}
    named = [words[:2] for _, words in commands(page.read_text()) if len(words) > 1]
    unknown = [
        " ".join(words)
        for words in named
        if not words[1].startswith("-") and words[1] not in known[words[0]]
    ]
    assert unknown == []


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    """Links to files of the repository, and to headings in them, are right."""
    broken = []
    for link in _LINK.findall(page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in headings(target)):
            broken.append(link)
    assert broken == []


def headings(page: Path) -> set[str]:
    """Anchors of a page, as forges make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
