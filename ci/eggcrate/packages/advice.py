"""Names, versions and Pythons that a package does not have, and the nearest that it has."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from eggcrate.errors import PackageError
from eggcrate.repo.names import is_slip
from eggcrate.repo.stdlib import is_standard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from packaging.requirements import Requirement

    from eggcrate.packages.offers import Offer
    from eggcrate.packages.target import Target

    Offered = Mapping[Version, Offer]

_NEAR = 2
_MOST = 5
_SHORTEST = 5
_LINE = "\n        "

# What people import, and what it is published as: for what no lock here holds.
KNOWN_AS = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "crypto": "pycryptodome",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "git": "gitpython",
    "jwt": "pyjwt",
    "magic": "python-magic",
    "mpl-toolkits": "matplotlib",
    "openssl": "pyopenssl",
    "pil": "pillow",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}
# Names that newcomers mistype before any lock here holds them.
_COMMON = frozenset(
    (
        *("dask", "duckdb", "fastapi", "gensim", "ipykernel", "jax", "joblib", "jupyter"),
        *("keras", "lightgbm", "lightning", "matplotlib", "mlflow", "networkx", "nltk", "numba"),
        *("numpy", "optuna", "pandas", "plotly", "polars", "prophet", "pyarrow", "pydantic"),
        *("pyspark", "pytorch-lightning", "requests", "scikit-learn", "scipy", "seaborn"),
        *("sentence-transformers", "shap", "spacy", "sqlalchemy", "statsmodels", "sympy"),
        *("tensorflow", "torch", "torchvision", "tqdm", "transformers", "xgboost"),
    )
)


@dataclass(frozen=True, kw_only=True)
class Names:
    """What this repository knows of names: a value, made from locks and the user's cache."""

    packages: frozenset[str] = frozenset()
    """Normalised names of all that is locked."""
    modules: Mapping[str, str] = field(default_factory=dict)
    """Top-level modules in lower case, with the one locked package that gives them."""

    def published_as(self, name: str) -> str:
        """The package that gives the module of this name; empty when it is none we know."""
        module = name.lower().replace("-", "_")
        if canonicalize_name(name) in self.packages:
            return ""
        found = KNOWN_AS.get(canonicalize_name(name)) or self.modules.get(module, "")
        return found if found != canonicalize_name(name) else ""

    def slip_of(self, name: str) -> str:
        """The well-known name that this one differs from by one slip of a finger; else empty.

        Projects exist under many such names, some of them in the hope for the slip. A name that
        differs in a digit is another project as a rule.
        """
        typed = canonicalize_name(name)
        known = self.packages | _COMMON | KNOWN_AS.keys() | set(KNOWN_AS.values())
        if typed in known or len(typed) < _SHORTEST:
            return ""
        return next((one for one in sorted(known) if is_slip(typed, one)), "")

    def nearest(self, name: str) -> list[str]:
        """Names that are known to exist and look like this one."""
        known = self.packages | _COMMON | set(KNOWN_AS.values())
        return difflib.get_close_matches(canonicalize_name(name), sorted(known), n=3, cutoff=0.7)


@dataclass(frozen=True, kw_only=True)
class Place:
    """The environment that a package shall go into, and the others."""

    name: str
    target: Target
    others: Mapping[str, Target] = field(default_factory=dict)
    """Every other environment."""
    command: str = ""
    """What puts a package there; empty: ``eggcrate add`` with its name."""

    def asking(self, package: str) -> str:
        """The command that asks for a package there."""
        return f"{self.command or f'eggcrate add {self.name}'} {package}"


def suggestion(name: str, names: Names) -> str:
    """What to do about a name that no index knows."""
    if published := names.published_as(name):
        return f"{name} is published as {published}"
    if near := names.nearest(name):
        return f"no index knows {name}; did you mean {' or '.join(near)}?"
    return f"no index knows {name}: check its spelling, and `pip config list` for the indexes"


def check_name(
    asked: Requirement, *, place: Place, names: Names, offers: Callable[[str], Offered | None]
) -> None:
    """Refuse what can be added nowhere, before a resolver is asked.

    Args:
        asked: the requirement.
        place: where it shall go.
        names: known ones.
        offers: what is offered of a project by version, oldest first.

    Raises:
        PackageError: it is a module and no package, a slip of the finger, does not exist, or has
            no such version.
    """
    if asked.url:
        return
    if not asked.specifier:  # whoever names a version means a package of this name
        _refuse_modules(asked.name, place, names)
    every = offers(asked.name)
    if not every:
        raise PackageError(
            f"there is no package {asked.name!r}",
            why="" if every is None else "its page on the index has no files",
            hint=suggestion(asked.name, names),
        )
    if not asked.specifier and (slip := names.slip_of(asked.name)):
        raise PackageError(
            f"{asked.name} looks like {slip} with a slip of the finger",
            why="there is a project of that name, and it is another one",
            hint=_LINE.join(
                (
                    place.asking(names.published_as(slip) or slip),
                    f"or, if it is meant, with a version: '{asked.name}=={list(every)[-1]}'",
                )
            ),
        )
    if not _fitting(asked, every):
        raise PackageError(
            f"there is no {asked.name} {asked.specifier}",
            why=f"the nearest versions are {', '.join(_nearest(asked, list(every)))}",
            hint=f"ask for one of them, or for any: {place.asking(asked.name)}",
        )


