"""What a company's own package adds to Eggcrate, found by entry points.

A plugin is a callable, named in the metadata of an installed distribution
(https://packaging.python.org/en/latest/specifications/entry-points/). Which arguments it gets
and what it gives back, each group says where it is called.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from eggcrate.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Callable

POLICIES = "eggcrate.policies"
"""Rules that environments are judged by."""
GENERATORS = "eggcrate.generators"
"""Things that ``eggcrate new`` makes."""
REPORT_SECTIONS = "eggcrate.report_sections"
"""Parts of a pull request's report."""
SIGNERS = "eggcrate.signers"
"""Keys in services of a company's own, by the scheme of their URI."""
GROUPS = (POLICIES, GENERATORS, REPORT_SECTIONS, SIGNERS)


@dataclass(frozen=True, kw_only=True, order=True)
class Plugin:
    """One entry point of an installed distribution."""

    group: str
    name: str
    distribution: str
    """Name and version of what it was installed with."""
    value: str
    """``module:object``, as the metadata names it."""

    def call(self, *arguments: Any, **settings: Any) -> Any:
        """Load it and call it.

        Raises:
            PluginError: it cannot be loaded, or it raised; the message names it.
        """
        try:
            return self._load()(*arguments, **settings)
        except (Exception, SystemExit) as error:  # one that ends the program is one that fails
            raise PluginError(
                f"the plugin {self.name} ({self.group}) of {self.distribution} failed",
                why=f"{type(error).__name__}: {error}",
                hint="`eggcrate doctor` lists the active plugins; uninstall it or mend it",
            ) from error

    def problem(self) -> str:
        """Why it cannot be called, as far as loading it tells; empty when it can."""
        try:
            found = self._load()
        except (Exception, SystemExit) as error:
            return f"cannot be loaded: {type(error).__name__}: {error}"
        return "" if callable(found) else f"{self.value} is no function"

    def _load(self) -> Callable[..., Any]:
        entry = metadata.EntryPoint(name=self.name, group=self.group, value=self.value)
        found: Callable[..., Any] = entry.load()
        return found


def plugins(group: str) -> tuple[Plugin, ...]:
    """The active plugins of a group, in order of their names."""
    found = {
        Plugin(
            group=group,
            name=entry.name,
            distribution=f"{entry.dist.name} {entry.dist.version}" if entry.dist else "",
            value=entry.value,
        )
        for entry in metadata.entry_points(group=group)
    }
    return tuple(sorted(found))
