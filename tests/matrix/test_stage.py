"""Cells see a copy of the components with plain modes."""

from __future__ import annotations

from pathlib import Path

from eggcrate.matrix.stage import staged


def test_modes_do_not_depend_on_the_checkout(tmp_path: Path) -> None:
    """A checkout under umask 077 gives cells the same files as any other."""
    source = tmp_path / "components"
    (source / "step" / "__pycache__").mkdir(parents=True)
    (source / "step" / "component.py").write_text("x = 1")
    (source / "step" / "run.sh").write_text("#!/bin/sh")
    (source / "step" / "__pycache__" / "component.pyc").write_text("")
    (source / "step" / "link").symlink_to("component.py")
    for path, mode in (("", 0o700), ("step", 0o700), ("step/component.py", 0o600)):
        (source / path).chmod(mode)
    (source / "step" / "run.sh").chmod(0o700)
    with staged(source, tmp_path / "scratch") as copy:
        modes = {
            str(path.relative_to(copy)): oct(path.stat().st_mode & 0o777)
            for path in sorted(copy.rglob("*"))
        }
        assert (copy / "step" / "link").readlink() == Path("component.py")
        assert oct(copy.parent.stat().st_mode & 0o777) == "0o755"
    assert modes == {
        "step": "0o755",
        "step/component.py": "0o644",
        "step/link": "0o644",
        "step/run.sh": "0o755",
    }
    assert list((tmp_path / "scratch").iterdir()) == []


def test_what_is_edited_meanwhile_is_not_seen(tmp_path: Path) -> None:
    """A save in the editor does not change what a run proves."""
    source = tmp_path / "components"
    source.mkdir()
    (source / "a.py").write_text("before")
    with staged(source, tmp_path / "scratch") as copy:
        (source / "a.py").write_text("after")
        assert (copy / "a.py").read_text() == "before"
