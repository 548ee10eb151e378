"""Bundles: the same bytes everywhere, checked before they are used, refused when too large."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eggcrate.errors import CompileError
from eggcrate.pipelines.bundle import (
    KUBEFLOW,
    VERTEX,
    boot_program,
    check_size,
    import_of,
    make_bundle,
    unpack,
)
from eggcrate.pipelines.executor import executor_files
from support.compiled import Repo

if TYPE_CHECKING:
    from pathlib import Path

CODE = {"here.py": b"def it():\n    pass\n"}
names = st.from_regex(r"[a-z]{3,8}(/[a-z]{1,8}){0,2}\.py", fullmatch=True).filter(
    lambda name: name.split("/")[0] not in {"kfp", "eggcrate"}
)


@settings(max_examples=25, deadline=None)
@given(files=st.dictionaries(names, st.binary(max_size=300), max_size=8), seed=st.integers())
def test_the_same_files_make_the_same_bytes(files: dict[str, bytes], seed: int) -> None:
    """Whatever order they come in; and every byte of them is in the command."""
    items = list(files.items())
    random.Random(seed).shuffle(items)  # noqa: S311 - no secret
    first = make_bundle(files, task=import_of("a.b", "c"))
    again = make_bundle(dict(items), task=import_of("a.b", "c"))
    assert first.command == again.command
    inside = unpack(first.command)
    assert {name: inside[name] for name in files} == files
    assert inside["eggcrate_task.py"] == b"from a.b import c  # noqa: F401\n"


def test_the_executor_is_kfps_own_and_needs_nothing_else() -> None:
    """About 15 modules of the installed kfp travel, and none of its compiler."""
    found = dict(executor_files())
    assert "kfp/dsl/executor_main.py" in found
    assert len(found) < 25
    assert not {"kfp/compiler/compiler.py", "kfp/dsl/component_factory.py"} & found.keys()


def test_two_checkouts_compile_to_the_same_bytes(tmp_path: Path) -> None:
    """Folder, umask, times and what else stands in the repository make no difference."""
    found = []
    for number, mask in ((1, 0o022), (2, 0o077)):
        before = os.umask(mask)
        try:
            repo = Repo.make(tmp_path / f"checkout-{number}")
            repo.write({f"components/shared/unrelated_{number}.py": f"NUMBER = {number}\n"})
            repo.component("it", {"component.py": "from eggcrate import component\n" + IT})
        finally:
            os.umask(before)
        path = repo.root / "components/it/component.py"
        os.utime(path, (number, number))
        compiled = repo.compiled("it")
        found.append((compiled.bundle.command, compiled.interface))
    assert found[0] == found[1]


IT = """

@component
def it(name: str = "x", number: int = 2) -> str:
    return name
"""


def test_a_command_survives_kubernetes_and_kfp(repo: Repo) -> None:
    """Nothing that a backend expands is in it, and no argument is longer than Linux takes."""
    repo.component("it", {"component.py": "from eggcrate import component\n" + IT})
    command = repo.compiled("it").bundle.command
    assert not any("$(" in part or "{{" in part for part in command)
    large = make_bundle({"a.py": os.urandom(300_000)}, task=import_of("a", "b")).command
    assert int(large[3]) == len(large) - 5 > 3
    assert max(map(len, large)) < 131_071


def test_damaged_code_is_not_run() -> None:
    """The hash in the command is checked before anything is unpacked."""
    command = list(make_bundle(CODE, task=import_of("here", "it")).command)
    command[5] = command[5][:100] + ("A" if command[5][100] != "A" else "B") + command[5][101:]
    done = subprocess.run(
        [sys.executable, *command[1:]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "eggcrate: the code of this task is not what it was compiled with\n"


def test_a_bundle_too_large_names_the_largest_files() -> None:
    """And the ways out; Vertex takes what Kubeflow does not."""
    bundle = make_bundle(
        {**CODE, "big.py": os.urandom(90_000), "middle.py": os.urandom(9_000)},
        task=import_of("here", "it"),
    )
    check_size(bundle, VERTEX, concerning="it")
    with pytest.raises(CompileError) as told:
        check_size(bundle, KUBEFLOW, concerning="it")
    text = str(told.value)
    assert text.index("big.py") < text.index("middle.py")
    assert "Kubeflow takes" in text
    assert "next:" in text


@pytest.mark.parametrize("path", ["kfp/mine.py", "eggcrate/__init__.py", "eggcrate_task.py"])
def test_names_that_kfp_needs_are_not_taken_over(path: str) -> None:
    """A folder of the repository named like KFP's would hide it where the component runs."""
    with pytest.raises(CompileError, match="cannot travel"):
        make_bundle({path: b""}, task=import_of("a", "b"))


def test_the_boot_program_is_plain_python_of_old() -> None:
    """It runs on whatever Python an image has: no syntax newer than 3.9's."""
    import ast  # noqa: PLC0415 - for this test alone

    ast.parse(boot_program(), feature_version=(3, 9))
    assert "#" not in boot_program()
