"""The rooms of ci/eggcrate depend downwards only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "ci" / "eggcrate"
ROOMS = (
    "cli",
    "report",
    "cloud",
    "matrix",
    "pipelines",
    "build",
    "runtimes",
    "registry",
    "packages",
    "repo",
)
FLOOR = (
    *("errors", "process", "files", "progress", "plugins", "loopback", "questions", "parsing"),
    *("balance", "leftovers", "once", "retries", "wire"),
)
MODULES = sorted(PACKAGE.rglob("*.py"))


def _room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] == "eggcrate"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_below_it(path: Path) -> None:
    """No module imports a room above its own; the floor imports nothing but the floor."""
    module = path.relative_to(PACKAGE).with_suffix("").parts[0]
    for imported in _imports(path):
        room = _room(imported)
        if module in FLOOR:
            assert room in FLOOR, f"{path.name} imports {imported}"
        elif module in ROOMS and room in ROOMS:
            assert ROOMS.index(room) >= ROOMS.index(module), f"{path.name} imports {imported}"


def test_every_folder_is_a_known_room() -> None:
    """A new room is added to the list, and so to the order, before it is used."""
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders <= set(ROOMS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_outgrows_its_room(path: Path) -> None:
    """Around 300 lines a second room is due; 350 is the wall."""
    assert len(path.read_text().splitlines()) <= 350


def test_only_the_pipelines_room_imports_kfp() -> None:
    """KFP pins half the world: nothing but the pipelines room may need it."""
    for path in MODULES:
        if "pipelines" in path.parts:
            continue
        names = {
            name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names]
            )
        }
        assert not any(name.split(".")[0] == "kfp" for name in names), path
