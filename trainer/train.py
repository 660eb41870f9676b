"""From a folder of labelled images to a trained model, step by step."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import keras
import tensorflow as tf

from contract.storage.unwritable import UNWRITABLE, why_unwritable
from lineage.store import Lineage
from trainer.config import TrainingConfig
from trainer.data.image_folder import ImageFolder, find_images
from trainer.data.leakage import LEAKAGE_FILE
from trainer.data.loading import check_same_images, load_images
from trainer.disk_room import room_for_run
from trainer.errors import StorageError
from trainer.finalize import finalize
from trainer.hardware import gpus, strategy_for
from trainer.interruption import TerminatedError
from trainer.models.architectures import image_input_of
from trainer.models.defaults import fill_in
from trainer.progress import Progress
from trainer.run_context import RunContext, make_run_context
from trainer.run_folder import Start, begun_run, now, reopened_run
from trainer.runs.record import read_settings
from trainer.runs.room import check_room
from trainer.runs.trained_model import Run
from trainer.training.context import TrainingContext
from trainer.training.fine_tuning import fine_tune, train_from_scratch
from trainer.training.network_building import begin_network, continue_network
from trainer.training.tensorboard_logs import TensorBoardLogs
from trainer.weights_source import with_width_of_weights


def train(
    data: Path,
    name: str,
    config: TrainingConfig,
    runs: Path,
    progress: Progress,
    lineage: Lineage | None = None,
    found: ImageFolder | None = None,
) -> Run:
    """Train a classifier on the images in `data`, save the run under `runs` and record it in `lineage`.

    `found` are the images in the resolved folder `data` where the caller has found them with these settings already.
    Makes TensorFlow deterministic for the whole process.

    Raises:
        StorageError: the disk of the run is full, or cannot be written.
        TrainerError: the data, the settings or the base weights cannot be used, or training diverged.
    """
    model = with_width_of_weights(config.model, runs)
    started, config, data = now(), fill_in(config.model_copy(update={"model": model})), data.resolve()
    _make_deterministic(config.seed)
    found = found or find_images(data, config.data, config.seed, progress)
    progress.on_work("building the network", 1)
    network, base_weights = begin_network(config, len(found.labels), runs)
    check_room(runs, room_for_run(network, config))
    with load_images(found, image_input_of(config.model), config, progress, runs / LEAKAGE_FILE) as images:
        start = Start(name=name, started=started, data=data, dataset_digest=found.digest(), base_weights=base_weights)
        with begun_run(runs, start, config, network.model.get_weights()) as folder:
            return _train_and_finalize(make_run_context(folder, network, images, config, progress, lineage))


def resume(run: str, runs: Path, progress: Progress, lineage: Lineage | None = None) -> Run:
    """Continue an interrupted run from its last whole epoch, to exactly the weights that it would have had.

    Raises:
        TrainerError: there is no such run, or its images have changed.
    """
    with reopened_run(run, runs) as folder:
        config = read_settings(folder.path)
        _make_deterministic(config.seed)
        found = find_images(folder.start.data, config.data, config.seed, progress)
        check_same_images(found, folder.start.dataset_digest)
        progress.on_work("building the network", 1)
        network = continue_network(config, len(found.labels), folder.first_weights())
        leakage_file = folder.path / LEAKAGE_FILE
        with load_images(found, image_input_of(config.model), config, progress, leakage_file) as images:
            return _train_and_finalize(make_run_context(folder, network, images, config, progress, lineage))


def _train_and_finalize(run: RunContext) -> Run:
    from_scratch = run.config.model.weights == "none"
    if from_scratch:
        run.progress.on_note("No base weights: training every layer from scratch, in one phase.")
    with _hint_to_resume(run), strategy_for(gpus()).scope():
        with _tensorboard_logs(run) as training:
            outcome = train_from_scratch(training) if from_scratch else fine_tune(training)
        return finalize(run, outcome)


@contextmanager
def _hint_to_resume(run: RunContext) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, TerminatedError):
        run.progress.on_note(
            f"Stopped; every finished epoch is saved. Continue with: graft train --resume {run.folder.path.name}"
        )
        raise
    except StorageError as error:
        raise _resumable(str(error).rstrip("."), run) from error
    except OSError as error:
        if error.errno not in UNWRITABLE or not _is_of_run(error, run):
            raise
        raise _resumable(why_unwritable(error, run.folder.path), run) from error


def _is_of_run(error: OSError, run: RunContext) -> bool:
    """Return whether a file of the run could not be written; a write names no file."""
    return error.filename is None or run.folder.path in Path(error.filename).parents


def _resumable(what: str, run: RunContext) -> StorageError:
    return StorageError(
        f"{what}; every finished epoch is saved: make room, and graft train --resume {run.folder.path} goes on."
    )


@contextmanager
def _tensorboard_logs(run: RunContext) -> Iterator[TrainingContext]:
    """Yield what the run trains with, its progress also written for TensorBoard if the settings say so."""
    if not run.config.tensorboard:
        yield run.training
        return
    epochs_before = len(run.training.state.epochs)
    with TensorBoardLogs(run.folder.path / "tensorboard", run.progress, epochs_before) as logs:
        yield replace(run.training, progress=logs)


def _make_deterministic(seed: int) -> None:
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
