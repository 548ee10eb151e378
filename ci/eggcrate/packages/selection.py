"""Which files of a lock an environment needs on a target.

The lock is walked from the direct dependencies in ``pyproject.toml`` down, markers and extras
applied. That gives the same set for every lock format, and tells at once when lock and
``pyproject.toml`` disagree: by meaning, not by Poetry's ``content-hash``, so that an edited
comment does not make a lock stale.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from packaging.markers import Marker
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from eggcrate.errors import LockError, LockStaleError, UnsupportedPackageError
from eggcrate.packages.distribution import Distribution

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from eggcrate.packages.poetry_lock import Lock, LockedFile, LockedPackage
    from eggcrate.packages.target import Target
    from eggcrate.packages.wanted import Wanted


def select(
    lock: Lock, wanted: Sequence[Wanted], target: Target, *, groups: Iterable[str] = ("main",)
) -> tuple[LockedPackage, ...]:
    """The locked packages that the wanted ones need on the target, sorted by name.

    Args:
        lock: the lock.
        wanted: the direct dependencies, see :func:`eggcrate.packages.wanted.read_wanted`.
        target: what they are needed for.
        groups: the groups that ``wanted`` was read from, to find what nobody asks for any more.

    Raises:
        LockStaleError: something asked for is not in the lock, or the lock holds what nothing
            asks for.
    """
    environment = target.marker_environment()
    bounds: dict[str, list[str]] = {}
    chosen = _walk(lock, wanted, environment, bounds)
    while chosen is None:
        chosen = _walk(lock, wanted, environment, bounds)
    _refuse_leftovers(lock, chosen, environment, set(groups))
    return tuple(chosen[name] for name in sorted(chosen))


def _walk(
    lock: Lock,
    wanted: Sequence[Wanted],
    environment: dict[str, str],
    bounds: dict[str, list[str]],
) -> dict[str, LockedPackage] | None:
    """What is needed, from the direct dependencies down; ``None`` when it must be walked again.

    A lock may hold two versions of a package that both apply here (Poetry writes such ones where
    extras narrow what is asked for): the one that everybody accepts is meant. Who is met first does
    not know what others ask for, so this is noted in ``bounds``, and what was chosen is given up.
    """
    chosen: dict[str, LockedPackage] = {}
    seen_extras: dict[str, set[str]] = {}
    todo: list[tuple[str, str, tuple[str, ...], str]] = [
        (item.name, item.constraint, item.extras, f"line {item.line} asks for {item.text!r}")
        for item in wanted
        if applies(item.marker, environment)
    ]
    while todo:
        name, constraint, extras, asker = todo.pop()
        known = bounds.get(name, [])
        package = chosen.get(name) or _candidate(
            lock, name, [*known, constraint], environment, asker
        )
        if not allows(constraint, package.version):
            if len(lock.named(name)) == 1:
                raise _stale(lock, asker, f"the lock holds {package}, outside {constraint!r}")
            bounds[name] = [*known, constraint]
            return None
        fresh = {"", *extras} - seen_extras.setdefault(name, set())
        if not fresh:
            continue
        chosen[name] = package
        seen_extras[name] |= fresh
        todo += [
            (item.name, item.constraint, item.extras, f"{package} asks for {item.name}")
            for item in package.dependencies
            if any(applies(item.marker, environment, extra) for extra in fresh)
        ]
    return chosen


def _candidate(
    lock: Lock, name: str, constraints: Sequence[str], environment: dict[str, str], asker: str
) -> LockedPackage:
    packages = lock.named(name)
    if not packages:
        raise _stale(lock, asker, f"the lock does not hold {name}")
    if len(packages) == 1:
        return packages[0]
    fitting = [
        package
        for package in packages
        if all(allows(constraint, package.version) for constraint in constraints)
        and _marked(package, environment)
    ]
    if not fitting:
        held = ", ".join(package.version for package in packages)
        raise _stale(lock, asker, f"none of the locked versions of {name} fits: {held}")
    return max(fitting, key=lambda package: Version(package.version))


def _marked(package: LockedPackage, environment: dict[str, str]) -> bool:
    return not package.markers or any(applies(marker, environment) for _, marker in package.markers)


def _refuse_leftovers(
    lock: Lock, chosen: dict[str, LockedPackage], environment: dict[str, str], groups: set[str]
) -> None:
    for package in lock.packages:
        if package.groups is None or package.name in chosen:
            continue
        markers = dict(package.markers)
        needed = any(
            applies(markers.get(group, markers.get("", "")), environment)
            for group in groups & set(package.groups)
        )
        if needed:
            raise _stale(lock, f"the lock holds {package}", "nothing asks for it any more")


def _stale(lock: Lock, asker: str, problem: str) -> LockStaleError:
    return LockStaleError(
        f"{lock.path} is stale: {problem}",
        why=f"{lock.path.with_name('pyproject.toml')}: {asker}" if "line" in asker else asker,
        hint=f"run: eggcrate lock {lock.path.parent.name}",
    )


def applies(marker: str, environment: dict[str, str], extra: str = "") -> bool:
    """Whether a PEP 508 marker holds; an empty one always does.

    Raises:
        LockError: it is none.
    """
    try:
        return not marker or _marker(marker).evaluate({**environment, "extra": extra})
    except ValueError as error:  # what packaging raises of markers
        told = str(error).splitlines()[0]
        raise LockError(f"{marker!r} is not a marker", why=told, hint="lock it again") from error


@functools.lru_cache(maxsize=4096)
def _marker(text: str) -> Marker:
    return Marker(text)


@functools.lru_cache(maxsize=16384)
def allows(constraint: str, version: str) -> bool:
    """Whether a version satisfies a constraint in PEP 440's or Poetry's notation."""
    if constraint in {"*", ""}:
        return True
    specifiers = _specifiers(constraint)
    if specifiers is not None:
        return specifiers.contains(version, prereleases=True)
    import poetry.core.constraints.version as notation  # noqa: PLC0415 - slow, for ^, ~ and ||

    return notation.parse_constraint(constraint).allows(notation.Version.parse(version))


@functools.lru_cache(maxsize=4096)
def _specifiers(constraint: str) -> SpecifierSet | None:
    try:
        return SpecifierSet(constraint)
    except InvalidSpecifier:
        return None


@functools.lru_cache(maxsize=4096)
def distribution(package: LockedPackage, target: Target) -> Distribution:
    """The one file to install for a locked package: the best wheel, else the sdist.

    Raises:
        UnsupportedPackageError: the lock gives no file that the target can use, or names a
            source that the layered builder does not install from.
    """
    source = package.source
    if source is not None and source.type not in {"legacy", "url", "file"}:
        raise UnsupportedPackageError(
            f"{package} comes from {source.type} source {source.url}",
            why="an image is a function of its lock, and that source has no file with a hash",
            hint="publish it on an index, or lock it from the URL of a wheel",
        )
    file = _best_wheel(package, target) or next(
        (file for file in package.files if file.name.endswith((".tar.gz", ".zip"))), None
    )
    if file is None:
        raise UnsupportedPackageError(
            f"{package} has no file for Python {target.minor} on {target.platform}",
            why=_offer(package, target),
            hint="choose another version, or change the environment's Python or platforms",
        )
    return Distribution(
        name=package.name,
        version=package.version,
        filename=file.name,
        sha256=file.sha256,
        url=source.url if source is not None and source.type in {"url", "file"} else None,
        index=source.url if source is not None and source.type == "legacy" else None,
    )


def _best_wheel(package: LockedPackage, target: Target) -> LockedFile | None:
    ranks = target.tag_ranks()
    best: tuple[int, tuple[int, str], LockedFile] | None = None
    for file in package.files:
        if not file.name.endswith(".whl"):
            continue
        try:
            _, _, build, tags = parse_wheel_filename(file.name)
        except InvalidWheelFilename:
            continue
        usable = [ranks[tag] for tag in tags if tag in ranks]
        if not usable:
            continue
        number = (int(build[0]), str(build[1])) if build else (-1, "")
        entry = (-min(usable), number, file)
        if best is None or entry[:2] > best[:2]:
            best = entry
    return best[2] if best else None


def _offer(package: LockedPackage, target: Target) -> str:
    wheels = [file.name for file in package.files if file.name.endswith(".whl")]
    if not wheels:
        return "the lock lists no wheel and no sdist for it"
    near = [name for name in wheels if target.platform.machine in name] or wheels
    shown = ", ".join(near[:3]) + (" …" if len(near) > 3 else "")  # noqa: PLR2004
    libc = ".".join(str(part) for part in target.glibc)
    return f"the base has Python {target.python} and glibc {libc}; the lock offers {shown}"
