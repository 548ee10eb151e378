"""What this component does, in one line."""

from typing import NamedTuple

from kfp.dsl import Dataset, Input, Output

from components.shared.frames import read_source, write_frame
from eggcrate import component


class Result(NamedTuple):
    """Simple values that later steps and people read."""

    kept: int
    dropped: int


@component
def template(
    data: Input[Dataset],
    cleaned: Output[Dataset],
    column: str,
) -> Result:
    """Drop the rows in which a column has no value.

    Args:
        data: A table; its file is ``data.path``.
        cleaned: The result; written once and whole to ``cleaned.path``.
        column: The column that must have a value.

    Returns:
        How many rows were kept and dropped.

    Raises:
        DataError: the table cannot be read or lacks the column.
    """
    frame = read_source(data.path, require=[column])
    kept = frame.dropna(subset=[column])
    write_frame(cleaned.path, kept)
    cleaned.metadata["rows"] = len(kept)
    return Result(kept=len(kept), dropped=len(frame) - len(kept))
