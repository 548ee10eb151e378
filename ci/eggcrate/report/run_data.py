"""A run as the program of its page reads it: ``eggcrate.run/1`` with files and places.

The document is another program's: what is missing or of another kind in it is left out, and no
path in it leads out of the run's folder.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from eggcrate.errors import EggcrateError
from eggcrate.report.plain import plain, tail
from eggcrate.report.run_graph import Node, draw

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

SCHEMA = "eggcrate.run/1"
_LOGS, _BAD, _GOOD = 4_000_000, 200_000, 20_000
"""Characters of all logs, of a log of a task that is not good, and of another."""
_FILES, _FILE = 8_000_000, 1_000_000
"""Bytes of all HTML and Markdown in the page, and of one file."""
_OPEN_ITERATIONS = 6
"""Of a loop with more, iterations are drawn as one box."""
_EARLIER = 8
_GOOD_STATES = frozenset({"succeeded", "reused", "skipped", "waiting", "running"})
_ITERATION = re.compile(r"(.*)\[\d+\]")
_SHOWN = ("system.HTML", "system.Markdown")


def read_run(folder: Path) -> dict[str, Any]:
    """The document of a run.

    Raises:
        EggcrateError: there is none, or it is not one.
    """
    path = folder / "run.json"
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise EggcrateError(f"{path} cannot be read", why=str(error)) from error
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise EggcrateError(f"{path} is not a document of the schema {SCHEMA}")
    return found


def run_data(document: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What the page shows.

    Args:
        document: of the run.
        folder: that its paths are relative to.
    """
    tasks = _tasks(document)
    files = _Files(folder)
    # What is not good gets room first.
    order = sorted(range(len(tasks)), key=lambda at: _text(tasks[at], "state") in _GOOD_STATES)
    told = {at: _task(tasks[at], files) for at in order}
    earlier = [*_earlier(document, folder), document]
    return {
        **{name: _text(document, name) for name in ("pipeline", "run", "project", "stage")},
        **{name: _text(document, name) for name in ("runtime", "state", "started", "reason")},
        "seconds": _number(document.get("seconds")),
        "parameters": _table(document.get("parameters")),
        "outputs": _values(_dict(document.get("outputs")), files),
        "tasks": [told[at] for at in range(len(tasks))],
        **_graphs(tasks),
        "compared": _compared(earlier),
    }


class _Files:
    """The run's files, with room for so much of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._logs, self._files = _LOGS, _FILES

    def inside(self, name: str) -> Path | None:
        """A file or folder of the run; nothing when there is none, or it is not the run's."""
        try:
            path = (self._folder / name).resolve(strict=True)
            found = path.is_relative_to(self._folder) and path != self._folder
        except (OSError, ValueError, RuntimeError):
            return None
        return path if found else None

    def log(self, name: str, *, good: bool) -> dict[str, Any]:
        """The end of a log, and how many characters before it are left out."""
        path = self.inside(name) if name else None
        if path is None or not path.is_file():
            return {}
        limit = min(self._logs, _GOOD if good else _BAD)
        with path.open("rb") as file:
            size = path.stat().st_size
            file.seek(max(0, size - 2 * limit))
            text = file.read(2 * limit).decode(errors="replace")
        shown, cut = tail(plain(text), limit)
        self._logs -= len(shown)
        return {"log": shown, "cut": cut + max(0, size - 2 * limit), "file": self.link(path)}

    def link(self, path: Path) -> str:
        """A file as a link from the page."""
        return path.relative_to(self._folder).as_posix()

    def content(self, path: Path) -> str | None:
        """Text of a file that is shown in the page; nothing when it is too large."""
        if not path.is_file() or (size := path.stat().st_size) > min(_FILE, self._files):
            return None
        self._files -= size
        return path.read_bytes().decode(errors="replace")


def _task(task: Mapping[str, Any], files: _Files) -> dict[str, Any]:
    state = _text(task, "state")
    told: dict[str, Any] = {
        name: _text(task, name)
        for name in ("id", "parent", "name", "component", "kind", "reason", "image", "environment")
    }
    told |= {
        "state": state,
        "reused": _text(task, "reused_from"),
        "started": _text(task, "started"),
        "needs": _names(task.get("needs")),
        "seconds": _number(task.get("seconds")),
        "attempts": _number(task.get("attempts")),
        "inputs": _values(_dict(task.get("inputs")), files),
        "outputs": _values(_dict(task.get("outputs")), files, shown=True),
        **files.log(_text(task, "log"), good=state in _GOOD_STATES),
    }
    return {name: value for name, value in told.items() if value not in ("", [], None)}


def _values(values: Mapping[str, Any], files: _Files, *, shown: bool = False) -> dict[str, Any]:
    artifacts = [
        _artifact(name, item, files, shown=shown)
        for name, items in _dict(values.get("artifacts")).items()
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, dict)
    ]
    return {"parameters": _table(values.get("parameters")), "artifacts": artifacts}


