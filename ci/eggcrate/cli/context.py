"""What every verb needs: the repository, its settings, the store, the indexes."""

from __future__ import annotations

import contextlib
import functools
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eggcrate.build.local import LocalRegistry
from eggcrate.registry.layout import Layout
from eggcrate.repo.monorepo import Monorepo, find_root, read_monorepo
from eggcrate.repo.settings import Settings, read_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from eggcrate.build.plan import Registry
    from eggcrate.packages.distribution import Distribution
    from eggcrate.packages.indexes import Indexes
    from eggcrate.packages.pip_config import PipConfig
    from eggcrate.progress import Progress
    from eggcrate.registry.remote import Remote


@dataclass(kw_only=True)
class Context:
    """A checkout, opened. What costs time is made when it is first asked for."""

    root: Path
    settings: Settings
    progress: Progress

    @classmethod
    def open(cls, start: Path, environ: Mapping[str, str], progress: Progress) -> Context:
        """Open the repository that ``start`` lies in."""
        root = find_root(start.resolve())
        os.umask(0o022)  # what is written does not depend on who runs it
        return cls(root=root, settings=read_settings(root, environ), progress=progress)

    @functools.cached_property
    def monorepo(self) -> Monorepo:
        """Everything that stands in the repository; a base that cannot be read is told."""
        return read_monorepo(self.root, warn=self.progress.warn)

    @functools.cached_property
    def pip(self) -> PipConfig:
        """How pip is configured."""
        from eggcrate.packages.pip_config import (  # noqa: PLC0415 - slow, not always needed
            read_pip_config,
        )

        return read_pip_config()

    @functools.cached_property
    def indexes(self) -> Indexes:
        """The indexes that pip is configured with."""
        from eggcrate.packages.indexes import Indexes  # noqa: PLC0415 - slow, not always needed

        return Indexes(self.pip)

    def close(self) -> None:
        """Close connections to the indexes, where there are any."""
        if "indexes" in self.__dict__:
            self.indexes.client.close()

    @functools.cached_property
    def store(self) -> Layout:
        """The checkout's image store."""
        return Layout(self.settings.store)

    @contextlib.contextmanager
    def open_remote(self, prefix: str | None = None) -> Iterator[Remote | None]:
        """The registry of the flag or the setting; nothing when there is none."""
        prefix = prefix if prefix is not None else self.settings.registry
        if not prefix:
            yield None
            return
        from eggcrate.registry.remote import Remote  # noqa: PLC0415 - slow, not always needed

        with Remote(prefix, tell=self.progress.info) as remote:
            yield remote

    @contextlib.contextmanager
    def open_registry(self, prefix: str | None = None) -> Iterator[Registry]:
        """What a plan asks: the registry, or without one the local store."""
        with self.open_remote(prefix) as remote:
            if remote is None:
                yield LocalRegistry(self.store)
                return
            from eggcrate.build.published import RemoteRegistry  # noqa: PLC0415 - slow, as above

            yield RemoteRegistry(remote)

    def fetch(self, distributions: Iterable[Distribution]) -> dict[Distribution, Path]:
        """Have distributions on disk."""
        from eggcrate.packages.cache import fetch  # noqa: PLC0415 - slow, not always needed

        return fetch(
            distributions,
            cache=self.settings.cache,
            indexes=self.indexes,
            progress=self.progress,
        )

    def show(self, text: str) -> None:
        """Print a result to standard output, in its place between lines of progress."""
        self.progress.status("")
        print(text, flush=True)

    def show_json(self, schema: str, document: Mapping[str, Any]) -> None:
        """Print one versioned document to standard output."""
        self.progress.status("")
        print_json(schema, document)


def print_json(schema: str, document: Mapping[str, Any]) -> None:
    """Print one versioned document to standard output."""
    print(json.dumps({"schema": schema, **document}, indent=2), flush=True)
