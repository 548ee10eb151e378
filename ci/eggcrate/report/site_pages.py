"""What all pages of the site have in common."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eggcrate.matrix.cells import Outcome
from eggcrate.matrix.standing import NO_RUN, LastRun
from eggcrate.report.grid import MARKS
from eggcrate.report.html import Markup, Part, joined, link, tag
from eggcrate.report.page import allowed, asset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from eggcrate.build.versions import ImageVersion
    from eggcrate.matrix.catalogue import Alike, Catalogue, CatalogueEnvironment
    from eggcrate.matrix.cells import CellResult
    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.sizes import Size
    from eggcrate.repo.git import Commit

DASH = "–"  # noqa: RUF001 - a dash


@dataclass(frozen=True, kw_only=True)
class Site:
    """Everything that the site tells."""

    catalogue: Catalogue
    today: date
    alike: Sequence[Alike] = ()
    sizes: Mapping[Distribution, Size | None] = field(default_factory=dict)
    chains: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """For each package of an environment who requires it, itself last."""
    images: Mapping[str, Sequence[ImageVersion]] = field(default_factory=dict)
    history: Mapping[str, Sequence[Commit]] = field(default_factory=dict)
    """Commits of each environment's lock."""
    registry: str = ""
    """Where images are published; empty: those of the local store are told."""
    last: LastRun = NO_RUN
    """The last run of the matrix."""
    commit: str = ""
    """What the site was made from, in words."""

    def cells_in(self, environment: str) -> list[CellResult]:
        """Results in an environment, those in its published images included."""
        return [
            one
            for cell, one in self.last.cells.items()
            if cell.environment.partition("@")[0] == environment
        ]

    def is_current(self, column: str) -> bool:
        """Whether a column of the last run was the image that the lock names now."""
        one = self.catalogue.environments.get(column)
        key, _ = self.last.images.get(column, ("", ""))
        return one is not None and key == one.resolved.recipe.key


def whole(
    title: str, body: Sequence[Part], site: Site, *, up: str = "../", script: str = ""
) -> str:
    """A page as a file that needs nothing else.

    Args:
        title: of the page.
        body: what stands in it.
        site: the site.
        up: the way to the site's first page.
        script: a program that draws in it.
    """
    style = asset("page.css") + asset("site.css")
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src {allowed(style)}" + (f"; script-src {allowed(script)}" if script else "")
    )
    home = link("Catalogue", f"{up}index.html") if up else None
    head = [
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">'),
        tag("meta", content="light dark", name="color-scheme"),
        tag("title", title if not up else f"{title} – Eggcrate"),  # noqa: RUF001 - a dash
        Markup(f"<style>{style}</style>"),
    ]
    made = f"Made by eggcrate report --site{f' from {site.commit}' if site.commit else ''}."
    parts = [
        tag("a", "Skip to the content", href="#main", class_="skip"),
        tag("header", tag("nav", home, aria_label="Site") if home else None, tag("h1", title)),
        tag("main", *body, id_="main"),
        tag("footer", made, class_="quiet"),
        Markup(f"<script>{script}</script>") if script else None,
    ]
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n{joined(head, chr(10))}\n</head>\n'
        f'<body class="site">\n{joined(parts, chr(10))}\n</body>\n</html>\n'
    )


def badge(outcome: Outcome) -> Markup:
    """An outcome with its mark."""
    told = "not run" if outcome is Outcome.NOT_SELECTED else outcome.value
    mark = tag("span", MARKS[outcome].strip() or "○", class_="mark", aria_hidden="true")
    return tag("span", mark, told, class_=f"badge is-{outcome.value}")


def environment_link(name: str, site: Site, up: str = "../") -> Part:
    """To its page, where it has one."""
    known = site.catalogue.environments
    return link(name, f"{up}environments/{name}.html") if name in known else name


def component_link(name: str, site: Site, up: str = "../") -> Part:
    """To its page, where it has one."""
    known = site.catalogue.components
    return link(name, f"{up}components/{name}.html") if name in known else name


def pipeline_link(name: str, up: str = "../") -> Markup:
    """To its page."""
    return link(name, f"{up}pipelines/{name}.html")


def support(one: CatalogueEnvironment, today: date) -> Part:
    """Until when it is supported; a day that is past is marked."""
    until = one.environment.supported_until
    if until is None:
        return DASH
    if until < today:
        return tag("strong", f"{until} (past)", class_="past")
    return str(until)


def proven(site: Site, environment: str) -> str:
    """How many of its cells the last run left good, of those that there are to prove."""
    cells = [
        one
        for one in site.cells_in(environment)
        if one.cell.environment == environment and one.outcome is not Outcome.INCOMPATIBLE
    ]
    if not cells or not site.is_current(environment):
        return DASH
    good = sum(one.outcome in _PROVEN for one in cells)
    return f"{good} of {len(cells)}"


_PROVEN = frozenset({Outcome.PASSED, Outcome.REUSED, Outcome.FLAKY})
