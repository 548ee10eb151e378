"""The tool that runs documentation notices what is not as the page says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from support.transcript import first_missing, read_steps, run_step

if TYPE_CHECKING:
    from pathlib import Path

PAGE = """\
text `$ not this`

```console
$ echo one
one
$ echo two \\
> three
two three
```

```toml
$ nor this
```

```console
$ false
```
"""


def test_commands_and_output_are_read_with_their_lines(tmp_path: Path) -> None:
    """Only console blocks hold commands; a command may go on in a second line."""
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    steps = read_steps(page)
    assert [(step.line, step.command, step.shown) for step in steps] == [
        (4, "echo one", ("one",)),
        (6, "echo two \\\nthree", ("two three",)),
        (16, "false", ()),
    ]


@pytest.mark.parametrize(
    ("shown", "actual"),
    [
        (["a 1.2.3  4 MB"], ["b", "a 2.0   17.25 kB"]),
        (["x  -----  --"], ["x  --------  --"]),
        (["first", "…", "last"], ["first", "middle", "last"]),
        (["it needs …"], ["it needs pandas"]),
        (["predict  passed 2.1 s"], ["predict  reused"]),
        (["commit abcdef0 ok"], ["commit 0123456789abcdef ok"]),
    ],
)
def test_numbers_and_widths_may_be_others(shown: list[str], actual: list[str]) -> None:
    """What changes with the index is not part of what a page promises."""
    assert first_missing(shown, actual) is None


@pytest.mark.parametrize(
    ("shown", "actual", "missing"),
    [
        (["fits"], ["moves"], "fits"),
        (["predict  passed 2.1 s"], ["predict  FAILED"], "predict  passed 2.1 s"),
        (["a", "b"], ["b", "a"], "b"),
        (["pandas 1"], ["polars 1"], "pandas 1"),
        (["a", "a"], ["a"], "a"),
    ],
)
def test_words_and_order_are_held(shown: list[str], actual: list[str], missing: str) -> None:
    """A page that promises another word, or another order, is found out."""
    assert first_missing(shown, actual) == missing


def test_a_command_must_end_as_the_page_shows(tmp_path: Path) -> None:
    """An error that the page does not show, or does not come, fails the test."""
    page = tmp_path / "page.md"
    page.write_text(
        "```console\n$ false\n$ true\nerror: no\n$ echo error: yes; false\nerror: yes\n```"
    )
    silent, promised, right = read_steps(page)
    with pytest.raises(AssertionError, match="exit code 1"):
        run_step(silent, tmp_path, os.environ)
    with pytest.raises(AssertionError, match="exit code 0"):
        run_step(promised, tmp_path, os.environ)
    assert run_step(right, tmp_path, os.environ) == "error: yes\n"
