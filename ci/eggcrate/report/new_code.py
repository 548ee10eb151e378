"""What making a component or a pipeline comes to, for people and as a document."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.matrix.new_component import Drafted
    from eggcrate.repo.generated import Generated
    from eggcrate.repo.new_pipeline import NewPipeline


def component(drafted: Drafted, *, written: bool) -> str:
    """What it is, where it could run, what to do next."""
    made = drafted.component
    needs = "; ".join(made.dependencies) or "nothing"
    lines = [f"components/{made.name}: {made.description}", f"  needs {needs}"]
    lines += [
        f"  as {flavour}: {'; '.join(needed) or 'nothing more'}"
        for flavour, needed in made.flavours.items()
    ]
    lines += _near(drafted.near)
    lines += [f"  fits {', '.join(drafted.homes) or 'no environment'}"]
    lines += [f"  not {name}: {reason}" for name, reason in drafted.reasons.items()]
    if made.environment and made.environment not in drafted.homes:
        lines.append(f"  {made.environment}, where it runs by default, is not among them")
    command = f"eggcrate matrix --component {made.name}"
    if not drafted.homes:
        command = f"eggcrate where {shlex.join(made.dependencies)}"
    return _ended(lines, [f"write components/{made.name}/component.py", command], written=written)


def pipeline(wanted: NewPipeline, *, written: bool) -> str:
    """What it is, and what to do next."""
    lines = [f"pipelines/{wanted.name}: {wanted.description}", *_near(wanted.near)]
    lines += [f"  {wire}" for wire in wanted.wires]
    todo = [f"write pipelines/{wanted.name}/pipeline.py", f"eggcrate compile {wanted.name}"]
    return _ended(lines, todo, written=written)


def _near(names: tuple[str, ...]) -> list[str]:
    return [f"  its name is close to {', '.join(names)}: is it another one?"] if names else []


def _ended(lines: list[str], todo: list[str], *, written: bool) -> str:
    last = f"next: {'; then: '.join(todo)}" if written else "nothing was written (--dry-run)"
    return "\n".join([*lines, "", last])


def component_document(drafted: Drafted, *, written: bool) -> dict[str, Any]:
    """The same as ``eggcrate.new/1``."""
    made = drafted.component
    return {
        "kind": "component",
        "name": made.name,
        "written": written,
        "folder": f"components/{made.name}",
        "description": made.description,
        "environment": made.environment,
        "requirements": list(made.dependencies),
        "flavours": {name: list(needed) for name, needed in made.flavours.items()},
        "environments": [
            *({"name": name, "fits": True, "reason": ""} for name in drafted.homes),
            *(
                {"name": name, "fits": False, "reason": reason}
                for name, reason in drafted.reasons.items()
            ),
        ],
        "near": list(drafted.near),
    }


def pipeline_document(wanted: NewPipeline, *, written: bool) -> dict[str, Any]:
    """The same as ``eggcrate.new/1``."""
    return {
        "kind": "pipeline",
        "name": wanted.name,
        "written": written,
        "folder": f"pipelines/{wanted.name}",
        "description": wanted.description,
        "wires": list(wanted.wires),
        "near": list(wanted.near),
    }


def generated(made: Generated, root: Path, *, written: bool) -> str:
    """The files that a plugin makes."""
    lines = [f"{made.kind} {made.name}:", *(f"  {one}" for one in _files(made, root))]
    return "\n".join(lines if written else [*lines, "", "nothing was written (--dry-run)"])


def generated_document(made: Generated, root: Path, *, written: bool) -> dict[str, Any]:
    """The same as ``eggcrate.new/1``."""
    return {
        "kind": made.kind,
        "name": made.name,
        "written": written,
        "files": _files(made, root),
    }


def _files(made: Generated, root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in made.contents)
