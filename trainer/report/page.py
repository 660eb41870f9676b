"""The report of a run: one self-contained HTML page, with the same numbers as `metrics.json`."""

import base64
import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from trainer.config import TrainingConfig
from trainer.evaluation.comparison import by_dotted_name, configuration_differences
from trainer.evaluation.numbers_in_words import percent, probability
from trainer.report.content import Report
from trainer.report.figures import ACCURACY, LOSS, histogram, learning_curve, reliability_diagram
from trainer.report.tables import (
    MOST_CLASSES_IN_MATRIX,
    contenders,
    image_totals,
    largest_confusions,
    matrix_cells,
    times_predicted,
    weakest_first,
)
from trainer.report.verdict import findings, warnings
from trainer.runs.phase_timing import PHASE_TITLES

_UNKNOWN = "\N{EN DASH}"


def write_report(target: Path, report: Report) -> None:
    """Write the page to the file `target`."""
    target.write_text(render_report(report), encoding="utf-8", errors="backslashreplace")


def render_report(report: Report) -> str:
    """Return the page as HTML: no scripts, no external resources, the same bytes for the same report.

    Each number from `metrics.json` is shown in a `<data>` element, whose `data-metric` is its dotted name there and
    whose `value` has all its digits.
    """
    metrics = report.record.metrics
    template = environment().get_template("page.html.jinja")
    return template.render(
        report=report,
        record=report.record,
        metrics=metrics,
        place=report.record.judged_on,
        judged=report.record.judged,
        images_name=report.record.judged_on,
        has_test=report.record.judged_on == "test",
        findings=findings(report),
        warnings=warnings(report),
        contenders=contenders(report),
        figures=_figures(report),
        settings=by_dotted_name(report.config.model_dump(mode="json")),
        changed=configuration_differences(TrainingConfig(), report.config),
        totals=image_totals(report.data),
        phase_titles=PHASE_TITLES,
        **_of_classes(report),
    )


def _of_classes(report: Report) -> dict[str, Any]:
    judged, names = report.record.judged, report.record.labels
    few = len(names) <= MOST_CLASSES_IN_MATRIX
    return {
        "class_names": names,
        "few_classes": few,
        "weakest_first": weakest_first(judged["per_class"]),
        "predicted": times_predicted(judged["confusion"], names),
        "matrix": matrix_cells(judged["confusion"]) if few else None,
        "confusions": largest_confusions(judged["confusion"], names),
    }


def _figures(report: Report) -> dict[str, list[str]]:
    reliability, reference = report.reliability, report.record.reference
    curves = [learning_curve(report.epochs, report.kept_epoch, curve) for curve in (LOSS, ACCURACY)]
    return {
        "curves": curves if report.epochs else [],
        "reliability": [
            reliability_diagram(reliability.before, "Before the temperature"),
            reliability_diagram(reliability.after, "After the temperature"),
        ]
        if reliability
        else [],
        "reference": [
            histogram(reference.confidence, "Confidence"),
            histogram(reference.entropy, "Entropy (1: uniform)"),
            histogram(reference.brightness, "Brightness"),
            histogram(reference.size, "Image size, pixels", pixels=True),
        ]
        if reference
        else [],
    }


def environment() -> Environment:
    """Return where templates of reports are rendered, with the filters that write numbers."""
    templates = Environment(
        loader=PackageLoader("trainer.report", "."),
        autoescape=True,  # names of classes and files come from users
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "exact": lambda value: "" if value is None else json.dumps(value),
        "percent": lambda share: _UNKNOWN if share is None else percent(share),
        "decimals": _decimals,
        "p_value": lambda value: probability(value).removeprefix("p").lstrip("\N{NO-BREAK SPACE}="),
        "count": lambda value: f"{value:,}",
        "base64": lambda content: base64.b64encode(content).decode("ascii"),
        "setting": lambda value: json.dumps(value, ensure_ascii=False),
    }
    return templates


def _decimals(value: float | None, digits: int = 3) -> str:
    return _UNKNOWN if value is None else f"{value:,.{digits}f}"
