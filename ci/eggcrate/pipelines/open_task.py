"""What a pipeline's author chose for a task, while its image and its code are still open.

It travels through KFP's compiler as the name of an image: the one part of a component that KFP
keeps as it is, and tells components apart by.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace

from eggcrate.errors import CompileError

_OPEN = "eggcrate.invalid"
"""Stands where the image will be; it tells what is missing to whoever runs it uncompiled."""
_IMAGE = re.compile(
    rf"{re.escape(_OPEN)}/(?P<module>[\w.]+):(?P<function>\w+)"
    r"\?environment=(?P<environment>[\w.-]*)&share=(?P<share>[a-z-]+)&modules=(?P<modules>[\w.,]*)"
)
_ENVIRONMENT = re.compile(r"[a-z0-9][a-z0-9._-]*|")


class Share(enum.Enum):
    """How the helper code that a component imports gets to where it runs."""

    INJECT = "inject"
    """In the container's command, with the component's own code."""
    PACKAGE = "package"
    """In a wheel that the environment's lock holds."""
    VOLUME = "volume"
    """On a volume that is mounted: Kubernetes only; read when the task starts."""
    CONFIG_MAP = "config-map"
    """All of the code in a ConfigMap that is mounted: Kubernetes only."""
    PICKLE = "pickle"
    """Function and helpers as cloudpickle captures them."""
    IMAGE = "image"
    """All of the code in a layer on top of the environment's image."""

    @classmethod
    def of(cls, word: Share | str) -> Share:
        """The way with this name.

        Raises:
            CompileError: there is none.
        """
        try:
            return cls(word)
        except ValueError:
            raise CompileError(
                f"there is no way to share code called {word!r}",
                hint=f"share is one of {', '.join(way.value for way in cls)}",
            ) from None


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A component's function, and how a task of it is run."""

    module: str
    function: str
    environment: str = ""
    """Empty: the component's default."""
    share: Share = Share.INJECT
    modules: tuple[str, ...] = ()
    """Modules that its author says it needs beside those that its source imports."""

    @property
    def component(self) -> str:
        """The folder of the component that the function is in; empty when it is in none."""
        top, _, rest = self.module.partition(".")
        return rest.partition(".")[0] if top == "components" else ""

    @property
    def image(self) -> str:
        """Itself, as the name of an image that cannot exist."""
        return (
            f"{_OPEN}/{self.module}:{self.function}"
            f"?environment={self.environment}&share={self.share.value}"
            f"&modules={','.join(self.modules)}"
        )

    def where(self, *, environment: str, share: Share | str) -> Choice:
        """The same with what a task says for itself; what it leaves empty stays.

        Raises:
            CompileError: it is not a way or a name that there could be.
        """
        if not isinstance(environment, str) or not _ENVIRONMENT.fullmatch(environment):
            raise CompileError(
                f"{self.module}.{self.function}: {environment!r} cannot be an environment",
                why="images are chosen when the pipeline is compiled, by the name of a folder in "
                "environments/",
            )
        return replace(
            self,
            environment=environment or self.environment,
            share=Share.of(share) if share else self.share,
        )

    @classmethod
    def parse(cls, image: str) -> Choice | None:
        """What the name of an image says; ``None`` when it is a real one."""
        match = _IMAGE.fullmatch(image)
        if match is None:
            return None
        return cls(
            module=match["module"],
            function=match["function"],
            environment=match["environment"],
            share=Share(match["share"]),
            modules=tuple(filter(None, match["modules"].split(","))),
        )
