"""The tables of the report, as rows for the template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainer.report.content import DataNotes, Report
from trainer.report.verdict import baseline_title

MOST_CLASSES_IN_MATRIX = 30  # a larger matrix is unreadable; its largest counts are listed instead
_MOST_CONFUSIONS = 20


@dataclass(frozen=True)
class Cell:
    """A count of the confusion matrix, whether it is on the diagonal, and the depth of its colour, 0 to 1.

    The colour is the share of the row; for wrong predictions its square root, so that small counts are visible.
    """

    images: int
    shade: float
    right: bool


@dataclass(frozen=True)
class Confusion:
    """How many images of one class were predicted as another, and their share of the true class."""

    truth: str
    predicted: str
    images: int
    share: float


@dataclass(frozen=True)
class Contender:
    """A model in the comparison, with the place of its numbers in `metrics.json`."""

    title: str
    place: str
    metrics: Mapping[str, Any]


def contenders(report: Report) -> list[Contender]:
    """Return this model and its baselines."""
    metrics = report.record.metrics
    baselines = (metrics.get("baselines") or {}).items()
    return [
        Contender("this model", report.record.judged_on, report.record.judged),
        *(Contender(baseline_title(name), f"baselines.{name}", each) for name, each in baselines),
    ]


def weakest_first(per_class: Mapping[str, Any]) -> list[str]:
    """Return the class names by rising F1; those without images last."""
    return sorted(per_class, key=lambda name: (not per_class[name]["images"], per_class[name]["f1"] or 0.0))


def matrix_cells(confusion: Sequence[Sequence[int]]) -> list[list[Cell]]:
    """Return the confusion matrix with the colours of its cells."""
    return [
        [_cell(count, sum(row), truth == column) for column, count in enumerate(row)]
        for truth, row in enumerate(confusion)
    ]


def largest_confusions(confusion: Sequence[Sequence[int]], names: Sequence[str]) -> list[Confusion]:
    """Return the pairs of classes that are confused most often, at most 20 of them."""
    found = [
        Confusion(names[truth], names[column], count, count / sum(row))
        for truth, row in enumerate(confusion)
        for column, count in enumerate(row)
        if count and truth != column
    ]
    return sorted(found, key=lambda each: (-each.images, -each.share))[:_MOST_CONFUSIONS]


def times_predicted(confusion: Sequence[Sequence[int]], names: Sequence[str]) -> dict[str, int]:
    """Return how often each class was predicted."""
    return {name: sum(row[column] for row in confusion) for column, name in enumerate(names)}


def image_totals(data: DataNotes) -> dict[str, int]:
    """Return the number of images of each split."""
    return {split: sum(of_class.values()) for split, of_class in data.images.items()}


def _cell(images: int, of_row: int, right: bool) -> Cell:
    share = images / max(of_row, 1)
    return Cell(images, share if right else share**0.5, right)
