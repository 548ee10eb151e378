"""A small dense network in PyTorch; models are weights and the encoding, by ``torch.save``.

They are read with ``weights_only``: tensors and plain values, no code.
"""

from __future__ import annotations

import copy
import io
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from components.shared.flavours.networks import Design, Encoding
from components.shared.flavours.training import Fitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from components.shared.flavours.training import Table, Training

DISTRIBUTIONS = (("torch",),)


def fit(training: Training) -> Fitted:  # noqa: C901 - it is the loop that all of them have
    """Train with Adam on the processor; with early stopping the best epoch's weights are kept."""
    import torch  # noqa: PLC0415 - this environment may be another flavour's

    design, encoding = Design.parse(training.parameters), Encoding.learn(training)
    generator = torch.Generator().manual_seed(training.seed)
    widths = [encoding.encode(training.rows.matrix[:1]).shape[1], *design.hidden_units]
    network = _network([*widths, training.classes or 1])
    with torch.no_grad():
        for layer in network[::2]:
            torch.nn.init.xavier_uniform_(layer.weight, generator=generator)
            layer.bias.zero_()

    def table(rows: Table) -> tuple[Any, ...]:
        truth = rows.truth if training.classes else encoding.target(rows.truth)
        weights = rows.weights.astype("float32")
        return tuple(map(torch.from_numpy, (encoding.encode(rows.matrix), truth, weights)))

    def loss(inputs: Any, truth: Any, weights: Any) -> Any:
        found = network(inputs)
        if training.classes:
            each = torch.nn.functional.cross_entropy(found, truth, reduction="none")
        else:
            each = (found[:, 0] - truth) ** 2
        return (each * weights).sum() / weights.sum()

    rows = table(training.rows)
    optimiser = torch.optim.Adam(network.parameters(), lr=design.learning_rate)

    def learn() -> None:
        for batch in torch.randperm(len(rows[0]), generator=generator).split(design.batch_size):
            optimiser.zero_grad()
            loss(*(each[batch] for each in rows)).backward()
            optimiser.step()

    if training.validation is None:
        for _ in range(design.epochs):
            learn()
        return Fitted(estimator=(network, encoding), rounds=design.epochs)
    judged = table(training.validation)
    best, least, rounds = network.state_dict(), np.inf, 0
    for epoch in range(1, design.epochs + 1):
        learn()
        with torch.no_grad():
            now = float(loss(*judged))
        if now < least:
            best, least, rounds = copy.deepcopy(network.state_dict()), now, epoch
        elif epoch - rounds >= training.patience:
            break
    network.load_state_dict(best)
    return Fitted(estimator=(network, encoding), rounds=rounds)


def outputs(
    estimator: Any, matrix: np.ndarray, *, categorical: Sequence[bool], classes: int | None
) -> np.ndarray:
    """Predict."""
    import torch  # noqa: PLC0415 - this environment may be another flavour's

    del categorical  # it knows
    network, encoding = estimator
    with torch.no_grad():
        found = network(torch.from_numpy(encoding.encode(matrix)))
        if classes is not None:
            return torch.softmax(found, dim=1).numpy()
        values = found[:, 0].double().numpy()
        return values * encoding.target_deviation + encoding.target_mean


def dump(estimator: Any) -> bytes:
    """Write weights and encoding."""
    import torch  # noqa: PLC0415 - this environment may be another flavour's

    network, encoding = estimator
    buffer = io.BytesIO()
    torch.save({"weights": network.state_dict(), "encoding": asdict(encoding)}, buffer)
    return buffer.getvalue()


def load(content: bytes, *, classes: int | None) -> Any:
    """Read weights and encoding."""
    import torch  # noqa: PLC0415 - this environment may be another flavour's

    del classes
    found = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    matrices = [each for each in found["weights"].values() if each.ndim > 1]
    network = _network([matrices[0].shape[1], *(each.shape[0] for each in matrices)])
    network.load_state_dict(found["weights"])
    return network, Encoding(**found["encoding"])


def importances(estimator: Any) -> None:
    """A network keeps none."""
    del estimator


def _network(widths: Sequence[int]) -> Any:
    import torch  # noqa: PLC0415 - this environment may be another flavour's

    layers: list[Any] = []
    for at in range(len(widths) - 1):
        layers += [torch.nn.Linear(widths[at], widths[at + 1]), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])
