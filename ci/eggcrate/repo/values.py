"""What a repository holds, as frozen values. Reading is in the modules beside this one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date  # noqa: TC003 - dataclass fields are inspected at run time
from pathlib import Path  # noqa: TC003


@dataclass(frozen=True, kw_only=True)
class Base:
    """Python and the system libraries under it: ``bases/<name>/base.toml``."""

    name: str
    path: Path
    """The folder that holds ``base.toml`` and ``base.lock``."""
    description: str
    python: str
    """Minor version, such as ``3.11``."""
    platforms: tuple[str, ...]
    suite: str = ""
    """Debian suite the packages come from; empty for a registry image or an extension."""
    extends: str = ""
    """Name of the base that this one adds packages to."""
    packages: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    """Dependencies that maintainer scripts need and running programs do not."""
    image: str = ""
    """``registry/name@sha256:...`` when the base is a registry image; then these three say
    what is in it:"""
    python_version: str = ""
    """Exact version of its CPython, such as ``3.11.9``."""
    glibc: str = ""
    """Version of its C library, such as ``2.36``."""
    interpreter: str = ""
    """Absolute path of its interpreter, such as ``/usr/local/bin/python3.11``."""

    @property
    def lock_path(self) -> Path:
        """Where its lock stands."""
        return self.path / "base.lock"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What a component may import: ``environments/<name>/pyproject.toml`` and its lock."""

    name: str
    """The folder's name."""
    path: Path
    description: str
    requires_python: str
    dependencies: tuple[str, ...]
    """PEP 508 strings as written in ``[project]``."""
    base: str
    """Name of its base; empty: the one that fits ``requires-python``."""
    groups: tuple[str, ...] = ("main",)
    extras: tuple[str, ...] = ()
    system_packages: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ("linux/amd64",)
    compile: bool = True
    allow_overlap: tuple[str, ...] = ()
    """Path patterns that two wheels may both write, differently; the later name wins."""
    on_request: str = ""
    """Why it is built and proven only when it is named; empty: with all others."""
    owner: str = ""
    supported_until: date | None = None
    user: str = ""
    """Who its image runs as: ``nonroot``; empty for root."""

    @property
    def pyproject_path(self) -> Path:
        """Its ``pyproject.toml``."""
        return self.path / "pyproject.toml"

    @property
    def lock_path(self) -> Path:
        """Its ``poetry.lock``."""
        return self.path / "poetry.lock"

    @property
    def dockerfile(self) -> Path | None:
        """Its ``Dockerfile``, when it has one."""
        path = self.path / "Dockerfile"
        return path if path.is_file() else None


@dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """What a pipeline's task of a component asks its backend for; ``[tool.eggcrate.task]``.

    A pipeline overrides each of them with KFP's own methods of tasks.
    """

    cpu: str = ""
    """Processors, in Kubernetes' words: ``2`` or ``500m``; empty: the backend's default."""
    memory: str = ""
    """Memory, in Kubernetes' words: ``4Gi``."""
    accelerator: str = ""
    """Kind of accelerator, in the backend's words: ``NVIDIA_TESLA_T4``, ``nvidia.com/gpu``."""
    accelerators: int = 1
    """How many of them."""
    retries: int = 0
    """How often the backend tries a task again that failed."""
    timeout: float | None = None
    """Seconds after which a task ends itself, with where it was."""
    cache: bool = True
    """Whether the backend may use an earlier task's outputs."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """One pipeline step: ``components/<name>/``, its code, what it needs, its tests."""

    name: str
    """The folder's name, an importable Python name such as ``train_model``."""
    path: Path
    description: str
    requires_python: str
    dependencies: tuple[str, ...]
    flavours: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Name of each flavour with its requirements (``[project.optional-dependencies]``)."""
    stand_ins: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Package that is asked for with others that give the same modules, such as a build for
    processors alone; names are normalised."""
    environment: str = ""
    """The environment it runs in by default."""
    data: tuple[str, ...] = ()
    memory: str = ""
    """Memory limit of its cells, such as ``2GiB``; empty: the setting's."""
    timeout: float | None = None
    """Seconds a cell may take; ``None``: the setting's."""
    network: bool = False
    """Whether its tests may open network connections."""
    retries: int = 0
    """How often a cell that failed is tried again; when it then passes it is flaky."""
    env: dict[str, str] = field(default_factory=dict)
    """Environment variables of its cells."""
    task: TaskSettings = field(default_factory=TaskSettings)
    """What its tasks in pipelines ask for."""

    @property
    def tests_path(self) -> Path:
        """Where its tests are."""
        return self.path / "tests"
