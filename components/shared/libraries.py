"""The libraries that can train a model, behind the same verbs; each in a module of ``flavours``.

Gradient-boosted trees, which take missing values and categories as they are, and small dense
networks, which learn with their weights how to take them.
"""

from __future__ import annotations

import re
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from components.shared.errors import ModelError
from components.shared.flavours import (
    catboost_trees,
    lightgbm_trees,
    sklearn_trees,
    tensorflow_network,
    torch_network,
    xgboost_trees,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.shared.flavours.training import Fitted, Training

_MODULES: dict[str, Any] = {
    "sklearn": sklearn_trees,
    "xgboost": xgboost_trees,
    "lightgbm": lightgbm_trees,
    "catboost": catboost_trees,
    "tensorflow": tensorflow_network,
    "torch": torch_network,
}
FLAVOURS = tuple(_MODULES)
_ROOM = 2
"""Lines of a library's own words that are passed on."""


def versions(flavour: str) -> dict[str, str]:
    """Versions of what a flavour's models depend on, in this environment.

    Raises:
        ModelError: the flavour is not known, or this environment lacks its library.
    """
    if flavour not in _MODULES:
        raise ModelError(f"there is no flavour {flavour!r}; use one of: {', '.join(FLAVOURS)}")
    found = {}
    for names in _MODULES[flavour].DISTRIBUTIONS:
        version = next(filter(None, map(_version, names)), None)
        if version is None:
            raise ModelError(
                f"the flavour {flavour} needs {names[0]}, which this environment does not have; "
                "run the step in one that does"
            )
        found[names[-1]] = version
    return found


def check_readable(flavour: str, *, written: dict[str, str], present: dict[str, str]) -> None:
    """Refuse a model that these versions cannot be trusted to read.

    Raises:
        ModelError: scikit-learn is not the very version that wrote it, or numpy not the same
            major version; another library is older than what wrote it.
    """
    for library, here in present.items():
        there = written.get(library, "0")
        if library == "scikit-learn":
            readable = here == there
        elif library == "numpy":
            readable = _release(here)[:1] == _release(there)[:1]
        else:
            readable = _release(here)[:2] >= _release(there)[:2]
        if not readable:
            raise ModelError(
                f"the model was written with {library} {there} and this environment has {here}, "
                f"which cannot be trusted to read it; use the environment it was trained in, "
                f"or train it again with the flavour {flavour} in this one"
            )


def fit(flavour: str, training: Training) -> Fitted:
    """Train an estimator.

    Raises:
        ModelError: the library refuses the parameters or the data.
    """
    try:
        fitted: Fitted = _MODULES[flavour].fit(training)
    except Exception as cause:
        if not _told(cause):
            raise
        given = dict(training.parameters) or "its defaults"
        said = "\n".join(str(cause).strip().splitlines()[:_ROOM])
        raise ModelError(f"{flavour} could not train with {given}: {said}") from cause
    outputs(
        flavour,
        fitted.estimator,
        training.rows.matrix[:1],
        categorical=training.categorical,
        classes=training.classes,
    )
    return fitted


def outputs(
    flavour: str,
    estimator: Any,
    matrix: np.ndarray,
    *,
    categorical: Sequence[bool],
    classes: int | None,
) -> np.ndarray:
    """Expected values for a regression, rows x classes of probabilities for a classification.

    Raises:
        ModelError: the model gives something else, having been trained for another objective.
    """
    values = _MODULES[flavour].outputs(estimator, matrix, categorical=categorical, classes=classes)
    found = np.asarray(values, dtype="float64")
    expected = (len(matrix),) if classes is None else (len(matrix), classes)
    if found.shape != expected:
        raise ModelError(
            f"the {flavour} model gives {found.shape} values where {expected} are due: "
            "its parameters name an objective of another task"
        )
    return found


def dump(flavour: str, estimator: Any) -> bytes:
    """Write an estimator in its library's own format."""
    content: bytes = _MODULES[flavour].dump(estimator)
    return content


def load(flavour: str, content: bytes, *, classes: int | None) -> Any:
    """Read what :func:`dump` wrote."""
    return _MODULES[flavour].load(content, classes=classes)


def importances(flavour: str, estimator: Any) -> list[float] | None:
    """What the library itself thinks of each feature; ``None`` when it does not say."""
    found: list[float] | None = _MODULES[flavour].importances(estimator)
    return found


def _told(cause: Exception) -> bool:
    """Whether it is the library's word on what it was given, and no defect."""
    own = (
        "CatBoostError",
        "InvalidArgumentError",
        "LightGBMError",
    )  # these are Exceptions by themselves
    return isinstance(cause, (TypeError, ValueError, RuntimeError)) or type(cause).__name__ in own


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])
