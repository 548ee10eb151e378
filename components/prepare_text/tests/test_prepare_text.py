"""Languages, moods and lengths by models that wheels ship, and clear refusals."""

from pathlib import Path

import pandas as pd
import pytest
from kfp.dsl import Dataset

from components.prepare_text.component import prepare_text
from components.shared.errors import DataError
from components.shared.frames import read_frame

LANGUAGES = {
    "en": "All human beings are born free and equal in dignity and rights.",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos.",
    "it": "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti.",
    "pl": "Wszyscy ludzie rodzą się wolni i równi w swojej godności i prawach.",
    "ja": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
}
"""Article 1 of the Universal Declaration of Human Rights."""


def dataset(folder: Path, texts: list) -> Dataset:
    path = folder / "data.csv"
    pd.DataFrame({"text": texts, "key": range(len(texts))}).to_csv(path, index=False)
    return Dataset(uri=str(path))


@pytest.fixture
def out(tmp_path: Path) -> Dataset:
    return Dataset(uri=str(tmp_path / "out"))


def test_languages_are_told(tmp_path: Path, out: Dataset) -> None:
    told = prepare_text(dataset(tmp_path, list(LANGUAGES.values())), out, "text")
    assert told == (7, 7)
    found = read_frame(out.path)
    assert list(found.columns) == ["key", "text_language", "text_mood", "text_words"]
    assert found["text_language"].tolist() == list(LANGUAGES)
    assert found["text_words"].tolist()[0] == 12
    assert found["text_mood"].notna().tolist() == [True] + [False] * 6


def test_moods_are_told(tmp_path: Path, out: Dataset) -> None:
    texts = ["I love this wonderful, happy place very much", "a terrible disaster and I hate it"]
    prepare_text(dataset(tmp_path, texts), out, "text", drop=False)
    good, bad = read_frame(out.path)["text_mood"]
    assert good > 0.7
    assert bad < -0.7
    assert read_frame(out.path)["text"].tolist() == texts


def test_a_gap_stays_one_and_the_same_data_gives_the_same_bytes(
    tmp_path: Path, out: Dataset
) -> None:
    data = dataset(tmp_path, ["a good day for all of us", None, "  "])
    prepare_text(data, out, "text")
    first = Path(out.path).read_bytes()
    assert read_frame(out.path)["text_words"].isna().tolist() == [False, True, True]
    prepare_text(data, out, "text")
    assert Path(out.path).read_bytes() == first


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        ({"body": ["a"]}, "no column text"),
        ({"text": [1, 2]}, "column text is int64; it must hold texts"),
        ({"text": []}, "has no rows"),
        ({"text": ["a"], "text_mood": [1]}, "a column text_mood already"),
    ],
)
def test_data_without_texts_is_refused(
    tmp_path: Path, out: Dataset, frame: dict, says: str
) -> None:
    path = tmp_path / "data.csv"
    pd.DataFrame(frame).to_csv(path, index=False)
    with pytest.raises(DataError, match=says):
        prepare_text(Dataset(uri=str(path)), out, "text")
    with pytest.raises(DataError, match="there is no such file"):
        prepare_text(Dataset(uri=str(tmp_path / "nowhere")), out, "text")
    assert not Path(out.path).exists()
