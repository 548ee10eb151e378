"""Where tasks run: the image of an environment that holds what their component needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eggcrate.build.bake import bake_into_registry, bake_into_store
from eggcrate.build.engine import build_all
from eggcrate.build.export import LOCAL
from eggcrate.build.published import held
from eggcrate.build.recipe import tag_of
from eggcrate.errors import CompileError, EggcrateError
from eggcrate.matrix.compatibility import compatibility
from eggcrate.packages.modules import provided_modules
from eggcrate.pipelines.open_task import Share
from eggcrate.pipelines.sharing import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from eggcrate.build.resolve import Resolved
    from eggcrate.build.verify import Verifier
    from eggcrate.build.workshop import Workshop
    from eggcrate.packages.pip_config import PipConfig
    from eggcrate.pipelines.open_task import Choice
    from eggcrate.registry.remote import Remote
    from eggcrate.repo.values import Component

_NOT_BUILT = f"sha256:{'0' * 64}"


@dataclass(kw_only=True)
class Sites:
    """The environments of a repository with their images: of a registry, or of the store."""

    resolve: Callable[[Sequence[str]], tuple[list[Resolved], dict[str, EggcrateError]]]
    workshop: Workshop
    remote: Remote | None
    """Where images are published; without it they are in the store, and built if need be."""
    known: Collection[str]
    """Names of the environments that there are."""
    dry_run: bool
    """Write nothing: images that would be built have a digest of zeros."""
    pip: Callable[[], PipConfig]
    verifier: Verifier | None = None
    """What published images must pass to be used; without one all are."""
    _resolved: dict[str, Resolved] = field(default_factory=dict)
    _images: dict[str, str | EggcrateError] = field(default_factory=dict)

    def prepare(self, environments: Sequence[str]) -> None:
        """Have the images of all of them, as far as they can be had."""
        wanted = [name for name in environments if name in self.known]
        if not wanted:
            return
        found, failed = self.resolve(wanted)
        self._images |= failed
        for item in found:  # one for each platform, the first is enough to judge by
            self._resolved.setdefault(item.environment.name, item)
        if self.remote is None:
            self._build()
        else:
            self._find(self.remote)

    def site(self, component: Component, choice: Choice) -> Site:
        """Where a task runs.

        Raises:
            EggcrateError: there is no such environment, it has no image, or it does not hold what
                the component needs.
        """
        name = choice.environment or component.environment
        if not name:
            raise CompileError(
                f"{component.name} has no environment to run in",
                hint="set environment under [tool.eggcrate] in its pyproject.toml, or choose one "
                f'in the pipeline: {component.name}(..., environment="NAME")',
            )
        if name not in self._images:
            raise CompileError(
                f"there is no environment {name!r}, which {component.name} is to run in",
                hint=f"there are: {', '.join(sorted(self.known)) or 'none'}",
            )
        image = self.image(name)
        resolved = self._resolved[name]
        self._check(component, name, resolved)
        modules: frozenset[str] = frozenset()
        if choice.share is Share.PACKAGE:
            wheels = resolved.recipe.distributions
            given = provided_modules(wheels, cache=self.workshop.cache, config=self.pip)
            modules = frozenset().union(*(item or frozenset() for item in given.values()))
        return Site(
            environment=name, image=image, python=resolved.recipe.target.python, modules=modules
        )

    def image(self, name: str) -> str:
        """The image of an environment that was prepared, by digest.

        Raises:
            EggcrateError: it cannot be had.
        """
        image = self._images[name]
        if isinstance(image, EggcrateError):
            raise image
        return image

    def bake(self, image: str, files: Mapping[str, bytes]) -> str:
        """The name, with digest, of an image plus files by absolute path."""
        name, _, digest = image.partition("@")
        environment = name.rpartition("/")[2]
        cache = self.workshop.cache
        if self.verifier:
            raise CompileError(
                f"code cannot be put into the image of {environment}",
                why="nobody has signed the image that this makes, and only verified ones are "
                "to be used",
                hint='use share="inject", or compile without --verified',
            )
        if self.dry_run:
            return f"{name}@{_NOT_BUILT}"
        if self.remote is None:
            store = self.workshop.store
            return f"{name}@{bake_into_store(store, environment, digest, files, cache=cache)}"
        made = bake_into_registry(self.remote, environment, digest, files, cache=cache)
        return f"{name}@{made}"

    def _check(self, component: Component, name: str, resolved: Resolved) -> None:
        fit = compatibility(component, resolved.packages, resolved.recipe.target)
        if not fit.flavours:
            raise CompileError(
                f"{component.name} cannot run in environment {name}",
                why="; ".join(
                    f"{flavour}: {reason}" if flavour else reason
                    for flavour, reason in fit.reasons.items()
                ),
                hint="`eggcrate matrix --list` shows which environments fit",
            )

    def _build(self) -> None:
        results = build_all(list(self._resolved.values()), {}, self.workshop, dry_run=self.dry_run)
        for result in results:
            digest = result.digest or _NOT_BUILT
            self._images[result.environment] = (
                result.error or f"{LOCAL}/{result.environment}@{digest}"
            )

    def _find(self, remote: Remote) -> None:
        tags = {name: tag_of(item.recipe.key) for name, item in self._resolved.items()}
        found = held(remote, list(tags.items()))
        for name, tag in tags.items():
            item = found.get((name, tag))
            self._images[name] = (
                remote.image(name, item.digest)
                if item
                else CompileError(
                    f"the image of environment {name} is not published as its lock says",
                    why=f"{remote.image(name, tag)} does not exist",
                    hint="publish it: eggcrate build --changed --push; or compile for this machine "
                    "alone: eggcrate compile --local",
                )
            )
            if item and self.verifier:
                platform = str(self._resolved[name].recipe.target.platform)
                try:
                    self.verifier.require(name, item.digest, platform)
                except EggcrateError as error:
                    self._images[name] = error
