"""Split a table into what a model learns from and what it is judged by."""

from typing import NamedTuple, Optional

from kfp.dsl import Dataset, Input, Output

from components.shared.errors import DataError
from components.shared.frames import check_target, describe, read_source, write_frame
from components.shared.splits import choose
from eggcrate import component


class Prepared(NamedTuple):
    """What became of the source."""

    train_rows: int
    test_rows: int


@component
def prepare_data(  # noqa: PLR0917 - KFP passes them by name
    source: Input[Dataset],
    train_data: Output[Dataset],
    test_data: Output[Dataset],
    target: str,
    columns: Optional[list] = None,  # noqa: UP045 - KFP does not read `list | None`
    test_share: float = 0.25,
    stratify: bool = False,
    seed: int = 0,
) -> Prepared:
    """Split a table at random, the same way in every environment.

    Args:
        source: Data from outside: CSV, plain or gzipped; Parquet where the environment has
            pyarrow; or a table another component wrote.
        train_data: The training table.
        test_data: The test table.
        target: The column to be predicted; it must have a value in each row.
        columns: Columns to keep beside the target; all when not given.
        test_share: Share of the rows that go into the test table, between 0 and 1.
        stratify: Whether to take this share of every value of the target.
        seed: Of the random split.

    Returns:
        How many rows each table has.

    Raises:
        DataError: the source cannot be read, lacks a column, has missing targets, or is too
            small to be split. Neither table is written then.
    """
    if not 0 < test_share < 1:
        raise DataError(f"test_share is {test_share}; it must lie between 0 and 1")
    frame = read_source(source.path, require=[*(columns or ()), target])
    check_target(frame, target, source.path)
    if columns is not None:
        frame = frame[[name for name in frame.columns if name in {*columns, target}]]
    chosen = choose(frame[target], test_share, stratify=stratify, seed=seed)
    train, test = frame[~chosen], frame[chosen]
    if train.empty or test.empty:
        raise DataError(
            f"data {source.path} has {len(frame)} rows, "
            f"too few to give {test_share:.0%} of them away"
        )
    types = describe(frame)
    for artifact, part in ((train_data, train), (test_data, test)):
        write_frame(artifact.path, part, types=types)
        artifact.metadata["rows"] = len(part)
    return Prepared(train_rows=len(train), test_rows=len(test))
