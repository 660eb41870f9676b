"""A run's answer to each held-out image, on disk."""

import csv
import os
from pathlib import Path

import pytest

from trainer.errors import RunFileError
from trainer.evaluation.predictions_file import COLUMNS, HeldOutPrediction, read_predictions, write_predictions

ROWS = [
    HeldOutPrediction("val", Path("photos/a/1.jpg"), "sha256:1", "a", "a", 0.1 + 0.2),
    HeldOutPrediction("test", Path('photos/b, "c"/\n2.jpg'), "sha256:2", 'b, "c"', "a", 1.0),
    HeldOutPrediction("test", Path(os.fsdecode(b"photos/a/\xff.jpg")), "sha256:3", "a", "ü", 5e-324),
]


def test_round_trip(tmp_path: Path) -> None:
    """What was written is read back, to the last bit, whatever the names of files and classes."""
    write_predictions(tmp_path / "predictions.csv", ROWS)
    assert read_predictions(tmp_path / "predictions.csv") == ROWS


def test_a_spreadsheet_finds_its_columns(tmp_path: Path) -> None:
    """The first line names the columns, and `right` says of each row whether the answer was the truth."""
    write_predictions(tmp_path / "predictions.csv", ROWS[:2])
    with (tmp_path / "predictions.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == COLUMNS
    assert [row[-1] for row in rows] == ["true", "false"]


def test_a_missing_file_is_one_clear_sentence(tmp_path: Path) -> None:
    """A run of an earlier version has no predictions; the message says which file is missing."""
    with pytest.raises(RunFileError, match=r"The predictions in .*p.csv cannot be read: No such file"):
        read_predictions(tmp_path / "p.csv")


@pytest.mark.parametrize(
    "content",
    [
        "split,path\ntest,a.jpg\n",
        f"{','.join(COLUMNS)}\ntest,a.jpg,sha256:1,a,a,likely,true\n",
        f"{','.join(COLUMNS)}\ntest,a.jpg,sha256:1\n",
        f'{",".join(COLUMNS)}\ntest,"a.jpg',
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    """Missing columns, missing cells, words for numbers and broken quotes are no predictions."""
    (tmp_path / "p.csv").write_text(content)
    with pytest.raises(RunFileError, match="is not a file of predictions"):
        read_predictions(tmp_path / "p.csv")
