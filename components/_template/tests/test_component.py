"""A copy of this folder tests itself: the component is imported from beside the tests."""

from pathlib import Path

import pandas as pd
import pytest
from kfp.dsl import Dataset

from components.shared.errors import DataError
from components.shared.frames import read_frame, write_frame

from ..component import template


def test_rows_without_a_value_are_dropped(tmp_path: Path) -> None:
    data, cleaned = (Dataset(uri=str(tmp_path / name)) for name in ("data", "cleaned"))
    write_frame(data.path, pd.DataFrame({"age": [31, None, 54], "name": ["Ada", "Bo", None]}))
    assert template(data, cleaned, column="age") == (2, 1)
    assert read_frame(cleaned.path)["name"].fillna("-").tolist() == ["Ada", "-"]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    data, cleaned = (Dataset(uri=str(tmp_path / name)) for name in ("data", "cleaned"))
    write_frame(data.path, pd.DataFrame({"age": [31]}))
    with pytest.raises(DataError, match="no column height"):
        template(data, cleaned, column="height")
    assert not Path(cleaned.path).exists()
