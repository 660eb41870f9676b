"""The page of an evaluation: how good a published version is on other images, beside its own test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainer.evaluation.calibration import ReliabilityBin
from trainer.report.figures import reliability_diagram
from trainer.report.page import environment
from trainer.report.tables import (
    MOST_CLASSES_IN_MATRIX,
    largest_confusions,
    matrix_cells,
    times_predicted,
    weakest_first,
)


@dataclass(frozen=True)
class EvaluationPage:
    """Everything that the page shows.

    `metrics` and `own` are as in metrics.json, `own` without the confusion matrix, and None where the version has none;
    `own_on` says on which images. `wrong` are files with their true class, the predicted one and its probability.
    """

    model: str
    version: int
    digest: str
    folder: str
    labels: Sequence[str]
    metrics: Mapping[str, Any]
    own: Mapping[str, Any] | None
    own_on: str
    verdict: str
    notes: Sequence[str]
    reliability: Sequence[ReliabilityBin]
    wrong: Sequence[tuple[str, str, str, float]]
    bad: Sequence[str]


def render_evaluation(page: EvaluationPage) -> str:
    """Return the page as HTML: no scripts, no external resources."""
    confusion, few = page.metrics["confusion"], len(page.labels) <= MOST_CLASSES_IN_MATRIX
    return (
        environment()
        .get_template("evaluation.html.jinja")
        .render(
            page=page,
            metrics=page.metrics,
            own_classes=(page.own or {}).get("per_class") or {},
            weakest_first=weakest_first(page.metrics["per_class"]),
            predicted=times_predicted(confusion, page.labels),
            matrix=matrix_cells(confusion) if few else None,
            confusions=largest_confusions(confusion, page.labels),
            diagram=reliability_diagram(page.reliability, "On these images"),
        )
    )
