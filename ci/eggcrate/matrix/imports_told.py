"""Words for imports that cannot work: where, what is lacking, and what to do about it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from eggcrate.packages.distribution import Distribution
    from eggcrate.repo.closure import Closure, Import
    from eggcrate.repo.values import Component

_SHOWN = 3
# Where the name of the package is not the module's; only asked when no lock tells.
_PACKAGES = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "Crypto": "pycryptodome",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "git": "gitpython",
    "jwt": "pyjwt",
    "magic": "python-magic",
    "OpenSSL": "pyopenssl",
    "PIL": "pillow",
    "psycopg2": "psycopg2-binary",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "umap": "umap-learn",
    "yaml": "pyyaml",
}
_NAMESPACES = ("google", "azure")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One import, or one setting, that cannot work."""

    what: str
    why: str = ""
    hint: str = ""


def not_given(
    component: Component,
    closure: Closure,
    item: Import,
    *,
    lacking: Sequence[str],
    everywhere: bool,
    packages: Mapping[str, Distribution],
    holders: Sequence[str],
) -> Problem:
    """An import that environments do not give.

    Args:
        component: that imports it.
        closure: its files.
        item: the import.
        lacking: environments without it.
        everywhere: whether those are all that the component is compatible with.
        packages: those that do give it, by name.
        holders: environments that hold one of those.
    """
    which = "none of its environments gives" if everywhere else "some of its environments lack"
    what = f"{item.path}:{item.line}: imports {_dotted(item)}, which {which}"
    why = f"it is in no package of {several(lacking)}"
    if packages:
        why += f"; {' or '.join(sorted(packages))} gives it (in {several(holders)})"
    return Problem(what=what, why=why, hint=_way_out(component, closure, item, sorted(packages)))


def _way_out(component: Component, closure: Closure, item: Import, packages: Sequence[str]) -> str:
    where = f"components/{component.name}/pyproject.toml"
    beside = f"{item.path.rpartition('/')[0]}/{item.module.partition('.')[0]}"
    if {f"{beside}.py", f"{beside}/__init__.py"} & set(closure.modules):
        return f"{beside}.py stands in the repository: import {beside.replace('/', '.')}"
    for flavour, requirements in component.flavours.items():
        if {canonicalize_name(Requirement(text).name) for text in requirements} & set(packages):
            return (
                f"only the flavour {flavour} asks for {' or '.join(packages)}: import it in the "
                "function that uses it, or move it to dependencies"
            )
    without = "; if it can do without, import it in a try that catches ImportError"
    if packages:
        return (
            f'add "{packages[0]}" to dependencies in {where}, so that only environments that '
            f"hold it are compatible{without}"
        )
    return (
        f'add the package that gives it (by its name "{_guess(item)}") to dependencies in '
        f"{where} and to an environment's, and lock that: eggcrate lock ENVIRONMENT{without}"
    )


def _guess(item: Import) -> str:
    parts = item.module.split(".")
    if parts[0] in _NAMESPACES:
        more = [item.name] if len(parts) < 3 and item.name not in {"", "*"} else []  # noqa: PLR2004 - google.cloud.storage
        return canonicalize_name("-".join([*parts, *more][:3]))
    return _PACKAGES.get(parts[0], canonicalize_name(parts[0]))


def not_there(closure: Closure, *, others: Collection[str]) -> Iterator[Problem]:
    """Imports from the repository of what it does not hold.

    Args:
        closure: of the component.
        others: names of components that are told of their own.
    """
    known = {_module(path) for path in closure.files if path.endswith(".py")}
    tests = [item for item in closure.test_missing if item.path.split("/")[1] not in others]
    for item in (*closure.missing, *tests):
        where = f"{item.path}:{item.line}: imports"
        near = difflib.get_close_matches(f"{item.module}.{item.name}".rstrip("."), known, n=1)
        yield Problem(
            what=f"{where} {item.name} from {item.module}, which has no such name"
            if item.name
            else f"{where} {item.module}, which the repository does not hold",
            hint=f"did you mean {near[0]}?" if near else "mend the import, or add what it names",
        )


def no_data(component: Component, closure: Closure) -> Iterator[Problem]:
    """Patterns that match nothing, by a typing error or since a file is gone."""
    for pattern in closure.unmatched:
        yield Problem(
            what=f"{component.path / 'pyproject.toml'}: data: {pattern!r} matches no file",
            why="patterns are matched beside the modules that travel with the component",
            hint="mend the pattern, or take it out",
        )


def several(names: Sequence[str]) -> str:
    """Names in a sentence, the first few of many."""
    if len(names) > _SHOWN + 1:
        return f"{', '.join(names[:_SHOWN])} and {len(names) - _SHOWN} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _dotted(item: Import) -> str:
    inside = item.module.partition(".")[0] in _NAMESPACES and item.name not in {"", "*"}
    return f"{item.module}.{item.name}" if inside else item.module


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
