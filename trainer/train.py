"""From a folder of labelled pictures to a trained model: the story."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf

from lineage.store import Lineage
from trainer.config import TrainingConfig
from trainer.data.image_folder import find_pictures
from trainer.data.loading import Pictures, check_same_pictures, read_pictures
from trainer.data.pixel_store import MemoryBudget
from trainer.finalize import Student, finish
from trainer.hardware import gpus, strategy_for
from trainer.interruption import TerminatedError
from trainer.models.architectures import image_input_of
from trainer.models.defaults import fill_in
from trainer.models.network import Network
from trainer.progress import Progress
from trainer.run_folder import RunFolder, Start, begun_run, now, reopened_run
from trainer.runs.record import read_settings
from trainer.runs.trained_model import Run
from trainer.training.fine_tuning import Outcome, fine_tune, train_from_scratch
from trainer.training.network_building import begin_network, continue_network
from trainer.training.pixel_pipelines import make_test_feed, make_training_data
from trainer.training.prediction import Predictor
from trainer.training.state import Journal
from trainer.training.tensorboard_logs import TensorBoardLogs


def train(
    data: Path, name: str, config: TrainingConfig, runs: Path, progress: Progress, lineage: Lineage | None = None
) -> Run:
    """Train a classifier on the pictures in `data`, save the run under `runs` and record it in `lineage`.

    Makes TensorFlow deterministic for the whole process.

    Raises:
        TrainerError: the data, the settings or the base weights cannot be used, or training diverged.
    """
    started, config, data = now(), fill_in(config), data.resolve()
    _make_repeatable(config.seed)
    found = find_pictures(data, config.data, config.seed)
    progress.on_work("building the network", 1)
    network, base_weights = begin_network(config, len(found.labels), runs)
    pictures = read_pictures(found, image_input_of(config.model), config, progress)
    start = Start(name=name, started=started, data=data, dataset_digest=found.digest(), base_weights=base_weights)
    weights = network.model.get_weights()
    with pictures, begun_run(runs, start, config, weights) as folder, strategy_for(gpus()).scope():
        return _learn(folder, network, pictures, config, progress, lineage)


def resume(run: str, runs: Path, progress: Progress, lineage: Lineage | None = None) -> Run:
    """Go on with a run that was interrupted, from its last whole epoch, to the very weights it would have had.

    Raises:
        TrainerError: there is no such run, or its pictures are not what they were.
    """
    with reopened_run(run, runs) as folder:
        config = read_settings(folder.path)
        _make_repeatable(config.seed)
        found = find_pictures(folder.start.data, config.data, config.seed)
        check_same_pictures(found, folder.start.dataset_digest)
        progress.on_work("building the network", 1)
        network = continue_network(config, len(found.labels), folder.first_weights())
        pictures = read_pictures(found, image_input_of(config.model), config, progress)
        with pictures, strategy_for(gpus()).scope():
            return _learn(folder, network, pictures, config, progress, lineage)


def _learn(
    folder: RunFolder,
    network: Network,
    pictures: Pictures,
    config: TrainingConfig,
    progress: Progress,
    lineage: Lineage | None,
) -> Run:
    splits = pictures.splits
    data = make_training_data(splits["train"], splits["val"], network.classes, pictures.image_input, config)
    test = make_test_feed(splits["test"], network.classes, pictures.image_input)
    student = Student(network, Predictor(network.model), data, test)
    journal = Journal(folder.checkpoint)
    with _resumable(folder, progress):
        with _logged(folder, config, progress, journal) as heard_by:
            outcome = _fit(student, pictures.budget, config, heard_by, journal)
        return finish(folder, student, outcome, pictures, config, progress, lineage)


def _fit(
    student: Student, budget: MemoryBudget, config: TrainingConfig, progress: Progress, journal: Journal
) -> Outcome:
    if config.model.weights == "none":
        progress.on_note("No base weights: training every layer from scratch, in one phase.")
        return train_from_scratch(student.network, student.predictor, student.data, config, progress, journal)
    return fine_tune(student.network, student.predictor, student.data, config, progress, journal, budget)


@contextmanager
def _resumable(folder: RunFolder, progress: Progress) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, TerminatedError):
        progress.on_note(f"Stopped; every finished epoch is kept. Go on with: graft train --resume {folder.path.name}")
        raise


@contextmanager
def _logged(folder: RunFolder, config: TrainingConfig, progress: Progress, journal: Journal) -> Iterator[Progress]:
    if not config.tensorboard:
        yield progress
        return
    with TensorBoardLogs(folder.path / "tensorboard", progress, len(journal.epochs)) as logs:
        yield logs


def _make_repeatable(seed: int) -> None:
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
