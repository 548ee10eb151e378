"""Learn from training data how to fill, scale and encode columns, and do it."""

from typing import NamedTuple, Optional

from kfp.dsl import Artifact, Dataset, Input, Output

from components.shared import transforms
from components.shared.frames import read_frame, write_frame
from eggcrate import component


class Prepared(NamedTuple):
    """What came of it."""

    columns: int


@component
def prepare_features(  # noqa: PLR0917 - KFP passes them by name
    train_data: Input[Dataset],
    test_data: Input[Dataset],
    train_features: Output[Dataset],
    test_features: Output[Dataset],
    features: Output[Artifact],
    target: str,
    keep: Optional[list] = None,  # noqa: UP045 - KFP does not read `list | None`
    impute: str = "median",
    scale: str = "standard",
    encode: str = "one-hot",
) -> Prepared:
    """Fill, scale and encode two tables by what is learned from the first alone.

    A text that training did not have is as one that is missing: it is of no level.

    Args:
        train_data: A table that a component wrote: what is learned from.
        test_data: One with the same columns; nothing is learned from it.
        train_features: What became of the first.
        test_features: What became of the second.
        features: What was learned, as JSON, for ``apply_features``.
        target: A column that is left as it is.
        keep: Others that are left as they are, such as a key.
        impute: Missing numbers become the ``median`` or the ``mean``, or stay with ``none``.
        scale: Numbers are taken less their mean, by their ``standard`` deviation, or ``none``.
        encode: Texts become a column a level (``one-hot``) or ``codes``, or stay with ``none``.

    Returns:
        How many columns there are beside those that were left as they are.

    Raises:
        DataError: a table cannot be learned from or does not fit. No artifact is written then.
    """
    untouched = list(dict.fromkeys([*(keep or ()), target]))
    train = read_frame(train_data.path, require=untouched)
    test = read_frame(test_data.path, require=untouched)
    learned = transforms.learn(
        train, untouched=untouched, impute=impute, scale=scale, encode=encode
    )
    made = learned.apply(train, train_data.path), learned.apply(test, test_data.path)
    for artifact, frame in zip((train_features, test_features), made, strict=True):
        write_frame(artifact.path, frame)
        artifact.metadata["rows"] = len(frame)
    transforms.write_transforms(features.path, learned)
    return Prepared(columns=len(made[0].columns) - len(untouched))
