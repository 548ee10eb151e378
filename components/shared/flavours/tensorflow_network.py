"""A small dense network in TensorFlow, from 2.15; models are SavedModels, zipped.

A SavedModel and not Keras's own file, because TensorFlow promises to read old SavedModels and
Keras 3 does not read all that Keras 2 wrote, and because it stands alone: TensorFlow Serving and
``tf.saved_model.load`` give ``predict(features)``, rows x features as they come, to outputs.
Keras is not imported: for tables of this size it takes longer to start than to train.
"""

from __future__ import annotations

import io
import itertools
import os
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from components.shared.flavours.networks import Design, Encoding
from components.shared.flavours.training import Fitted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from components.shared.flavours.training import Table, Training

DISTRIBUTIONS = (("tensorflow-cpu", "tensorflow"),)
_DATE = (1980, 1, 1, 0, 0, 0)
_FIRST, _SECOND, _LEAST = 0.9, 0.999, 1e-7
"""Adam's decay of the first and second moment, and what it adds to a root."""


def fit(training: Training) -> Fitted:  # noqa: C901 - it is the loop that all of them have
    """Train with Adam; with early stopping the best epoch's weights are kept."""
    tf = _tensorflow()
    tf.config.experimental.enable_op_determinism()
    design, encoding = Design.parse(training.parameters), Encoding.learn(training)
    # The one stream of random arrays that numpy promises to repeat.
    random = np.random.RandomState(training.seed % 2**32)
    widths = [encoding.encode(training.rows.matrix[:1]).shape[1], *design.hidden_units]
    network = _network(
        _first_layers([*widths, training.classes or 1], random),
        encoding,
        features=len(training.categorical),
        classes=training.classes,
    )

    def table(rows: Table) -> tuple[Any, ...]:
        truth = rows.truth if training.classes else encoding.target(rows.truth)
        weights = rows.weights.astype("float32")
        return tuple(map(tf.constant, (encoding.encode(rows.matrix), truth, weights)))

    def loss(inputs: Any, truth: Any, weights: Any) -> Any:
        found = network.raw(inputs)
        if training.classes:
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(truth, found)
        else:
            each = (found[:, 0] - truth) ** 2
        return tf.reduce_sum(each * weights) / tf.reduce_sum(weights)

    learn = _learner(network, table(training.rows), loss, design.learning_rate)
    count = len(training.rows.truth)
    size = min(design.batch_size, count)
    steps = -(-count // size)

    def epoch() -> None:
        order = np.resize(random.permutation(count), steps * size)  # the last is filled up
        learn(tf.constant(order.reshape(steps, size)))

    if training.validation is None:
        for _ in range(design.epochs):
            epoch()
        return Fitted(estimator=network, rounds=design.epochs)
    judged, judge = table(training.validation), tf.function(loss)
    best, least, rounds = network.values(), np.inf, 0
    for number in range(1, design.epochs + 1):
        epoch()
        now = float(judge(*judged))
        if now < least:
            best, least, rounds = network.values(), now, number
        elif number - rounds >= training.patience:
            break
    for variable, value in zip(network.flat(), best, strict=True):
        variable.assign(value)
    return Fitted(estimator=network, rounds=rounds)


def outputs(
    estimator: Any, matrix: np.ndarray, *, categorical: Sequence[bool], classes: int | None
) -> np.ndarray:
    """Predict."""
    del categorical, classes  # it knows
    return estimator.predict(_tensorflow().constant(matrix, dtype="float64")).numpy()


def dump(estimator: Any) -> bytes:
    """Write a SavedModel, and zip it."""
    tf = _tensorflow()
    buffer = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(estimator, folder, signatures={"serving_default": estimator.predict})
        with zipfile.ZipFile(buffer, "w") as archive:
            for path in sorted(Path(folder).rglob("*")):
                if path.is_file():
                    info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _DATE)
                    archive.writestr(info, path.read_bytes())
    return buffer.getvalue()


def load(content: bytes, *, classes: int | None) -> Any:
    """Read a SavedModel."""
    del classes
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(folder)
        return _tensorflow().saved_model.load(folder)


def importances(estimator: Any) -> None:
    """A network keeps none."""
    del estimator


def _first_layers(
    widths: Sequence[int], random: np.random.RandomState
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights to begin with, as Glorot and Bengio (2010) draw them, and no biases."""
    layers = []
    for before, after in itertools.pairwise(widths):
        bound = np.sqrt(6 / (before + after))
        weights = random.uniform(-bound, bound, (before, after)).astype("float32")
        layers.append((weights, np.zeros(after, dtype="float32")))
    return layers


def _learner(
    network: Any, rows: tuple[Any, ...], loss: Callable[..., Any], rate: float
) -> Callable[[Any], None]:
    """A function that goes through batches of rows, given by their positions, with Adam."""
    tf = _tensorflow()
    variables = network.flat()
    moments = [(tf.Variable(0 * each), tf.Variable(0 * each)) for each in variables]
    step = tf.Variable(0.0)

    @tf.function
    def learn(order: Any) -> None:
        for batch in order:
            with tf.GradientTape() as tape:
                value = loss(*(tf.gather(each, batch) for each in rows))
            step.assign_add(1.0)
            slopes = tape.gradient(value, variables)
            for variable, (first, second), slope in zip(variables, moments, slopes, strict=True):
                first.assign(_FIRST * first + (1 - _FIRST) * slope)
                second.assign(_SECOND * second + (1 - _SECOND) * slope**2)
                mean = first / (1 - _FIRST**step)
                spread = tf.sqrt(second / (1 - _SECOND**step))
                variable.assign_sub(rate * mean / (spread + _LEAST))

    return learn


def _network(
    layers: Sequence[tuple[np.ndarray, np.ndarray]],
    encoding: Encoding,
    *,
    features: int,
    classes: int | None,
) -> Any:
    """The network with the way to its input and from its output, as one module."""
    tf = _tensorflow()

    class Network(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = [(tf.Variable(w), tf.Variable(b)) for w, b in layers]

        def flat(self) -> list[Any]:
            return [each for layer in self.layers for each in layer]

        def values(self) -> list[np.ndarray]:
            return [each.numpy() for each in self.flat()]

        def raw(self, state: Any) -> Any:
            for at, (weights, biases) in enumerate(self.layers):
                state = tf.matmul(state, weights) + biases
                if at < len(self.layers) - 1:
                    state = tf.nn.relu(state)
            return state

        @tf.function(input_signature=[tf.TensorSpec([None, features], tf.float64, "features")])
        def predict(self, matrix: Any) -> Any:
            numbers = tf.gather(matrix, list(encoding.numbers), axis=1)
            means = tf.constant(encoding.means, tf.float64)
            numbers = tf.where(tf.math.is_nan(numbers), means, numbers) - means
            parts = [tf.cast(numbers / tf.constant(encoding.deviations, tf.float64), tf.float32)]
            for position, levels in zip(encoding.categories, encoding.levels, strict=True):
                codes = matrix[:, position]
                known = tf.where(tf.math.is_nan(codes), tf.constant(-1, tf.float64), codes)
                parts.append(tf.one_hot(tf.cast(known, tf.int32), levels))
            found = self.raw(tf.concat(parts, axis=1))
            if classes is not None:
                return tf.nn.softmax(found)
            values = tf.cast(found[:, 0], tf.float64)
            return values * encoding.target_deviation + encoding.target_mean

    return Network()


def _tensorflow() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # it greets at length
    import tensorflow as tf  # noqa: PLC0415 - this environment may be another flavour's

    return tf
