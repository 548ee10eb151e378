"""Which packages are needed: the closure of Debian dependencies, in a fixed order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from eggcrate.errors import BaseError
from eggcrate.packages.debian.control import Alternatives, Relation, parse_dependencies

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from eggcrate.packages.debian.archive import Archive, Package
    from eggcrate.packages.debian.values import LockedDeb


def resolve(
    archive: Archive,
    roots: Iterable[str],
    *,
    exclude: Collection[str] = (),
    parent: Iterable[LockedDeb] = (),
    keep: Mapping[str, LockedDeb] | None = None,
) -> tuple[LockedDeb, ...]:
    """The packages that ``roots`` need, by name, without those that the parent has.

    Like apt: the newest version, and of alternatives one that is chosen already, else the
    first that can be had.

    Args:
        archive: what there is.
        roots: names of packages, or relations such as ``libxml2 (>= 2.9)``.
        exclude: names whose dependants do without them.
        parent: packages that are there already, fixed.
        keep: packages of an earlier lock, taken again where the archive still has them.

    Raises:
        BaseError: something is needed that cannot be had; the message shows by what.
    """
    closure = _Closure(archive, exclude=frozenset(exclude), keep=keep or {})
    for deb in parent:
        closure.add_parent(deb)
    for root in roots:
        closure.want(_root(root), chain=())
    closure.run()
    closure.check_conflicts()
    return closure.chosen()


def _root(text: str) -> Alternatives:
    try:
        (group,) = parse_dependencies(text)
    except ValueError as error:
        raise BaseError(f"{text!r} is not a Debian package", why=str(error)) from error
    return group


class _Closure:
    def __init__(
        self, archive: Archive, *, exclude: frozenset[str], keep: Mapping[str, LockedDeb]
    ) -> None:
        self._archive = archive
        self._exclude = exclude
        self._keep = keep
        self._packages: dict[str, Package] = {}
        self._parent: dict[str, str] = {}
        self._provided: dict[str, list[Relation]] = {}
        self._queue: deque[tuple[Alternatives, tuple[str, ...]]] = deque()

    def add_parent(self, deb: LockedDeb) -> None:
        self._parent[deb.name] = deb.version
        known = self._archive.find(deb) or self._archive.successor(deb)
        self._provide(known.provides if known else ())

    def want(self, group: Alternatives, *, chain: tuple[str, ...]) -> None:
        self._queue.append((group, chain))

    def run(self) -> None:
        while self._queue:
            group, chain = self._queue.popleft()
            if any(relation.name in self._exclude for relation in group) or any(
                self._is_met(relation) for relation in group
            ):
                continue
            self._choose(self._candidate(group, chain), chain)

    def chosen(self) -> tuple[LockedDeb, ...]:
        return tuple(package.deb for _, package in sorted(self._packages.items()))

    def check_conflicts(self) -> None:
        for name, package in self._packages.items():
            for relation in package.conflicts:
                version = self._version(relation.name)
                if relation.name != name and version and relation.allows(version):
                    raise BaseError(f"{name} cannot be there together with {relation}")

    def _version(self, name: str) -> str:
        if name in self._packages:
            return self._packages[name].deb.version
        return self._parent.get(name, "")

    def _is_met(self, relation: Relation) -> bool:
        version = self._version(relation.name)
        if version and relation.allows(version):
            return True
        return any(_provides(given, relation) for given in self._provided.get(relation.name, ()))

    def _candidate(self, group: Alternatives, chain: tuple[str, ...]) -> Package:
        for relation in group:
            if self._version(relation.name):
                continue  # there in a version that does not do; a second one cannot be
            if package := next(self._real(relation), None):
                return package
        for relation in group:
            for package in self._archive.providers(relation.name):
                if not self._version(package.deb.name) and any(
                    _provides(given, relation) for given in package.provides
                ):
                    return package
        raise self._unsatisfied(group, chain)

    def _real(self, relation: Relation) -> Iterator[Package]:
        fitting = [
            p for p in self._archive.versions(relation.name) if relation.allows(p.deb.version)
        ]
        kept = self._keep.get(relation.name)
        yield from (package for package in fitting if kept and package.deb.sha256 == kept.sha256)
        yield from fitting

    def _choose(self, package: Package, chain: tuple[str, ...]) -> None:
        self._packages[package.deb.name] = package
        self._provide(package.provides)
        for group in package.depends:
            self.want(group, chain=(*chain, package.deb.name))

    def _provide(self, relations: Iterable[Relation]) -> None:
        for relation in relations:
            self._provided.setdefault(relation.name, []).append(relation)

    def _unsatisfied(self, group: Alternatives, chain: tuple[str, ...]) -> BaseError:
        wanted = " or ".join(str(relation) for relation in group)
        have = [
            f"{relation.name} {self._version(relation.name)}"
            for relation in group
            if self._version(relation.name)
        ]
        offered = [
            f"{package.deb.name} {package.deb.version}"
            for relation in group
            for package in self._archive.versions(relation.name)
        ]
        why = f"needed by {' → '.join(chain)}; " if chain else ""
        if have:
            why += f"chosen or in the base it extends: {', '.join(have)}; "
        why += f"the archive has {', '.join(offered) if offered else 'no such package'}"
        return BaseError(
            f"no Debian package satisfies {wanted}",
            why=why,
            hint="lock the base it extends again, correct the name, or name it in exclude "
            "if programs run without it",
        )


def _provides(given: Relation, wanted: Relation) -> bool:
    """Whether something provided will do; an unversioned one satisfies no version (7.5)."""
    if given.name != wanted.name:
        return False
    return not wanted.operator or bool(given.version and wanted.allows(given.version))
