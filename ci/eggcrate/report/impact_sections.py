"""Sections that plugins add to an impact's report."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from eggcrate.errors import PluginError
from eggcrate.plugins import REPORT_SECTIONS, plugins
from eggcrate.report.markdown import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from eggcrate.plugins import Plugin


def plugin_sections(document: Mapping[str, Any], warn: Callable[[str], None]) -> tuple[str, ...]:
    """What each plugin of the group ``eggcrate.report_sections`` adds, as Markdown.

    A plugin is called with the document ``eggcrate.impact/1`` and gives back Markdown, or
    nothing when it has nothing to say. One that fails is told, in the report as well.

    Args:
        document: the impact.
        warn: told of plugins that fail.
    """
    found = []
    for plugin in plugins(REPORT_SECTIONS):
        try:
            told = _told(plugin, document)
        except PluginError as error:
            warn(str(error))
            told = f"_The section {safe(plugin.name)} is missing: its plugin failed._"
        if told:
            found.append(told)
    return tuple(found)


def _told(plugin: Plugin, document: Mapping[str, Any]) -> str:
    told = plugin.call(copy.deepcopy(dict(document)))
    if told is None:
        return ""
    if not isinstance(told, str):
        raise PluginError(
            f"the plugin {plugin.name} of {plugin.distribution} gave back what is no text",
            why=f"it is of type {type(told).__name__}",
            hint="a report section is Markdown, or None",
        )
    return told.strip()
