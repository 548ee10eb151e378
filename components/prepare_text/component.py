"""Tell the language, the mood and the length of texts, as features of a model."""

from typing import NamedTuple

import pandas as pd
from kfp.dsl import Dataset, Input, Output
from py3langid import classify
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from components.shared.errors import DataError
from components.shared.frames import read_source, write_frame
from eggcrate import component


class Told(NamedTuple):
    """What came of it."""

    rows: int
    languages: int


@component
def prepare_text(
    data: Input[Dataset], told: Output[Dataset], column: str, drop: bool = True
) -> Told:
    """Add ``<column>_language``, ``<column>_mood`` and ``<column>_words`` to a table.

    Both models are in the packages' wheels: nothing is downloaded. The language is of the 97
    that langid knows; the mood goes from -1 to 1, by VADER's English lexicon, and is missing
    for texts of other languages. A text that is missing or empty has none of the three.

    Args:
        data: A table a component wrote, or CSV, plain or gzipped.
        told: The table with the new columns.
        column: The column of texts.
        drop: Whether the texts themselves are left out, which no model of ours takes.

    Returns:
        How many rows, and how many languages there are.

    Raises:
        DataError: the table cannot be read, lacks the column, or it holds no texts. No table is
            written then.
    """
    frame = read_source(data.path, require=[column])
    texts = frame[column]
    if pd.api.types.is_numeric_dtype(texts.dtype):
        raise DataError(f"data {data.path}: column {column} is {texts.dtype}; it must hold texts")
    made = {name: f"{column}_{name}" for name in ("language", "mood", "words")}
    if taken := [name for name in made.values() if name in frame.columns]:
        raise DataError(f"data {data.path} has a column {taken[0]} already; rename it first")
    analyzer = SentimentIntensityAnalyzer()
    rows = [_tell(text, analyzer) for text in texts]
    found = frame.drop(columns=[column]) if drop else frame.copy()
    for at, name in enumerate(made.values()):
        found[name] = pd.Series([row[at] for row in rows], index=frame.index)
    write_frame(told.path, found)
    return Told(rows=len(found), languages=int(found[made["language"]].nunique()))


def _tell(text: object, analyzer: SentimentIntensityAnalyzer) -> tuple:
    if not isinstance(text, str) or not text.strip():
        return None, None, None
    language = str(classify(text)[0])
    mood = float(analyzer.polarity_scores(text)["compound"]) if language == "en" else None
    return language, mood, float(len(text.split()))
