"""The end of a run: evaluate, calibrate, compare with baselines, save and record."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lineage.errors import LineageError
from trainer.data.image_folder import Split
from trainer.data.leakage import LEAKAGE_FILE, describe, list_leaks
from trainer.data.reference_histograms import make_reference
from trainer.evaluation.calibration import expected_calibration_error, fit_temperature, reliability, with_temperature
from trainer.evaluation.comparison import compare_predictions
from trainer.evaluation.metrics import Predictions, evaluate
from trainer.evaluation.predictions_file import HeldOutPrediction, write_predictions
from trainer.evaluation.worst_mistakes import worst_mistakes
from trainer.models.head import divide_logits
from trainer.report.content import DataNotes, Reliability, Report
from trainer.report.page import write_report
from trainer.run_context import RunContext
from trainer.run_folder import now, to_json
from trainer.runs.code_version import code_version
from trainer.runs.environment import environment
from trainer.runs.lineage_entry import describe_run
from trainer.runs.phase_timing import phase_timings
from trainer.runs.record import (
    HISTORY,
    METRICS,
    METRICS_OF,
    MODEL,
    PREDICTIONS,
    REPORT,
    WITHOUT_TEST,
    RunRecord,
    TestImage,
)
from trainer.runs.trained_model import Run, digest_of_tensors
from trainer.training.baselines import train_baseline
from trainer.training.fine_tuning import TrainingOutcome
from trainer.training.network_building import in_full_precision

Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Evaluation:
    """Predictions for the held-out splits before the temperature, and the temperature fitted on validation."""

    raw: dict[Split, Probabilities]
    labels: dict[Split, npt.NDArray[np.int32]]
    temperature: float

    def calibrated(self, split: Split) -> Predictions:
        """Return the predictions for a split as the saved model makes them."""
        return Predictions(with_temperature(self.raw[split], self.temperature), self.labels[split])


def finalize(run: RunContext, outcome: TrainingOutcome) -> Run:
    """Evaluate and calibrate the trained network, compare it with baselines, and save and record the run."""
    evaluation = _evaluate(run)
    divide_logits(run.training.network.model, evaluation.temperature)
    metrics = _metrics(run, evaluation, outcome)
    run.progress.on_work("saving", 1)
    model = in_full_precision(run.training.network, run.config)
    model.save(run.folder.path / MODEL, include_optimizer=False)
    record = _record(run, model, evaluation, outcome, metrics)
    _write_predictions(run, evaluation)
    if run.images.leaks:
        list_leaks(run.folder.path / LEAKAGE_FILE, run.images.leaks, run.labels)
    write_report(run.folder.path / REPORT, _report(run, record, evaluation, outcome))
    history = [asdict(epoch) for epoch in outcome.epochs]
    run.folder.complete(record, {HISTORY: to_json(history), METRICS: to_json(metrics)})
    _record_in_lineage(run, record)
    return Run(run.folder.path, record)


def _evaluate(run: RunContext) -> Evaluation:
    run.progress.on_work("testing", len(run.held_out))
    raw: dict[Split, Probabilities] = {}
    for split, pipeline in run.held_out.items():
        raw[split] = run.training.predictor.predict(pipeline, run.config.data.batch_size)
        run.progress.on_step()
    labels = {split: run.images.splits[split].labels for split in raw}
    return Evaluation(raw, labels, fit_temperature(raw["val"], labels["val"]))


def _metrics(run: RunContext, evaluation: Evaluation, outcome: TrainingOutcome) -> dict[str, Any]:
    judged = evaluation.calibrated(run.judged_on)
    return {METRICS_OF[split]: evaluate(evaluation.calibrated(split), run.labels) for split in evaluation.raw} | {
        "calibration": _calibration(run, evaluation, judged),
        "phases": [asdict(timing) for timing in phase_timings(outcome.epochs)],
        "baselines": {name: _baseline_metrics(run, name, judged) for name in run.config.baselines},
    }


def _calibration(run: RunContext, evaluation: Evaluation, judged: Predictions) -> dict[str, float]:
    if run.judged_on != "test":  # the temperature was fitted on these images, so their error proves nothing
        return {"temperature": evaluation.temperature}
    return {
        "temperature": evaluation.temperature,
        "test_error_before": expected_calibration_error(evaluation.raw["test"], evaluation.labels["test"]),
        "test_error_after": expected_calibration_error(judged.probabilities, judged.labels),
    }


def _baseline_metrics(run: RunContext, name: str, model: Predictions) -> dict[str, Any]:
    """Train a baseline and compare its predictions for the held-out images with those of the `model`."""
    probabilities = train_baseline(name, run.training, run.held_out[run.judged_on], run.folder.first_weights())
    baseline = Predictions(probabilities, model.labels)
    paired = compare_predictions(model.right, baseline.right)
    return evaluate(baseline, run.labels) | {"versus_model": paired.to_json()}


def _record(
    run: RunContext, model: Any, evaluation: Evaluation, outcome: TrainingOutcome, metrics: dict[str, Any]
) -> RunRecord:
    start, splits, labels = run.folder.start, run.images.splits, run.labels
    judged = splits[run.judged_on]
    images = tuple(TestImage(path=image.path.resolve(), label=labels[image.label]) for image in judged.images)
    has_test = run.judged_on == "test"
    return RunRecord(
        id=run.folder.path.name,
        name=start.name,
        started=start.started,
        ended=now(),
        labels=labels,
        image_input=run.images.image_input,
        architecture=run.config.model.architecture,
        base_weights=start.base_weights,
        dataset_folder=start.data,
        dataset_digest=start.dataset_digest,
        images={split: len(splits[split].labels) for split in splits},
        test_images=images if has_test else (),
        validation_images=() if has_test else images,
        kept_phase=outcome.kept,
        gate=outcome.gate,
        temperature=evaluation.temperature,
        reference=make_reference(
            evaluation.calibrated(run.judged_on).probabilities, labels, judged.sizes, judged.brightness
        ),
        weights_digest=digest_of_tensors(model.get_weights()),
        code_version=code_version(),
        environment=environment(),
        notes=(*outcome.notes, *(() if has_test else (WITHOUT_TEST,))),
        metrics=metrics,
    )


def _write_predictions(run: RunContext, evaluation: Evaluation) -> None:
    digests = {entry.path: entry.digest for entry in run.images.found.entries()}
    rows = []
    for split in evaluation.raw:
        predictions = evaluation.calibrated(split)
        confidence = predictions.probabilities.max(axis=1)
        for index, image in enumerate(run.images.splits[split].images):
            rows.append(
                HeldOutPrediction(
                    split,
                    image.path,
                    digests[image.path],
                    run.labels[image.label],
                    run.labels[predictions.predicted[index]],
                    float(confidence[index]),
                )
            )
    write_predictions(run.folder.path / PREDICTIONS, rows)


def _report(run: RunContext, record: RunRecord, evaluation: Evaluation, outcome: TrainingOutcome) -> Report:
    judged, predictions = run.images.splits[run.judged_on], evaluation.calibrated(run.judged_on)
    return Report(
        record=record,
        config=run.config,
        epochs=outcome.epochs,
        data=_data_notes(run),
        reliability=Reliability(
            reliability(evaluation.raw[run.judged_on], predictions.labels),
            reliability(predictions.probabilities, predictions.labels),
        ),
        mistakes=worst_mistakes(
            predictions,
            lambda index: judged.pixels.take(np.array([index]))[0],
            [image.path for image in judged.images],
            run.labels,
        ),
        kept_val_loss=outcome.score.loss,
    )


def _data_notes(run: RunContext) -> DataNotes:
    found, splits, weights = run.images.found, run.images.splits, run.training.data.train.class_weights
    broken = [broken for split in splits.values() for broken in split.broken]
    weighted = bool(np.ptp(weights))
    return DataNotes(
        images={str(split): count for split, count in found.counts().items()},
        left_out=[f"{each.path}: {each.reason}" for each in broken],
        skipped=[f"{each.path}: {each.reason}" for each in found.skipped],
        leaks=[describe(leak) for leak in run.images.leaks],
        note=found.note,
        class_weights=dict(zip(run.labels, weights.tolist(), strict=True)) if weighted else None,
    )


def _record_in_lineage(run: RunContext, record: RunRecord) -> None:
    if run.lineage is None:
        return
    try:
        run.lineage.record_run(describe_run(run.folder.path, record, run.images.found))
    except LineageError as error:
        raise type(error)(f"{error} The run is saved: graft lineage record {record.id} records it later.") from error
