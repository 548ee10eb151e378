"""Models of iris for tests that are about something else: each is trained once a run."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from kfp.dsl import Dataset, Model

from components.shared import samples
from components.shared.frames import write_frame
from components.train_model.component import train_model

_ROUNDS = {
    "sklearn": "max_iter",
    "catboost": "iterations",
    "tensorflow": "epochs",
    "torch": "epochs",
}
_SHAPES = {
    "species": ("species", "classification"),
    "virginica": ("species", "classification"),
    "petal_width": ("petal_width", "regression"),
}


def write_model(folder: Path, flavour: str, of: str = "species") -> Model:
    """Write a model of ``species``, of whether it is ``virginica``, or of the ``petal_width``."""
    path = folder / "model"
    path.write_bytes(_trained(flavour, of))
    return Model(uri=str(path))


@functools.cache
def _trained(flavour: str, of: str) -> bytes:
    target, task = _SHAPES[of]
    rounds = {_ROUNDS.get(flavour, "num_boost_round"): 30}
    with tempfile.TemporaryDirectory() as folder:
        data, model = Dataset(uri=f"{folder}/data"), Model(uri=f"{folder}/model")
        write_frame(data.path, samples.binary()[0] if of == "virginica" else samples.iris())
        train_model(data, model, target, flavour=flavour, task=task, parameters=rounds)
        return Path(model.path).read_bytes()
