"""How columns are filled, scaled and encoded: learned once, written as JSON, read anywhere."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from components.shared.archives import write_json
from components.shared.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA = "components.features/1"
IMPUTES = ("median", "mean", "none")
SCALES = ("standard", "none")
ENCODES = ("one-hot", "codes", "none")
MAX_LEVELS = 100


@dataclass(frozen=True, kw_only=True)
class Transform:
    """What becomes of one column."""

    name: str
    kind: str
    """``number`` or ``text``."""
    fill: float | None = None
    """What a missing number becomes; ``None``: it stays missing."""
    mean: float = 0.0
    deviation: float = 1.0
    levels: tuple[str, ...] = ()
    encode: str = "none"

    def apply(self, column: pd.Series) -> dict[str, pd.Series]:
        """The columns that come of it.

        Raises:
            DataError: the column holds texts where numbers were learned from, or the reverse.
        """
        number = pd.api.types.is_numeric_dtype(column.dtype)
        if number != (self.kind == "number") and not column.isna().all():
            raise DataError(f"column {self.name} is {column.dtype}; it was {self.kind} in training")
        if self.kind == "number":
            values = pd.Series(
                column.to_numpy(dtype="float64", na_value=np.nan), index=column.index
            )
            if self.fill is not None:
                values = values.fillna(self.fill)
            return {self.name: (values - self.mean) / self.deviation}
        if self.encode == "none":
            return {self.name: column}
        if self.encode == "codes":
            codes = {level: float(code) for code, level in enumerate(self.levels)}
            found = [codes.get(value, math.nan) for value in column]
            return {self.name: pd.Series(found, index=column.index, dtype="float64")}
        return {f"{self.name}={level}": (column == level).astype("int64") for level in self.levels}


@dataclass(frozen=True, kw_only=True)
class Transforms:
    """What becomes of a table."""

    columns: tuple[Transform, ...]
    untouched: tuple[str, ...]
    """Columns that are kept as they are where they are: the target, keys."""

    def apply(self, frame: pd.DataFrame, path: str) -> pd.DataFrame:
        """The table that comes of a table; columns that were not learned from are left out.

        Raises:
            DataError: a column is missing, or of another kind than it was.
        """
        if missing := [each.name for each in self.columns if each.name not in frame.columns]:
            raise DataError(f"data {path} lacks columns that were learned from: {missing}")
        found = {name: frame[name] for name in self.untouched if name in frame.columns}
        for each in self.columns:
            for name, values in each.apply(frame[each.name]).items():
                if name in found:
                    raise DataError(f"two columns would be named {name}; rename one first")
                found[name] = values
        return pd.DataFrame(found)


def learn(
    frame: pd.DataFrame,
    *,
    untouched: Sequence[str],
    impute: str,
    scale: str,
    encode: str,
) -> Transforms:
    """Look at a table of training data.

    Raises:
        DataError: an option is not known, or a column cannot be learned from.
    """
    for name, value, known in (
        ("impute", impute, IMPUTES),
        ("scale", scale, SCALES),
        ("encode", encode, ENCODES),
    ):
        if value not in known:
            raise DataError(f"there is no {name} {value!r}; use one of: {', '.join(known)}")
    columns = []
    for name in map(str, frame.columns):
        if name in untouched:
            continue
        column = frame[name]
        if pd.api.types.is_datetime64_any_dtype(column.dtype):
            raise DataError(f"column {name} holds dates; turn them into numbers, or drop it")
        if column.isna().all():
            raise DataError(f"column {name} has no values; drop it")
        columns.append(
            _number(column, impute, scale)
            if pd.api.types.is_numeric_dtype(column.dtype)
            else _text(column, encode)
        )
    if not columns:
        raise DataError("the data has no column to learn from")
    return Transforms(columns=tuple(columns), untouched=tuple(untouched))


def write_transforms(path: str, transforms: Transforms) -> None:
    """Write them as JSON, atomically."""
    columns = [asdict(each) for each in transforms.columns]
    document = {"schema": SCHEMA, "columns": columns, "untouched": list(transforms.untouched)}
    write_json(path, document)


def read_transforms(path: str) -> Transforms:
    """Read what :func:`write_transforms` wrote.

    Raises:
        DataError: it is no such document.
    """
    try:
        found = json.loads(Path(path).read_bytes())
    except FileNotFoundError:
        raise DataError(f"features {path}: there is no such file") from None
    except (OSError, ValueError) as cause:
        raise DataError(f"features {path} cannot be read: {cause}") from cause
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise DataError(f"features {path} cannot be read: it is not of the schema {SCHEMA}")
    try:
        columns = tuple(_parse(row) for row in found["columns"])
        return Transforms(columns=columns, untouched=tuple(found["untouched"]))
    except (KeyError, TypeError) as cause:
        raise DataError(f"features {path} cannot be read: {cause}") from cause


def _parse(row: dict[str, Any]) -> Transform:
    return Transform(**{**row, "levels": tuple(row["levels"])})


def _number(column: pd.Series, impute: str, scale: str) -> Transform:
    values = column.to_numpy(dtype="float64", na_value=np.nan)
    if np.isinf(values).any():
        raise DataError(f"column {column.name} holds infinity; make it a missing value")
    fill = {"median": np.nanmedian, "mean": np.nanmean}.get(impute)
    filled = None if fill is None else float(fill(values))
    whole = values if filled is None else np.where(np.isnan(values), filled, values)
    standard = scale == "standard"
    return Transform(
        name=str(column.name),
        kind="number",
        fill=filled,
        mean=float(np.nanmean(whole)) if standard else 0.0,
        deviation=(float(np.nanstd(whole)) or 1.0) if standard else 1.0,
    )


def _text(column: pd.Series, encode: str) -> Transform:
    levels = tuple(sorted(map(str, column.dropna().unique())))
    if encode != "none" and len(levels) > MAX_LEVELS:
        raise DataError(
            f"column {column.name} has {len(levels)} different texts, more than {MAX_LEVELS}; "
            "drop it, group its values, or encode none"
        )
    return Transform(name=str(column.name), kind="text", levels=levels, encode=encode)
