"""Reports and run folders with made-up answers, so that no network has to be trained to see how they are shown."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from contract.image_input import ImageInput
from contract.manifest import BaseWeights
from trainer.config import TrainingConfig
from trainer.data.reference_histograms import brightness_of, make_reference
from trainer.evaluation.calibration import expected_calibration_error, fit_temperature, reliability, with_temperature
from trainer.evaluation.comparison import compare_predictions
from trainer.evaluation.metrics import Predictions, evaluate
from trainer.evaluation.predictions_file import HeldOutPrediction, write_predictions
from trainer.evaluation.worst_mistakes import worst_mistakes
from trainer.progress import Epoch, PhaseName
from trainer.report.content import DataNotes, Reliability, Report
from trainer.runs.phase_timing import phase_timings
from trainer.runs.record import CONFIG, PREDICTIONS, RECORD, GateOutcome, RunRecord

ENDED = datetime(2026, 11, 21, 14, 3, tzinfo=UTC)
PER_CLASS = 20


def predictions(classes: int, strength: float, seed: int = 0) -> Predictions:
    """Make answers to 20 images of each class: the truth's logit is raised by `strength` over noise."""
    labels = np.repeat(np.arange(classes, dtype=np.int32), PER_CLASS)
    logits = np.random.default_rng(seed).normal(0, 1.5, (len(labels), classes))
    logits[np.arange(len(labels)), labels] += strength
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return Predictions((exponents / exponents.sum(axis=1, keepdims=True)).astype(np.float32), labels)


def phase(name: PhaseName, epochs: int, start: float, unfrozen: int = 0) -> list[Epoch]:
    """Make epochs whose losses fall by a tenth each from `start`."""
    losses = [start * 0.9**index for index in range(epochs)]
    return [
        Epoch(name, number, 20, loss, 1 - loss / 2, loss + 0.05, 0.95 - loss / 2, 1e-3, unfrozen, 300, 2.5)
        for number, loss in enumerate(losses, start=1)
    ]


TWO_PHASES = [*phase("phase_one", 6, 1.2), *phase("phase_two", 3, 0.6, 20), *phase("phase_two", 4, 0.4, 40)]


def make_report(
    class_names: Sequence[str] = ("daisy", "roses", "tulips"),
    *,
    strength: float = 3.0,
    epochs: Sequence[Epoch] = tuple(TWO_PHASES),
    kept: PhaseName = "phase_two",
    baselines: dict[str, float] | None = None,
    figures: bool = False,
    **data: Any,
) -> Report:
    """Make a report; `baselines` are strengths by name, `data` fields of `DataNotes`.

    Without `figures` there are the learning curves alone, which is much quicker.
    """
    raw, validation = predictions(len(class_names), strength), predictions(len(class_names), strength, seed=1)
    temperature = fit_temperature(validation.probabilities, validation.labels)
    test = Predictions(with_temperature(raw.probabilities, temperature), raw.labels)
    metrics = {
        "validation": evaluate(validation, class_names),
        "test": evaluate(test, class_names),
        "calibration": {
            "temperature": temperature,
            "test_error_before": expected_calibration_error(raw.probabilities, raw.labels),
            "test_error_after": expected_calibration_error(test.probabilities, test.labels),
        },
        "baselines": {name: _baseline(test, each, class_names) for name, each in (baselines or {}).items()},
        "phases": [asdict(timing) for timing in phase_timings(epochs)],
    }
    pixels = _pixels(test.labels)
    sizes = np.full((len(pixels), 2), 300, np.int32)
    reference = make_reference(test.probabilities, class_names, sizes, brightness_of(pixels)) if figures else None
    before, after = (reliability(each.probabilities, each.labels) for each in (raw, test))
    paths = [Path(f"{class_names[label]}/{index:03d}.jpg") for index, label in enumerate(test.labels)]
    counts = {"train": dict.fromkeys(class_names, 100), "test": dict.fromkeys(class_names, PER_CLASS)}
    return Report(
        make_record("run-1", class_names, metrics, kept_phase=kept, reference=reference, temperature=temperature),
        TrainingConfig(),
        epochs,
        DataNotes(**({"images": counts} | data)),
        Reliability(before, after) if figures else None,
        worst_mistakes(test, pixels, paths, class_names),
    )


def make_record(id_: str, class_names: Sequence[str], metrics: dict[str, Any], **changes: Any) -> RunRecord:
    """Make the record of a run of two phases."""
    gate = GateOutcome(
        opened=True, forced=False, stopped_improving=True, val_loss=0.46, bound=0.5, reason="The head has settled."
    )
    return RunRecord(
        **{
            "id": id_,
            "name": "flowers",
            "started": ENDED - timedelta(seconds=88),
            "ended": ENDED,
            "labels": tuple(class_names),
            "image_input": ImageInput(height=96, width=96),
            "architecture": "mobilenet_v2",
            "base_weights": BaseWeights(source="imagenet", digest="sha256:ba5e"),
            "dataset_folder": Path("photos"),
            "dataset_digest": "sha256:da7a",
            "images": {"train": 300, "val": 60, "test": 60},
            "test_images": (),
            "kept_phase": "phase_two",
            "gate": gate,
            "weights_digest": "sha256:4e75",
            "code_version": "0.1.0",
            "metrics": metrics,
            **changes,
        }
    )


def write_run(
    runs: Path, id_: str, right: Sequence[bool], config: TrainingConfig, first_image: int = 0, **changes: Any
) -> Path:
    """Write the folder of a run of classes a and b, all of whose test images show a; return the folder.

    `right` says which images were recognised; their digests are numbers from `first_image` on.
    """
    folder = runs / id_
    folder.mkdir(parents=True)
    rows = [
        HeldOutPrediction("test", Path(f"a/{index}.jpg"), f"sha256:{index}", "a", "a" if good else "b", 0.75)
        for index, good in enumerate(right, start=first_image)
    ]
    probabilities = np.array([[0.75, 0.25] if good else [0.25, 0.75] for good in right], np.float32)
    metrics = {"test": evaluate(Predictions(probabilities, np.zeros(len(right), np.int32)), ("a", "b"))}
    record = make_record(id_, ("a", "b"), metrics, **changes)
    (folder / RECORD).write_text(record.model_dump_json())
    (folder / CONFIG).write_text(config.to_toml())
    write_predictions(folder / PREDICTIONS, rows)
    return folder


def _baseline(model: Predictions, strength: float, class_names: Sequence[str]) -> dict[str, Any]:
    baseline = predictions(len(class_names), strength, seed=2)
    return evaluate(baseline, class_names) | {
        "versus_model": compare_predictions(model.right, baseline.right).to_json()
    }


def _pixels(labels: npt.NDArray[np.int32]) -> npt.NDArray[np.uint8]:
    shades = (labels * 37 % 200 + 30).astype(np.uint8)
    return np.asarray(shades[:, None, None, None] * np.ones((1, 24, 24, 3), np.uint8))
