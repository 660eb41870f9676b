"""An evaluation as tables, as JSON, and as a page."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contract.storage.whole_file import write_whole
from graft.actions.evaluate.result import VersionEvaluation
from graft.tables import NOT_KNOWN, plain_table, print_line, wide_console
from trainer.data.folders.walk import plain_name
from trainer.report.evaluation_page import EvaluationPage, render_evaluation
from trainer.report.tables import largest_confusions, weakest_first

_CONFUSIONS = 10
_MEASURES = (
    ("macro F1", "macro_f1"),
    ("cross-entropy, nats", "cross_entropy"),
    ("calibration error", "expected_calibration_error"),
)


def as_json(result: VersionEvaluation) -> str:
    """Return everything as JSON."""
    manifest, own = result.manifest, result.own
    content = {
        "model": manifest.name,
        "version": manifest.version,
        "digest": manifest.digest,
        "folder": str(result.folder),
        "metrics": result.metrics,
        "own": None if own is None else {"on": own.on, "metrics": own.metrics, "p_value": own.p_value},
        "verdict": result.verdict,
        "unknown_classes": result.unknown,
        "missing_classes": result.missing,
        "seen_in_training": result.seen_in_training,
        "notes": result.notes,
        "bad_images": [{"image": str(each.path), "detail": each.reason} for each in result.bad],
    }
    return json.dumps(content, indent=2) + "\n"


def print_evaluation(result: VersionEvaluation, page: Path | None) -> None:
    """Print the results beside those of the version's own test, then each class, then what was confused most."""
    console, metrics, own = wide_console(), result.metrics, result.own
    title = f"{result.manifest.name} version {result.manifest.version} on {plain_name(result.folder)}"
    print_line(console, f"{title}: {_accuracy(metrics)}. {result.verdict}")
    console.print()
    columns = ("", "these images", f"its own {own.on}" if own else "its own test")
    shown = [metrics, own.metrics if own else {}]
    rows = [("images", *(str(each.get("images", NOT_KNOWN)) for each in shown))]
    rows += [("accuracy", *map(_accuracy, shown))]
    rows += [(name, *(_decimals(each.get(key)) for each in shown)) for name, key in _MEASURES]
    console.print(plain_table(columns, rows, to_the_right=columns[1:]))
    console.print()
    classes = ("class", "images", "precision", "recall", "F1", "own precision", "own recall")
    console.print(plain_table(classes, _class_rows(result), to_the_right=classes[1:]))
    if confused := largest_confusions(metrics["confusion"], result.manifest.labels)[:_CONFUSIONS]:
        console.print()
        confusions = [(plain_name(c.truth), plain_name(c.predicted), str(c.images), _share(c.share)) for c in confused]
        console.print(plain_table(("true class", "predicted", "images", "of the class"), confusions))
    console.print()
    for note in result.notes:
        print_line(console, note)
    if page:
        print_line(console, f"Wrote {page}")


def write_page(target: Path, result: VersionEvaluation) -> None:
    """Write the evaluation as one self-contained HTML page."""
    page = EvaluationPage(
        model=result.manifest.name,
        version=result.manifest.version,
        digest=result.manifest.digest,
        folder=plain_name(result.folder),
        labels=result.manifest.labels,
        metrics=result.metrics,
        own=result.own.metrics if result.own else None,
        own_on=result.own.on if result.own else "test",
        verdict=result.verdict,
        notes=result.notes,
        reliability=result.reliability,
        wrong=[(plain_name(path), truth, predicted, share) for path, truth, predicted, share in result.wrong],
        bad=[f"{plain_name(each.path)}: {plain_name(each.reason)}" for each in result.bad],
    )
    write_whole(target, render_evaluation(page))


def _class_rows(result: VersionEvaluation) -> list[tuple[str, ...]]:
    here = result.metrics["per_class"]
    own: Mapping[str, Any] = (result.own.metrics.get("per_class") or {}) if result.own else {}
    return [
        (
            plain_name(name),
            str(here[name]["images"]),
            *(_share(here[name][key]) for key in ("precision", "recall", "f1")),
            *(_share(own.get(name, {}).get(key)) for key in ("precision", "recall")),
        )
        for name in weakest_first(here)
    ]


def _accuracy(metrics: Mapping[str, Any]) -> str:
    low, high = metrics.get("accuracy_interval") or (None, None)
    if metrics.get("accuracy") is None:
        return NOT_KNOWN
    interval = f" (95 % interval {_share(low)} to {_share(high)})" if low is not None else ""
    return f"{_share(metrics['accuracy'])}{interval}"


def _share(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{100 * value:.1f} %"


def _decimals(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{value:.4f}"