def _artifact(
    name: str, artifact: Mapping[str, Any], files: _Files, *, shown: bool
) -> dict[str, Any]:
    kind = _text(artifact, "type")
    path = files.inside(_text(artifact, "path")) if artifact.get("path") else None
    told: dict[str, Any] = {
        "name": plain(name),
        "type": kind,
        "uri": _text(artifact, "uri") or _text(artifact, "path"),
        "link": files.link(path) if path else "",
        "size": path.stat().st_size if path and path.is_file() else None,
        "metadata": _dict(artifact.get("metadata")),
    }
    if shown and path and kind in _SHOWN:
        told["content"] = files.content(path)
    return {key: value for key, value in told.items() if value not in ("", None, {})}


def _graphs(tasks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The graph from top to bottom and from left to right, and loops that are one box in it."""
    stacks = _stacks(tasks)
    parents = {_text(task, "id"): _text(task, "parent") for task in tasks}
    member = {name: stack for stack, names in stacks.items() for name in names}

    def seen(name: str) -> str:
        """What stands for a task in the drawing."""
        passed: set[str] = set()
        at, found = name, member.get(name, name)
        while at in parents and at not in passed:
            passed.add(at)
            found = member.get(at, found)
            at = parents[at]
        return found

    shown: dict[str, tuple[str, dict[str, None]]] = {}
    for task in tasks:
        name = seen(_text(task, "id"))
        _, needs = shown.setdefault(name, (_text(task, "parent"), {}))
        needs |= {seen(need): None for need in _names(task.get("needs"))}
    nodes = [
        Node(id=name, parent=parent, needs=tuple(need for need in needs if need != name))
        for name, (parent, needs) in shown.items()
    ]
    places = {_text(task, "id"): at for at, task in enumerate(tasks)}
    return {
        "stacks": {name: [places[one] for one in names] for name, names in stacks.items()},
        "graphs": [_drawing(nodes, across=across) for across in (False, True)],
    }


def _drawing(nodes: Sequence[Node], *, across: bool) -> dict[str, Any]:
    drawing = draw(nodes, across=across)
    return {
        "size": [round(drawing.width), round(drawing.height)],
        "boxes": [
            [name, *(round(value, 1) for value in (box.x, box.y, box.width, box.height))]
            for name, box in drawing.boxes.items()
        ],
        "edges": [
            [edge.source, edge.target, [[round(x, 1), round(y, 1)] for x, y in edge.points]]
            for edge in drawing.edges
        ],
    }


def _stacks(tasks: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    loops: dict[tuple[str, str], list[str]] = defaultdict(list)
    for task in tasks:
        if _text(task, "kind") == "iteration" and (
            match := _ITERATION.fullmatch(_text(task, "id"))
        ):
            loops[_text(task, "parent"), match[1]].append(_text(task, "id"))
    return {
        f"{loop}[*]": names for (_, loop), names in loops.items() if len(names) > _OPEN_ITERATIONS
    }


def _earlier(document: Mapping[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Runs of the same pipeline that began before, the last few, the oldest first."""
    found = []
    for path in folder.resolve().parent.glob("*/run.json"):
        try:
            other = read_run(path.parent)
        except EggcrateError:
            continue
        mine = (_text(document, "started"), _text(document, "run"))
        if other.get("pipeline") == document.get("pipeline"):
            theirs = (_text(other, "started"), _text(other, "run"))
            if theirs < mine:
                found.append((theirs, other))
    return [other for _, other in sorted(found, key=lambda item: item[0])[-_EARLIER:]]


def _compared(documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Metrics of several runs of a pipeline, side by side; this one is the last."""
    columns = [metrics_of(one) for one in documents]
    names = list(dict.fromkeys(name for one in reversed(columns) for name in one))
    return {
        "runs": [[_text(one, "run"), _text(one, "state")] for one in documents],
        "rows": [[name, [one.get(name) for one in columns]] for name in names],
    }


def metrics_of(document: Mapping[str, Any]) -> dict[str, float]:
    """Numbers of a run's metrics, by task, artifact and name."""
    found = {}
    for task in _tasks(document):
        artifacts = _dict(_dict(task.get("outputs")).get("artifacts"))
        for name, items in artifacts.items():
            for item in items if isinstance(items, list) else []:
                if isinstance(item, dict) and item.get("type") == "system.Metrics":
                    for metric, value in _dict(item.get("metadata")).items():
                        if (number := _number(value)) is not None:
                            found[plain(f"{task['id']} · {name} · {metric}")] = number
    return found


def _tasks(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tasks that have a name of their own, each once."""
    tasks = document.get("tasks")
    told: dict[str, dict[str, Any]] = {}
    for task in tasks if isinstance(tasks, list) else []:
        if isinstance(task, dict) and isinstance(task.get("id"), str) and task["id"]:
            told.setdefault(_text(task, "id"), task)
    return list(told.values())


def _table(value: object) -> list[list[str]]:
    return [
        [plain(str(name)), one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)]
        for name, one in _dict(value).items()
    ]


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _names(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _text(value: Mapping[str, Any], name: str) -> str:
    found = value.get(name)
    return plain(found) if isinstance(found, str) else ""


def _number(value: object) -> float | None:
    """A finite number; NaN and infinities are no JSON."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < float("inf") else None
