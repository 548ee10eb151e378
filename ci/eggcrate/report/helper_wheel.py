"""A wheel of helper modules as text and as a document: what it is, and how to use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.progress import human_size

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.pipelines.helper_wheel import HelperWheel


def summary(wheel: HelperWheel, path: Path, *, written: bool) -> str:
    """Where it is, its hash, and the two ways to use it."""
    modules = sum(1 for name in wheel.files if name.endswith(".py"))
    return f"""\
{"wrote" if written else "would write"} {path}
{modules} modules, {human_size(len(wheel.content))}, sha256 {wheel.sha256}

For components with share="package", put it where their environments or tasks can fetch it, and
- lock it in an environment:
    eggcrate add ENV '{_requirement(wheel)}'
- or have every task fetch it, under [tool.eggcrate] in pyproject.toml:
    wheel = "{_setting(wheel)}\""""


def document(wheel: HelperWheel, path: Path, *, dry_run: bool) -> dict[str, Any]:
    """The wheel as ``eggcrate.package/1``."""
    return {
        "dry_run": dry_run,
        "name": wheel.name,
        "version": wheel.version,
        "path": str(path),
        "sha256": wheel.sha256,
        "size": len(wheel.content),
        "files": sorted(wheel.files),
        "requirement": _requirement(wheel),
        "setting": _setting(wheel),
    }


def _requirement(wheel: HelperWheel) -> str:
    return f"{wheel.name} @ https://HOST/PATH/{wheel.quoted}"


def _setting(wheel: HelperWheel) -> str:
    return f"https://HOST/PATH/{wheel.quoted}#sha256={wheel.sha256}"
