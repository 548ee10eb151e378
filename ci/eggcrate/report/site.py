"""The catalogue as a small static site: files that need nothing else, opened from disk."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from eggcrate.errors import UsageError
from eggcrate.files import atomic_write
from eggcrate.report import site_environment, site_index
from eggcrate.report.site_others import component_page, pipeline_page

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.report.site_pages import Site

FOLDER = "build/site"
MANIFEST = "site.json"
"""Names the files that are ours, so that no others are ever removed."""
SCHEMA = "eggcrate.site/1"


def pages(site: Site) -> dict[str, str]:
    """Every page by its path from the first one."""
    catalogue = site.catalogue
    return {
        "index.html": site_index.page(site),
        **{
            f"environments/{name}.html": site_environment.page(one, site)
            for name, one in catalogue.environments.items()
        },
        **{
            f"components/{name}.html": component_page(one, site)
            for name, one in catalogue.components.items()
        },
        **{
            f"pipelines/{name}.html": pipeline_page(one, site)
            for name, one in catalogue.pipelines.items()
        },
    }


def check_folder(folder: Path) -> None:
    """Refuse to write a site among files of others.

    Raises:
        UsageError: the folder holds something, and no site.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint="name a folder for the site")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise UsageError(
            f"{folder} is not empty, and not a site of ours",
            why=f"it has no {MANIFEST}",
            hint="name a new folder, or remove what is in this one",
        )


def write_site(found: dict[str, str], folder: Path) -> None:
    """Write all pages; those of an earlier site that are no more are removed.

    Args:
        found: as :func:`pages` gives them.
        folder: where they go.
    """
    check_folder(folder)
    before = _written(folder)
    # All that may be there from now on, before it is: a run that is killed leaves nothing behind.
    _manifest(folder, {*before, *found})
    for path, text in found.items():
        atomic_write(folder / path, text, flush=False)
    for path in before - found.keys():
        (folder / path).unlink(missing_ok=True)
    _manifest(folder, set(found))


def _manifest(folder: Path, paths: set[str]) -> None:
    document = {"schema": SCHEMA, "files": sorted(paths)}
    atomic_write(folder / MANIFEST, json.dumps(document, indent=1) + "\n")


def _written(folder: Path) -> set[str]:
    try:
        told = json.loads((folder / MANIFEST).read_bytes())["files"]
        return {
            path
            for path in map(str, told)
            if path.endswith(".html") and ".." not in path.split("/") and not path.startswith("/")
        }
    except (OSError, ValueError, KeyError, TypeError):
        return set()
