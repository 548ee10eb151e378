"""Eggcrate: one lean image per environment, component code outside, every pairing proven."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eggcrate.pipelines.authoring import component
    from eggcrate.pipelines.timeouts import set_timeout

__version__ = "0.1.0"
__all__ = ["__version__", "component", "set_timeout"]


def __getattr__(name: str) -> Any:
    """Find what pipelines are written with when it is asked for: the command line has no use."""
    if name == "component":
        from eggcrate.pipelines.authoring import component  # noqa: PLC0415 - as above

        return component
    if name == "set_timeout":
        from eggcrate.pipelines.timeouts import set_timeout  # noqa: PLC0415 - as above

        return set_timeout
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
