"""The site's page of an environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eggcrate.matrix.cells import Outcome
from eggcrate.report.html import Markup, code, facts, joined, section, table, tag
from eggcrate.report.site_pages import (
    DASH,
    badge,
    component_link,
    environment_link,
    support,
    whole,
)
from eggcrate.report.sizes import size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from eggcrate.matrix.catalogue import Alike, CatalogueEnvironment
    from eggcrate.report.html import Part
    from eggcrate.report.site_pages import Site


def page(one: CatalogueEnvironment, site: Site) -> str:
    """All that is known of it."""
    body = [
        tag("p", one.environment.description, class_="lead"),
        _facts(one, site),
        section("Components", _components(one, site), id_="components"),
        section("Cells of the last run", *_cells(one, site), id_="cells"),
        section(
            "Packages",
            _packages(one, site),
            id_="packages",
            note="Direct ones are asked for by its pyproject.toml, the others by the packages "
            "named. Sizes are of the locked files.",
        ),
        section("Images", _images(one, site), id_="images", note=_images_note(site)),
        section("History of its lock", _history(one, site), id_="history"),
        section("Much like it", _alike(one, site), id_="alike"),
    ]
    return whole(one.name, body, site)


def _facts(one: CatalogueEnvironment, site: Site) -> Markup:
    environment, recipe = one.environment, one.resolved.recipe
    download = size(one.size.download if one.size else None)
    unpacked = size(one.size.unpacked if one.size else None)
    return facts(
        [
            ("Python", recipe.target.python),
            ("base", recipe.base),
            ("platforms", ", ".join(environment.platforms)),
            ("owner", environment.owner),
            ("supported until", support(one, site.today)),
            (
                "packages",
                f"{len(one.contents.packages)}: {download} to download, {unpacked} unpacked",
            ),
            ("system packages", ", ".join(environment.system_packages)),
            ("built by", "its own Dockerfile" if environment.dockerfile else ""),
            ("image", code(recipe.tag)),
        ]
    )


def _components(one: CatalogueEnvironment, site: Site) -> Markup:
    """Compatible ones first, then the others with the reason."""
    rows: list[tuple[Part, Part, Part]] = []
    for component in site.catalogue.components.values():
        found = component.fits[one.name]
        link = component_link(component.component.name, site)
        named = ", ".join(filter(None, found.flavours))
        if found.flavours:
            rows.append((link, f"yes: {named}" if named else "yes", ""))
    for component in site.catalogue.components.values():
        found = component.fits[one.name]
        if not found.flavours:
            link = component_link(component.component.name, site)
            rows.append((link, "no", why(found.reasons)))
    return table(("component", "compatible", "why not"), rows)


def why(reasons: Mapping[str, str]) -> Markup:
    """What is missing, for each flavour."""
    lines = [f"{flavour}: {reason}" if flavour else reason for flavour, reason in reasons.items()]
    return joined([tag("span", line) for line in lines], "<br>")


def _cells(one: CatalogueEnvironment, site: Site) -> Iterator[Markup]:
    results = [
        result for result in site.cells_in(one.name) if result.outcome is not Outcome.INCOMPATIBLE
    ]
    if not results:
        told = "The matrix was not run where this site was made: "
        yield tag("p", told, code("make test-matrix"), ".", class_="quiet")
        return
    if any(result.cell.environment == one.name for result in results):
        now = site.is_current(one.name)
        told = "an image of the lock as it is now" if now else "an image of an earlier lock"
        yield tag("p", f"In {told}.", class_="quiet" if now else "past")
    rows = [
        (
            component_link(result.cell.component, site),
            result.cell.flavour or DASH,
            badge(result.outcome),
            f"{result.seconds:.1f} s" if result.seconds else DASH,
            result.cell.environment.partition("@")[2] or "this lock",
            result.reason,
        )
        for result in results
    ]
    head = ("component", "flavour", "outcome", "time", "image", "why")
    yield table(head, rows, right="time")


def _packages(one: CatalogueEnvironment, site: Site) -> Markup:
    direct = one.contents.direct or frozenset()
    chains = site.chains.get(one.name, {})
    rows = []
    for name in sorted(one.contents.packages, key=lambda name: (name not in direct, name)):
        file = one.contents.files.get(name)
        told = site.sizes.get(file) if file else None
        through = " > ".join(chains.get(name, ())[:-1])
        rows.append(
            (
                name,
                one.contents.packages[name],
                tag("strong", "direct") if name in direct else through or DASH,
                size(told.download if told else None),
                size(told.unpacked if told else None),
            )
        )
    head = ("package", "version", "asked for by", "download", "unpacked")
    return table(head, rows, right="download, unpacked")


def _images_note(site: Site) -> str:
    if site.registry:
        return f"Published at {site.registry}: the stable one, and the latest others."
    return "In the local store of where this site was made; no registry is set."


def _images(one: CatalogueEnvironment, site: Site) -> Markup:
    rows = [
        (
            code(image.digest[:19]),
            joined([code(tag_[:16]) for tag_ in image.tags], ", "),
            image.base,
            str(image.packages),
            "this lock" if image.current else f"{image.changes} packages differ from the lock",
        )
        for image in site.images.get(one.name, ())
    ]
    head = ("digest", "tags", "base", "packages", "holds")
    return table(head, rows, right="packages")


def _history(one: CatalogueEnvironment, site: Site) -> Markup:
    rows = [
        (code(commit.short), commit.date, commit.subject)
        for commit in site.history.get(one.name, ())
    ]
    return table(("commit", "day", "what"), rows)


def _alike(one: CatalogueEnvironment, site: Site) -> Markup:
    pairs = [pair for pair in site.alike if one.name in (pair.one, pair.other)]
    return alike_table(pairs, site) if pairs else Markup("")


def alike_table(pairs: Sequence[Alike], site: Site, up: str = "../") -> Markup:
    """Pairs of environments of which one may be enough."""
    rows = [
        (
            environment_link(pair.one, site, up),
            environment_link(pair.other, site, up),
            f"{pair.same} of {pair.count}",
            f"{pair.other} could stand in for {pair.one}" if pair.replaces else "nearly the same",
        )
        for pair in pairs
    ]
    return table(("environment", "and", "same pins", "finding"), rows, right="same pins")
