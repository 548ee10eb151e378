"""The site's first page: everything there is, and who holds a package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.matrix.cells import Outcome
from eggcrate.report.html import Markup, joined, section, table, tag
from eggcrate.report.page import asset, embedded
from eggcrate.report.site_environment import alike_table
from eggcrate.report.site_pages import (
    DASH,
    component_link,
    environment_link,
    pipeline_link,
    proven,
    support,
    whole,
)
from eggcrate.report.sizes import size

if TYPE_CHECKING:
    from eggcrate.report.site_pages import Site

TITLE = "Environments, components and pipelines"


def page(site: Site) -> str:
    """All of it, with a search box."""
    catalogue = site.catalogue
    body = [
        _search(),
        _errors(site),
        section(
            f"Environments ({len(catalogue.environments)})", _environments(site), id_="environments"
        ),
        section(f"Components ({len(catalogue.components)})", _components(site), id_="components"),
        section(f"Pipelines ({len(catalogue.pipelines)})", _pipelines(site), id_="pipelines"),
        section(
            "Much alike",
            alike_table(site.alike, site, "") if site.alike else None,
            id_="alike",
            note="One of each pair may be enough.",
        ),
        tag("script", Markup(embedded(_data(site))), type="application/json", id_="data"),
    ]
    return whole(TITLE, body, site, up="", script=asset("site.js"))


def _search() -> Markup:
    box = tag(
        "input",
        type="search",
        id_="search",
        placeholder="numpy, protobuf<4, pandas>=2 pyarrow …",
        autocomplete="off",
        spellcheck="false",
        aria_describedby="found",
    )
    return tag(
        "section",
        tag("h2", tag("label", "Who holds a package?", **{"for": "search"})),
        box,
        tag("p", id_="found", class_="quiet", role="status"),
        tag("div", id_="answer"),
        tag("noscript", tag("p", "Searching needs JavaScript; the lists below do not.")),
        class_="search",
    )


def _errors(site: Site) -> Markup:
    return section(
        "What cannot be read",
        *(
            tag("p", tag("strong", subject), f": {error.what}", class_="reason error")
            for subject, error in site.catalogue.errors.items()
        ),
        id_="errors",
    )


def _environments(site: Site) -> Markup:
    total = len(site.catalogue.components)
    rows = [
        (
            environment_link(one.name, site, ""),
            one.environment.description or DASH,
            ".".join(one.resolved.recipe.target.python.split(".")[:2]),
            str(len(one.contents.packages)),
            size(one.size.unpacked if one.size else None),
            f"{len(site.catalogue.components_of(one.name))} of {total}",
            proven(site, one.name),
            support(one, site.today),
            one.environment.owner or DASH,
        )
        for one in site.catalogue.environments.values()
    ]
    head = (
        *("environment", "for", "Python", "packages", "unpacked", "compatible", "cells proven"),
        *("supported until", "owner"),
    )
    return table(head, rows, right="packages, unpacked, compatible, cells proven")


def _components(site: Site) -> Markup:
    total = len(site.catalogue.environments)
    rows = [
        (
            component_link(name, site, ""),
            one.component.description or one.signature.summary or DASH,
            ", ".join(one.component.flavours) or DASH,
            environment_link(one.component.environment, site, "") or DASH,
            f"{len(one.environments)} of {total}",
            _bad(site, name),
        )
        for name, one in site.catalogue.components.items()
    ]
    head = ("component", "does", "flavours", "default environment", "compatible", "not good")
    return table(head, rows, right="compatible, not good")


def _bad(site: Site, component: str) -> str:
    cells = [one for cell, one in site.last.cells.items() if cell.component == component]
    if not any(one.outcome is not Outcome.NOT_SELECTED for one in cells):
        return DASH
    return str(sum(not one.outcome.good for one in cells))


def _pipelines(site: Site) -> Markup:
    rows = [
        (
            pipeline_link(name, ""),
            one.signature.summary or DASH,
            joined([component_link(step.component, site, "") for step in one.steps], " → "),
        )
        for name, one in site.catalogue.pipelines.items()
    ]
    return table(("pipeline", "does", "steps"), rows)


def _data(site: Site) -> dict[str, Any]:
    """Who holds what: for each package its environments, with version and whether it is direct."""
    environments = list(site.catalogue.environments.values())
    packages: dict[str, list[list[Any]]] = {}
    for place, one in enumerate(environments):
        direct = one.contents.direct or frozenset()
        for name, version in sorted(one.contents.packages.items()):
            packages.setdefault(name, []).append([place, version, int(name in direct)])
    return {"environments": [one.name for one in environments], "packages": packages}
