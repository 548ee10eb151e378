"""The site: what it tells, that nothing of anyone's becomes markup, and which files it writes."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from eggcrate.errors import UsageError
from eggcrate.report.html import Markup, prose, table, tag
from eggcrate.report.site import write_site
from support.adding import World, world, write_code
from support.planning import commit, git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = '</script><script>alert(1)</script><img src="x" onerror="alert(2)">'


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.found += [value or "" for name, value in attrs if name in ("href", "src")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two environments, two components and a pipeline, with hostile texts in all of them."""
    with world(tmp_path_factory.mktemp("world")) as found:
        root = found.repository.root
        write_code(root, f"Use {HOSTILE}.", f"Do {HOSTILE}", [""])
        path = found.one / "pyproject.toml"
        path.write_text(
            path.read_text().replace('name = "one"', f"name = \"one\"\ndescription = '{HOSTILE}'")
            + "supported-until = 2020-01-31\n"
        )
        git(root, "init", "-q", "-b", "main")
        commit(root, f"first {HOSTILE}")
        run = {
            "cells": [
                {
                    "component": "uses_beta",
                    "flavour": "",
                    "environment": "one",
                    "outcome": "failed",
                    "reason": HOSTILE,
                    "image": "",
                    "seconds": 1.5,
                    "command": "",
                    "key": "",
                }
            ],
            "images": [],
        }
        (root / "build" / "matrix").mkdir(parents=True)
        (root / "build" / "matrix" / "matrix.json").write_text(json.dumps(run))
        ran = found.run("report", "--site")
        assert ran.code == 0, ran.err
        yield found


def test_every_page_is_there_and_every_link_leads_somewhere(made: World) -> None:
    """One page for everything; no link leaves the site, and nothing is loaded."""
    folder = made.repository.root / "build" / "site"
    pages = {str(path.relative_to(folder)): path for path in folder.rglob("*.html")}
    assert set(pages) == {
        *("index.html", "environments/one.html", "environments/two.html"),
        *("components/uses_beta.html", "components/uses_epsilon.html", "pipelines/all.html"),
    }
    for path in pages.values():
        links = _Links()
        links.feed(path.read_text())
        assert "img" not in links.tags
        assert links.tags.count("script") == (2 if path.name == "index.html" else 0)
        for link in links.found:
            target = path if link.startswith("#") else path.parent / link
            assert target.is_file(), (path, link)


def test_texts_of_anyone_are_only_shown(made: World) -> None:
    """Nothing of a description, docstring, commit or reason is markup, in no page."""
    for path in (made.repository.root / "build" / "site").rglob("*.html"):
        text = path.read_text()
        assert HOSTILE not in text
        assert "<script>alert" not in text


def test_the_page_of_an_environment_tells_all(made: World) -> None:
    """Packages through whom, cells with their reasons, the lock's history, a day that is past."""
    text = (made.repository.root / "build/site/environments/one.html").read_text()
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text.partition("<main")[2]))
    assert "2020-01-31 (past)" in plain
    assert "beta 1.0 alpha" in plain
    assert "failed" in plain
    assert "In an image of an earlier lock." in plain
    assert "first &lt;/script&gt;" in plain
    assert "needs epsilon&gt;=1, which it does not hold" in plain


def test_what_is_no_more_is_removed_and_nothing_else(made: World, tmp_path: Path) -> None:
    """Files of others are kept, and a folder of others is refused."""
    folder = tmp_path / "site"
    write_site({"index.html": "a", "environments/x.html": "b"}, folder)
    (folder / "environments" / "theirs.html").write_text("c")
    write_site({"index.html": "d"}, folder)
    left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert left == {"index.html", "environments/theirs.html", "site.json"}
    (folder / "site.json").write_text('{"files": ["../../kept.html", "/etc/passwd", 3]}')
    (tmp_path.parent / "kept.html").write_text("")
    write_site({"index.html": "d"}, folder)
    assert (tmp_path.parent / "kept.html").exists()
    with pytest.raises(UsageError, match="is not empty"):
        write_site({"index.html": "d"}, tmp_path)
    ran = made.run("report", "--site", "components", "--dry-run")
    assert (ran.code, "not a site of ours" in ran.err) == (2, True)


def test_html_escapes_all_but_markup() -> None:
    """Texts and values of attributes; what is markup stays it."""
    assert tag("a", "<b>", Markup("<i>"), href='"x') == '<a href="&quot;x">&lt;b&gt;<i></a>'
    assert prose("``<a>`` or b") == "<code>&lt;a&gt;</code> or b"
    assert table(("a",), []) == ""
