"""What this component does, in one line."""

from typing import NamedTuple

from components.shared.frames import read_frame, write_frame


class Result(NamedTuple):
    """Simple values that later steps and people read."""

    kept: int
    dropped: int


# The pipeline finds this function by the folder's name; give it yours when you copy it.
def template(data: str, cleaned: str, column: str) -> Result:
    """Drop the rows in which a column has no value.

    Args:
        data: A table that a component wrote: inputs come as paths.
        cleaned: Where the result goes: outputs are paths too, written once and whole.
        column: The column that must have a value.

    Returns:
        How many rows were kept and dropped.

    Raises:
        DataError: the table cannot be read or lacks the column.
    """
    frame = read_frame(data, require=[column])
    kept = frame.dropna(subset=[column])
    write_frame(cleaned, kept)
    return Result(kept=len(kept), dropped=len(frame) - len(kept))
