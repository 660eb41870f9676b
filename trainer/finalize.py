"""The end of a run: calibrate, measure, compare with baselines, save and record."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lineage.errors import LineageError
from lineage.store import Lineage
from trainer.config import TrainingConfig
from trainer.data.decoded_split import DecodedSplit
from trainer.data.image_folder import SPLITS, Split
from trainer.data.leakage import describe
from trainer.data.loading import Pictures
from trainer.data.reference_histograms import make_reference
from trainer.evaluation.calibration import expected_calibration_error, fit_temperature, reliability, with_temperature
from trainer.evaluation.comparison import compare_answers
from trainer.evaluation.metrics import Predictions, evaluate
from trainer.evaluation.predictions_file import AnsweredPicture, write_predictions
from trainer.evaluation.worst_mistakes import worst_mistakes
from trainer.models.architectures import image_input_of
from trainer.models.head import divide_logits
from trainer.models.network import Network
from trainer.progress import Progress
from trainer.report.content import DataNotes, Reliability, Report
from trainer.report.page import write_report
from trainer.run_folder import RunFolder, now, to_json
from trainer.runs.code_version import code_version
from trainer.runs.environment import environment
from trainer.runs.lineage_entry import describe_run
from trainer.runs.phase_timing import phase_timings
from trainer.runs.record import HISTORY, METRICS, MODEL, PREDICTIONS, REPORT, RunRecord, TestPicture
from trainer.runs.trained_model import Run, digest_of_tensors
from trainer.training.baselines import train_baseline
from trainer.training.fine_tuning import Outcome
from trainer.training.input_pipeline import Feed, TrainingData
from trainer.training.network_building import in_full_precision
from trainer.training.prediction import Predictor

Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Student:
    """A network, what answers with it, what it is trained with, and the pictures of its test."""

    network: Network
    predictor: Predictor
    data: TrainingData
    test: Feed


@dataclass(frozen=True)
class _Exam:
    """Answers before the temperature, by held-out split, and the temperature fitted on validation."""

    raw: dict[Split, Probabilities]
    labels: dict[Split, npt.NDArray[np.int32]]
    temperature: float

    def calibrated(self, split: Split) -> Predictions:
        return Predictions(with_temperature(self.raw[split], self.temperature), self.labels[split])


def finish(
    folder: RunFolder,
    student: Student,
    outcome: Outcome,
    pictures: Pictures,
    config: TrainingConfig,
    progress: Progress,
    lineage: Lineage | None,
) -> Run:
    """Make a complete run of a trained network; see the module."""
    exam = _examine(student, pictures, config, progress)
    divide_logits(student.network.model, exam.temperature)
    metrics = _metrics(exam, outcome, pictures.found.labels)
    metrics["baselines"] = _baselines(folder, student, exam, pictures.found.labels, config, progress)
    progress.on_work("saving", 1)
    model = in_full_precision(student.network, config)
    model.save(folder.path / MODEL, include_optimizer=False)
    record = _record(folder, model, exam, outcome, pictures, config, metrics)
    _write_predictions(folder, exam, pictures)
    _write_report(folder, record, exam, outcome, pictures, config, student.data.train)
    history = [asdict(epoch) for epoch in outcome.epochs]
    folder.complete(record, {HISTORY: to_json(history), METRICS: to_json(metrics)})
    if lineage is not None:
        _record_in(lineage, folder, record, pictures)
    return Run(folder.path, record)


def _record_in(lineage: Lineage, folder: RunFolder, record: RunRecord, pictures: Pictures) -> None:
    try:
        lineage.record_run(describe_run(folder.path, record, pictures.found))
    except LineageError as error:
        raise type(error)(f"{error} The run is saved: graft lineage record {record.id} records it later.") from error


def _examine(student: Student, pictures: Pictures, config: TrainingConfig, progress: Progress) -> _Exam:
    progress.on_work("testing", 2)
    raw: dict[Split, Probabilities] = {}
    feeds: dict[Split, Feed] = {"val": student.data.val, "test": student.test}
    for split, feed in feeds.items():
        raw[split] = student.predictor.answer(feed, config.data.batch_size)
        progress.on_step()
    labels = {split: pictures.splits[split].labels for split in raw}
    return _Exam(raw, labels, fit_temperature(raw["val"], labels["val"]))


def _metrics(exam: _Exam, outcome: Outcome, labels: tuple[str, ...]) -> dict[str, Any]:
    test = exam.calibrated("test")
    return {
        "validation": evaluate(exam.calibrated("val"), labels),
        "test": evaluate(test, labels),
        "calibration": {
            "temperature": exam.temperature,
            "test_error_before": expected_calibration_error(exam.raw["test"], exam.labels["test"]),
            "test_error_after": expected_calibration_error(test.probabilities, test.labels),
        },
        "phases": [asdict(timing) for timing in phase_timings(outcome.epochs)],
    }


def _baselines(
    folder: RunFolder,
    student: Student,
    exam: _Exam,
    labels: tuple[str, ...],
    config: TrainingConfig,
    progress: Progress,
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in config.baselines:
        answers = train_baseline(name, student.data, student.test, config, folder.first_weights(), progress)
        answered = Predictions(answers, exam.labels["test"])
        paired = compare_answers(exam.calibrated("test").right, answered.right)
        found[name] = evaluate(answered, labels) | {"versus_model": paired.to_json()}
    return found


def _record(
    folder: RunFolder,
    model: Any,
    exam: _Exam,
    outcome: Outcome,
    pictures: Pictures,
    config: TrainingConfig,
    metrics: dict[str, Any],
) -> RunRecord:
    start, test, labels = folder.start, pictures.splits["test"], pictures.found.labels
    return RunRecord(
        id=folder.path.name,
        name=start.name,
        started=start.started,
        ended=now(),
        labels=labels,
        image_input=image_input_of(config.model),
        architecture=config.model.architecture,
        base_weights=start.base_weights,
        dataset_folder=start.data,
        dataset_digest=start.dataset_digest,
        pictures={split: len(pictures.splits[split].labels) for split in SPLITS},
        test_pictures=tuple(
            TestPicture(path=picture.path.resolve(), label=labels[picture.label]) for picture in test.pictures
        ),
        kept_phase=outcome.kept,
        gate=outcome.gate,
        temperature=exam.temperature,
        reference=make_reference(exam.calibrated("test").probabilities, labels, test.sizes, test.brightness),
        weights_digest=digest_of_tensors(model.get_weights()),
        code_version=code_version(),
        environment=environment(),
        notes=outcome.notes,
        metrics=metrics,
    )


def _write_predictions(folder: RunFolder, exam: _Exam, pictures: Pictures) -> None:
    digests = {entry.path: entry.digest for entry in pictures.found.entries()}
    labels = pictures.found.labels
    rows = []
    for split in exam.raw:
        predictions = exam.calibrated(split)
        confidence = predictions.probabilities.max(axis=1)
        for index, picture in enumerate(pictures.splits[split].pictures):
            rows.append(
                AnsweredPicture(
                    split,
                    picture.path,
                    digests[picture.path],
                    labels[picture.label],
                    labels[predictions.predicted[index]],
                    float(confidence[index]),
                )
            )
    write_predictions(folder.path / PREDICTIONS, rows)


def _write_report(
    folder: RunFolder,
    record: RunRecord,
    exam: _Exam,
    outcome: Outcome,
    pictures: Pictures,
    config: TrainingConfig,
    train: Feed,
) -> None:
    labels, test = pictures.found.labels, pictures.splits["test"]
    predictions = exam.calibrated("test")
    weighted = bool(np.ptp(train.class_weights))
    report = Report(
        record=record,
        config=config,
        epochs=outcome.epochs,
        data=DataNotes(
            pictures={str(split): count for split, count in pictures.found.counts().items()},
            left_out=[f"{broken.path}: {broken.reason}" for broken in _broken(pictures.splits)],
            passed_over=[f"{passed.path}: {passed.reason}" for passed in pictures.found.passed_over],
            leaks=[describe(leak) for leak in pictures.leaks],
            class_weights=dict(zip(labels, train.class_weights.tolist(), strict=True)) if weighted else None,
        ),
        reliability=Reliability(
            reliability(exam.raw["test"], exam.labels["test"]),
            reliability(predictions.probabilities, predictions.labels),
        ),
        mistakes=worst_mistakes(
            predictions,
            lambda index: test.pixels.take(np.array([index]))[0],
            [picture.path for picture in test.pictures],
            labels,
        ),
        kept_val_loss=outcome.score.loss,
    )
    write_report(folder.path / REPORT, report)


def _broken(splits: dict[Split, DecodedSplit]) -> list[Any]:
    return [broken for split in SPLITS for broken in splits[split].broken]
