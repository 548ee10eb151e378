"""The site's pages of components and pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.report.html import Markup, code, facts, joined, prose, section, table, tag
from eggcrate.report.site_environment import why
from eggcrate.report.site_pages import (
    DASH,
    badge,
    component_link,
    environment_link,
    pipeline_link,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from eggcrate.matrix.catalogue import CatalogueComponent, CataloguePipeline
    from eggcrate.repo.signatures import Port
    from eggcrate.report.html import Part
    from eggcrate.report.site_pages import Site


def component_page(one: CatalogueComponent, site: Site) -> str:
    """What it does, takes and gives, and where it can run."""
    component = one.component
    flavours = [
        (flavour, joined(map(code, needs), " "), str(len(one.of(flavour))))
        for flavour, needs in component.flavours.items()
    ]
    body = [
        tag("p", component.description, class_="lead"),
        _docstring(one.signature.summary, one.signature.text),
        facts(
            [
                ("default environment", environment_link(component.environment, site)),
                ("Python", component.requires_python),
                ("needs", joined(map(code, component.dependencies), " ")),
                ("pipelines", _pipelines(component.name, site)),
            ]
        ),
        section("Inputs", ports(one.signature.inputs, inputs=True), id_="inputs"),
        section("Outputs", ports(one.signature.outputs, inputs=False), id_="outputs"),
        section(
            "Flavours",
            table(("flavour", "needs", "environments"), flavours, right="environments"),
            id_="flavours",
        ),
        section("Environments", _environments(one, site), id_="environments"),
    ]
    return whole(component.name, body, site)


def _docstring(summary: str, text: str) -> Markup:
    return joined(
        [
            tag("p", prose(summary)) if summary else None,
            *(tag("p", prose(part)) for part in text.split("\n\n") if part.strip()),
        ]
    )


def ports(found: Sequence[Port], *, inputs: bool) -> Markup:
    """A table of what passes; nothing when there is none."""
    rows: Iterable[Sequence[Part]] = [
        (
            code(port.name),
            code(port.type) if port.type else DASH,
            port.kind.value,
            *((code(port.default) if port.default is not None else "needed",) if inputs else ()),
            prose(port.about) if port.about else DASH,
        )
        for port in found
    ]
    head = ("name", "type", "kind", *(("default",) if inputs else ()), "about")
    return table(head, rows)


def _pipelines(component: str, site: Site) -> Markup:
    return joined(map(pipeline_link, site.catalogue.pipelines_of(component)), ", ")


def _environments(one: CatalogueComponent, site: Site) -> Markup:
    """Compatible ones first, with what the last run left; then the others with the reason."""
    name = one.component.name
    fitting = [key for key, found in one.fits.items() if found.flavours]
    others = [key for key, found in one.fits.items() if not found.flavours]
    rows: list[Sequence[Part]] = [
        (
            environment_link(key, site),
            ", ".join(filter(None, one.fits[key].flavours)) or "yes",
            _outcomes(name, key, site),
            why({f: told for f, told in one.fits[key].reasons.items() if f}),
        )
        for key in fitting
    ]
    rows += [
        (environment_link(key, site), "no", DASH, why(one.fits[key].reasons)) for key in others
    ]
    return table(("environment", "compatible", "last run", "why not"), rows)


def _outcomes(component: str, environment: str, site: Site) -> Part:
    results = [
        one
        for one in site.cells_in(environment)
        if one.cell.component == component and one.cell.environment == environment
    ]
    if not results:
        return DASH
    told = [
        tag("span", badge(one.outcome), f" {one.cell.flavour}" if one.cell.flavour else "")
        for one in results
    ]
    old = None if site.is_current(environment) else tag("span", "earlier lock", class_="past")
    return joined([*told, old], " ")


def pipeline_page(one: CataloguePipeline, site: Site) -> str:
    """What it does and takes, and its steps."""
    rows = []
    for number, step in enumerate(one.steps, 1):
        known = site.catalogue.components.get(step.component)
        default = known.component.environment if known else ""
        where: Part = DASH
        if step.environment:
            where = environment_link(step.environment, site)
        elif step.chosen:
            where = "chosen while it is compiled"
        elif default:
            where = joined([environment_link(default, site), " (default)"])
        does = (known.component.description or known.signature.summary) if known else ""
        rows.append((str(number), component_link(step.component, site), where, does or DASH))
    body = [
        tag("p", one.signature.summary, class_="lead"),
        _docstring("", one.signature.text),
        facts([("projects", joined(map(code, one.projects), " "))]),
        section(
            "Steps",
            table(("step", "component", "environment", "does"), rows),
            id_="steps",
            note="In the order of the source; what depends on what, KFP decides.",
        ),
        section("Inputs", ports(one.signature.inputs, inputs=True), id_="inputs"),
        section("Outputs", ports(one.signature.outputs, inputs=False), id_="outputs"),
    ]
    return whole(one.name, body, site)
