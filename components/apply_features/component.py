"""Fill, scale and encode the columns of a table as they were in training."""

from typing import NamedTuple

from kfp.dsl import Artifact, Dataset, Input, Output

from components.shared import transforms
from components.shared.frames import read_source, write_frame
from eggcrate import component


class Applied(NamedTuple):
    """What came of it."""

    rows: int


@component
def apply_features(
    data: Input[Dataset], features: Input[Artifact], transformed: Output[Dataset]
) -> Applied:
    """Do with a table what ``prepare_features`` did with the training data.

    Args:
        data: A table a component wrote, CSV (plain or gzipped), or Parquet where the environment
            has pyarrow; it need not have the target.
        features: What ``prepare_features`` learned.
        transformed: What became of the table.

    Returns:
        How many rows it has.

    Raises:
        DataError: the table or what was learned cannot be read, or they do not fit each other.
            No table is written then.
    """
    learned = transforms.read_transforms(features.path)
    frame = learned.apply(read_source(data.path), data.path)
    write_frame(transformed.path, frame)
    transformed.metadata["rows"] = len(frame)
    return Applied(rows=len(frame))
