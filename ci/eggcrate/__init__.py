"""Eggcrate: one lean image per environment, component code outside, every pairing proven."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eggcrate.pipelines.authoring import component

__version__ = "0.1.0"
__all__ = ["__version__", "component"]


def __getattr__(name: str) -> Any:
    """Find ``component`` when it is first asked for: the command line has no use for it."""
    if name == "component":
        from eggcrate.pipelines.authoring import component  # noqa: PLC0415 - as above

        return component
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
