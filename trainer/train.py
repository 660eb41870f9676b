"""From a folder of labelled pictures to a trained model: the story."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras

from contract.image_input import ImageInput
from trainer.architectures import image_input_of
from trainer.base_weights import prepare_base
from trainer.code_version import code_version
from trainer.config import TrainingConfig
from trainer.dataset import SPLITS, DecodedSplit, PictureFolder, Split, batches, decode_split, find_pictures
from trainer.evaluation import evaluate
from trainer.fine_tuning import Outcome, add_head, fine_tune, train_from_scratch
from trainer.preprocessing import PictureDecoder
from trainer.progress import Progress
from trainer.trained_model import Run, RunRecord, TestPicture, save_run


def train(data: Path, name: str, config: TrainingConfig, runs: Path, progress: Progress) -> Run:
    """Train a classifier on the pictures in `data` and save the run under `runs`.

    Raises:
        TrainerError: the data, the settings or the base weights cannot be used, or training diverged.
    """
    keras.utils.set_random_seed(config.seed)
    image_input = image_input_of(config.model)
    found = find_pictures(data, config.data, config.seed)
    progress.on_note(_found_note(data, found))
    progress.on_work("building the network", 1)
    base, base_weights = prepare_base(config.model, runs)
    model = add_head(base, config.head, len(found.labels))
    splits = _decode(found, image_input, config, progress)
    outcome = _fit(model, splits, image_input, config, progress)
    progress.on_work("testing", 1)
    metrics = evaluate(model, splits["test"], found.labels, image_input, config.data.batch_size)
    record = RunRecord(
        id=f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{name}",
        name=name,
        ended=datetime.now(UTC),
        labels=found.labels,
        image_input=image_input,
        architecture=config.model.architecture,
        base_weights=base_weights,
        dataset_folder=data.resolve(),
        dataset_digest=found.digest(),
        pictures={split: len(splits[split].labels) for split in SPLITS},
        test_pictures=_test_pictures(splits["test"], found.labels),
        kept_phase=outcome.kept,
        code_version=code_version(),
        metrics={"validation": _validation(outcome), "test": metrics},
    )
    return save_run(runs, record, config, outcome.epochs, model)


def _decode(
    found: PictureFolder, image_input: ImageInput, config: TrainingConfig, progress: Progress
) -> dict[Split, DecodedSplit]:
    progress.on_work("reading pictures", sum(len(pictures) for pictures in found.pictures.values()))
    budget = config.data.memory_budget_mb
    decoder = PictureDecoder(image_input)
    splits = {split: decode_split(found.pictures[split], decoder, budget, progress.on_step) for split in SPLITS}
    for broken in (path for decoded in splits.values() for path in decoded.broken):
        progress.on_note(f"left out, cannot be decoded: {broken}")
    return splits


def _fit(
    model: Any,
    splits: dict[Split, DecodedSplit],
    image_input: ImageInput,
    config: TrainingConfig,
    progress: Progress,
) -> Outcome:
    size = config.data.batch_size
    train_batches = batches(splits["train"], image_input, size, shuffle_seed=config.seed)
    val_batches = batches(splits["val"], image_input, size)
    if config.model.weights == "none":
        progress.on_note("No base weights: training every layer from scratch, in one phase.")
        return train_from_scratch(model, train_batches, val_batches, config, progress)
    outcome = fine_tune(model, train_batches, val_batches, config, progress)
    if outcome.kept == "phase_one":
        progress.on_note(
            "Phase two ended worse than phase one on the validation pictures; phase one's weights are kept."
        )
    return outcome


def _found_note(data: Path, found: PictureFolder) -> str:
    counts = ", ".join(f"{len(found.pictures[split])} {split}" for split in SPLITS)
    over = f"; {found.passed_over} other files passed over" if found.passed_over else ""
    return f"{data}: {len(found.labels)} classes ({', '.join(found.labels)}); pictures: {counts}{over}"


def _test_pictures(split: DecodedSplit, labels: tuple[str, ...]) -> tuple[TestPicture, ...]:
    return tuple(TestPicture(path=picture.path.resolve(), label=labels[picture.label]) for picture in split.pictures)


def _validation(outcome: Outcome) -> dict[str, float]:
    return {"accuracy": outcome.val_accuracy, "cross_entropy": outcome.val_loss}
