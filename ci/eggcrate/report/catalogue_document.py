"""The catalogue as ``eggcrate.catalogue/1``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eggcrate.matrix.catalogue import near_duplicates

if TYPE_CHECKING:
    from eggcrate.matrix.catalogue import (
        Catalogue,
        CatalogueComponent,
        CatalogueEnvironment,
        CataloguePipeline,
    )
    from eggcrate.repo.signatures import Port

SCHEMA = "eggcrate.catalogue/1"


def document(catalogue: Catalogue) -> dict[str, Any]:
    """All of it, without the schema's name."""
    return {
        "environments": [_environment(one, catalogue) for one in catalogue.environments.values()],
        "components": [_component(one) for one in catalogue.components.values()],
        "pipelines": [_pipeline(one) for one in catalogue.pipelines.values()],
        "alike": [
            {
                "environment": pair.one,
                "other": pair.other,
                "same": pair.same,
                "count": pair.count,
                "replaces": pair.replaces,
            }
            for pair in near_duplicates(catalogue)
        ],
        "errors": {name: str(error) for name, error in catalogue.errors.items()},
    }


def _environment(one: CatalogueEnvironment, catalogue: Catalogue) -> dict[str, Any]:
    environment, recipe = one.environment, one.resolved.recipe
    until = environment.supported_until
    return {
        "name": one.name,
        "description": environment.description,
        "python": recipe.target.python,
        "base": recipe.base,
        "platforms": list(environment.platforms),
        "owner": environment.owner,
        "supported_until": str(until) if until else "",
        "key": recipe.key,
        "packages": dict(one.contents.packages),
        "main": dict(one.main),
        "download": one.size.download if one.size else None,
        "unpacked": one.size.unpacked if one.size else None,
        "components": list(catalogue.components_of(one.name)),
    }


def _component(one: CatalogueComponent) -> dict[str, Any]:
    component = one.component
    return {
        "name": component.name,
        "description": component.description,
        "function": one.signature.function,
        "environment": component.environment,
        "inputs": [_port(port) for port in one.signature.inputs],
        "outputs": [_port(port) for port in one.signature.outputs],
        "flavours": {name: list(needs) for name, needs in component.flavours.items()},
        "environments": {
            name: {"flavours": list(found.flavours), "reasons": dict(found.reasons)}
            for name, found in one.fits.items()
        },
    }


def _port(port: Port) -> dict[str, Any]:
    return {
        "name": port.name,
        "kind": port.kind.value,
        "type": port.type,
        "default": port.default,
        "about": port.about,
    }


def _pipeline(one: CataloguePipeline) -> dict[str, Any]:
    return {
        "name": one.name,
        "description": one.signature.summary,
        "inputs": [_port(port) for port in one.signature.inputs],
        "steps": [
            {"component": step.component, "environment": step.environment} for step in one.steps
        ],
        "projects": list(one.projects),
    }
