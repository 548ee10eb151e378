"""Models as artifacts: the library's own format, and a signature that is read first.

The signature says which library wrote the model, in which versions, for which columns; a model
that this environment cannot be trusted to read is refused before a byte of it is loaded.
Each library's own format is read by its later versions, but for scikit-learn: it has none but
pickle, which is the exact version's alone, and which runs code (so does TensorFlow's SavedModel,
within bounds): the artifact store of a pipeline is inside the circle of trust, anything else is
not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from components.shared import libraries
from components.shared.archives import read_archive, write_archive
from components.shared.errors import DataError, ModelError
from components.shared.features import Feature, to_matrix

if TYPE_CHECKING:
    import pandas as pd

DOCUMENT = "signature.json"
MEMBER = "model"
SCHEMA = "components.model/1"


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What must be known of a model to use it."""

    flavour: str
    target: str
    features: tuple[Feature, ...]
    classes: tuple[Any, ...] | None
    """Values of the target in the order of the probabilities; ``None`` for a regression."""
    versions: dict[str, str]
    """Of the libraries that wrote it."""
    seed: int

    @property
    def task(self) -> str:
        """``classification`` or ``regression``."""
        return "regression" if self.classes is None else "classification"

    @property
    def class_count(self) -> int | None:
        """How many classes there are; ``None`` for a regression."""
        return None if self.classes is None else len(self.classes)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A trained model with its signature."""

    signature: Signature
    estimator: Any

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """Predict one value a row: the expected value for a regression, else a class's index."""
        if self.signature.classes is None:
            return self._outputs(frame)
        return self.probabilities(frame).argmax(axis=1)

    def probabilities(self, frame: pd.DataFrame) -> np.ndarray:
        """Predict rows x classes, in the order of the signature's classes."""
        return self._outputs(frame)

    def _outputs(self, frame: pd.DataFrame) -> np.ndarray:
        features = self.signature.features
        return libraries.outputs(
            self.signature.flavour,
            self.estimator,
            to_matrix(frame, features),
            categorical=[feature.categorical for feature in features],
            classes=self.signature.class_count,
        )


def save_model(path: str, model: Model) -> None:
    """Write a model as a pipeline artifact, atomically."""
    signature = model.signature
    content = libraries.dump(signature.flavour, model.estimator)
    description = {
        "schema": SCHEMA,
        "flavour": signature.flavour,
        "task": signature.task,
        "target": signature.target,
        "features": [feature.to_row() for feature in signature.features],
        "classes": None if signature.classes is None else list(signature.classes),
        "versions": signature.versions,
        "seed": signature.seed,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    write_archive(path, document=DOCUMENT, description=description, member=MEMBER, content=content)


def read_signature(path: str) -> Signature:
    """Read a model's signature; no library is needed for it.

    Raises:
        ModelError: it is no model of ours.
    """
    return _read_description(path)[0]


def load_model(path: str) -> Model:
    """Read a model, once its signature says that this environment can.

    Raises:
        ModelError: it is damaged, or this environment lacks its library, or has a version of it
            that cannot be trusted to read the model.
    """
    signature, checksum = _read_description(path)
    _, read = read_archive(path, document=DOCUMENT, kind="model", error=ModelError)
    present = libraries.versions(signature.flavour)
    libraries.check_readable(signature.flavour, written=signature.versions, present=present)
    content = read(MEMBER)
    if hashlib.sha256(content).hexdigest() != checksum:
        raise ModelError(f"model {path} is damaged: its content is not what was signed")
    estimator = libraries.load(signature.flavour, content, classes=signature.class_count)
    return Model(signature=signature, estimator=estimator)


def _read_description(path: str) -> tuple[Signature, str]:
    row, _ = read_archive(path, document=DOCUMENT, kind="model", error=ModelError)
    if row.get("schema") != SCHEMA:
        raise ModelError(f"model {path} has the schema {row.get('schema')!r}, not {SCHEMA!r}")
    try:
        signature = Signature(
            flavour=row["flavour"],
            target=row["target"],
            features=tuple(Feature.parse(feature) for feature in row["features"]),
            classes=None if row["classes"] is None else tuple(row["classes"]),
            versions=dict(row["versions"]),
            seed=row["seed"],
        )
        return signature, str(row["sha256"])
    except (KeyError, TypeError) as cause:
        raise ModelError(f"model {path}: its signature lacks {cause}") from cause


def class_indices(values: pd.Series, classes: tuple[Any, ...]) -> np.ndarray:
    """Turn values of a target into indices into its classes.

    Raises:
        DataError: a value is none of them.
    """
    index = {value: position for position, value in enumerate(classes)}
    if unknown := sorted(map(str, set(values.tolist()) - set(index))):
        known = ", ".join(map(str, classes))
        raise DataError(
            f"the target {values.name} holds {', '.join(unknown[:5])}; the model knows: {known}"
        )
    return np.array([index[value] for value in values.tolist()], dtype="int64")