def check(
    asked: Requirement, *, place: Place, names: Names, offers: Callable[[str], Offered | None]
) -> None:
    """Refuse what cannot be added here; see :func:`check_name`.

    Raises:
        PackageError: as there, or there is none for the place's Python or platform.
    """
    check_name(asked, place=place, names=names, offers=offers)
    every = (not asked.url and offers(asked.name)) or {}
    if fitting := _fitting(asked, every):
        _refuse_python(asked, fitting, list(every.values()), place)
        _refuse_platform(asked, fitting, list(every.values()), place)


def _fitting(asked: Requirement, every: Offered) -> list[Offer]:
    return [every[version] for version in asked.specifier.filter(every)]


def _refuse_modules(name: str, place: Place, names: Names) -> None:
    package = canonicalize_name(name)
    if package not in names.packages and is_standard(name, place.target.python):
        raise PackageError(
            f"{name} is a part of Python {place.target.minor}",
            hint="there is nothing to add: import it",
        )
    if package in KNOWN_AS and (published := names.published_as(name)):
        raise PackageError(
            f"{name} is what one imports; the package is called {published}",
            hint=place.asking(published),
        )


def _refuse_python(
    asked: Requirement, fitting: list[Offer], every: list[Offer], place: Place
) -> None:
    python = place.target.python
    if any(offer.runs_on(python) for offer in fitting):
        return
    newest = fitting[-1]
    older = [str(offer.version) for offer in every if offer.runs_on(python)]
    homes = _homes(fitting, place)
    tries = [f"{asked.name}=={older[-1]} has it"] if older else []
    tries += [f"its home could be {', '.join(homes)}"] if homes else []
    raise PackageError(
        f"{asked.name} {newest.version} is not for Python {place.target.minor}, "
        f"which {place.name} has",
        why=f"it needs Python {' or '.join(newest.requires_python)}",
        hint="\n        ".join(tries)
        or f"make an environment with that Python: eggcrate new environment NAME {asked.name}",
    )


def _refuse_platform(
    asked: Requirement, fitting: list[Offer], every: list[Offer], place: Place
) -> None:
    target = place.target
    able = [offer for offer in fitting if offer.runs_on(target.python)]
    if any(offer.installs_on(target) for offer in able):
        return
    others = [
        str(offer.version)
        for offer in every
        if offer.runs_on(target.python) and offer.installs_on(target)
    ]
    homes = _homes(able, place)
    tries = [f"versions that have one: {', '.join(others[-_MOST:])}"] if others else []
    tries += [f"it has one for {', '.join(homes)}"] if homes else []
    raise PackageError(
        f"{asked.name} {able[-1].version} has no file for Python {target.minor} on "
        f"{target.platform}",
        why=f"its wheels are for {', '.join(_tags(able[-1]))}",
        hint="\n        ".join(tries)
        or "ask its publisher for a wheel, or look for another package",
    )


def _tags(offer: Offer) -> list[str]:
    """Interpreters and platforms of the wheels of a version, such as ``cp39 win_amd64``."""
    parts = [name.removesuffix(".whl").split("-")[-3:] for name in offer.files]
    told = dict.fromkeys(f"{python} {platform.split('.')[0]}" for python, _, platform in parts)
    return [*list(told)[-_MOST:], *(["…"] if len(told) > _MOST else [])]


def _homes(fitting: list[Offer], place: Place) -> list[str]:
    """Environments that could take one of these, as far as files tell."""
    return [
        name
        for name, target in place.others.items()
        if any(offer.runs_on(target.python) and offer.installs_on(target) for offer in fitting)
    ]


def _nearest(asked: Requirement, versions: list[Version]) -> list[str]:
    """Existing versions around the one asked for, and the newest."""
    usual = [version for version in versions if not version.is_prerelease] or versions
    bounds = []
    for one in asked.specifier:
        try:
            bounds.append(Version(one.version.removesuffix(".*")))
        except InvalidVersion:  # of ===, which may be anything
            continue
    if not bounds:
        return [str(version) for version in usual[-_MOST:]]
    place = sum(version < max(bounds) for version in usual)
    near = usual[max(0, place - _NEAR) : place + _NEAR]
    return [str(version) for version in dict.fromkeys([*near, usual[-1]])]


def names_of(packages: Iterable[str], modules: Mapping[str, Iterable[str]]) -> Names:
    """Names from what is locked.

    Args:
        packages: names of all that is locked.
        modules: package to the modules that it gives, as far as they are known.
    """
    givers: dict[str, set[str]] = {}
    for package, given in modules.items():
        for module in given:
            givers.setdefault(module.lower(), set()).add(package)
    return Names(
        packages=frozenset(packages),
        modules={
            module: next(iter(found))
            for module, found in givers.items()
            if len(found) == 1 and "." not in module and not module.startswith("_")
        },
    )
