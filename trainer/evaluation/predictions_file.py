"""A run's predictions for each validation and test image, as a CSV file."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trainer.errors import RunFileError

COLUMNS = ("split", "path", "digest", "truth", "predicted", "probability", "right")


@dataclass(frozen=True)
class HeldOutPrediction:
    """One image and its most probable class.

    `split` is val or test, `digest` that of the file's bytes; `probability`, 0 to 1, is that of `predicted`.
    """

    split: str
    path: Path
    digest: str
    truth: str
    predicted: str
    probability: float

    @property
    def right(self) -> bool:
        """Whether the most probable class is the true one."""
        return self.predicted == self.truth


def write_predictions(target: Path, rows: Iterable[HeldOutPrediction]) -> None:
    """Write the rows to the CSV file `target`, in the order given, `right` as true or false."""
    with target.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_cells(row) for row in rows)


def read_predictions(path: Path) -> list[HeldOutPrediction]:
    """Read what `write_predictions` wrote.

    Raises:
        RunFileError: the file cannot be read, or is not a file of predictions.
    """
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            return [_predicted(row) for row in csv.DictReader(file, strict=True)]
    except OSError as error:
        raise RunFileError(f"The predictions in {path} cannot be read: {error.strerror}.") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        columns = ", ".join(COLUMNS)
        raise RunFileError(f"{path} is not a file of predictions with the columns {columns}: {error}.") from error


def _cells(row: HeldOutPrediction) -> tuple[str, ...]:
    right = "true" if row.right else "false"
    return row.split, str(row.path), row.digest, row.truth, row.predicted, repr(row.probability), right


def _predicted(row: dict[str, str]) -> HeldOutPrediction:
    return HeldOutPrediction(
        row["split"], Path(row["path"]), row["digest"], row["truth"], row["predicted"], float(row["probability"])
    )
