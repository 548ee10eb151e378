"""Split a table for training, validation and test."""

from typing import NamedTuple

from kfp.dsl import Dataset, Input, Output

from components.shared.errors import DataError
from components.shared.frames import describe
from components.shared.tables import check_format, read_table, write_table
from components.split_data.ways import WAYS, assign
from eggcrate import component


class Split(NamedTuple):
    """How many rows each table has."""

    train_rows: int
    validation_rows: int
    test_rows: int


@component
def split_data(  # noqa: PLR0917 - KFP passes them by name
    data: Input[Dataset],
    train_data: Output[Dataset],
    validation_data: Output[Dataset],
    test_data: Output[Dataset],
    way: str = "random",
    by: str = "",
    key: str = "",
    test_share: float = 0.2,
    validation_share: float = 0.0,
    seed: int = 0,
    format: str = "package",  # noqa: A002 - the word its users know
) -> Split:
    """Put each row into one of three tables; the same rows and seed always give the same tables.

    Args:
        data: A table: Parquet, CSV, or one that another component wrote.
        train_data: What a model learns from.
        validation_data: What its settings are chosen by; without rows unless a share is given.
        test_data: What it is judged by.
        way: ``random``; ``stratified``, which keeps the shares of the values of ``by``; ``group``,
            which keeps rows of one value of ``by`` together; ``time``, where the latest rows by
            ``by`` are the test and those before them the validation, moments never divided.
        by: The column for every way but ``random``.
        key: A column that names a row, such as a customer. With it, the order of the rows does not
            matter, and ``random`` keeps a row where it is when others come or go; shares are then
            met about, not to the row.
        test_share: Share of the rows for the test, between 0 and 1.
        validation_share: Share of the rows for the validation.
        seed: Of the draw; the ways ``group`` and ``random`` with a key hash it with the value.
        format: ``package``, which every environment reads, or ``parquet``.

    Returns:
        How many rows each table has.

    Raises:
        DataError: the table cannot be read or divided so. No table is written then.
    """
    check_format(format)
    if way not in WAYS:
        raise DataError(f"there is no way {way!r} to split; use one of: {', '.join(WAYS)}")
    if (way == "random") == bool(by):
        raise DataError(
            f"the way {way} needs `by`, a column" if way != "random" else "random splits by nothing"
        )
    if not (0 < test_share < 1 and 0 <= validation_share < 1 - test_share):
        raise DataError(
            f"test_share is {test_share} and validation_share {validation_share}; each must lie "
            "between 0 and 1, and leave rows for the training"
        )
    frame = read_table(data.path, require=[name for name in (by, key) if name])
    for name in filter(None, (by, key)):
        if count := int(frame[name].isna().sum()):
            raise DataError(
                f"data {data.path}: {name} is missing in {count} of {len(frame)} rows; "
                "they belong to no part"
            )
    parts = assign(frame, way=way, by=by, key=key, shares=(test_share, validation_share), seed=seed)
    wanted = {"train": True, "validation": validation_share > 0, "test": True}
    counts = {name: int((parts == name).sum()) for name in wanted}
    if empty := [name for name, needed in wanted.items() if needed and not counts[name]]:
        raise DataError(
            f"data {data.path} has {len(frame)} rows, too few to split by {way}"
            f"{' of ' + by if by else ''}: {', '.join(empty)} would have none"
        )
    types = describe(frame) if format == "package" else None
    tables = {"train": train_data, "validation": validation_data, "test": test_data}
    for name, artifact in tables.items():
        write_table(artifact.path, frame[parts == name], form=format, types=types)
        artifact.metadata["rows"] = counts[name]
    return Split(**{f"{name}_rows": count for name, count in counts.items()})
