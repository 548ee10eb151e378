"""A compiled pipeline as a file: KFP's own YAML, written the same on every machine.

The first document is a ``PipelineSpec``; a second one, where there is one, holds what only
Kubernetes understands (volumes, config maps), and Vertex AI cannot read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from eggcrate.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class CompiledPipeline:
    """A pipeline as KFP's backends take it."""

    spec: Mapping[str, Any]
    """``PipelineSpec`` as JSON."""
    platform: Mapping[str, Any] = field(default_factory=dict)
    """``PlatformSpec`` as JSON: ``{"platforms": {"kubernetes": …}}``; empty when there is none."""

    @property
    def name(self) -> str:
        """As KFP writes it, with dashes."""
        return str(self.spec["pipelineInfo"]["name"])

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """KFP's definition of each parameter, by name: ``parameterType`` and more."""
        found: Mapping[str, Any] = self.spec["root"].get("inputDefinitions", {})
        told: Mapping[str, Mapping[str, Any]] = found.get("parameters", {})
        return told

    @property
    def images(self) -> tuple[str, ...]:
        """Every image that it runs, sorted."""
        executors = self.spec["deploymentSpec"].get("executors", {}).values()
        return tuple(sorted({str(e["container"]["image"]) for e in executors if "container" in e}))

    @property
    def text(self) -> str:
        """The file, byte for byte."""
        documents = [dict(self.spec), *([dict(self.platform)] if self.platform else [])]
        return "---\n".join(
            yaml.safe_dump(document, sort_keys=True, allow_unicode=True, width=100)
            for document in documents
        )


def read_compiled(path: Path) -> CompiledPipeline:
    """Read a compiled pipeline, whoever compiled it.

    Raises:
        CompileError: it is not there, or is not one.
    """
    try:
        documents = [item for item in yaml.safe_load_all(path.read_bytes()) if item is not None]
    except FileNotFoundError as error:
        raise CompileError(
            f"{path} does not exist", hint="compile it first: eggcrate compile"
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CompileError(f"{path} cannot be read", why=str(error)) from error
    try:
        spec, platform = (*documents, {})[:2]
        spec["root"]["dag"]["tasks"], spec["pipelineInfo"]["name"], spec["components"]
        platform.get("platforms")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CompileError(
            f"{path} is not a compiled pipeline",
            why="a PipelineSpec as KFP 2 writes it was expected: pipelineInfo, components, root",
        ) from error
    return CompiledPipeline(spec=spec, platform=platform)
