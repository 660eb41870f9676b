"""The images that a run was trained on: where they are, and how it split them. Reads no image, starts no TensorFlow.

For what is made of a published version later, which knows the run's settings from its manifest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.config import OLD_DATA_SETTINGS, TrainingConfig
from trainer.data.image_folder import ImageFolder, find_images
from trainer.errors import DataSetError, RunNotFoundError
from trainer.progress import Progress
from trainer.runs.record import find_run, read_record

__all__ = ["DataSetError", "DataSplit", "RunImages", "find_run_images", "split_as_trained"]


@dataclass(frozen=True)
class RunImages:
    """The data set of a run: its folder, and the digest of the images that lay there in training."""

    folder: Path
    digest: str


@dataclass(frozen=True)
class DataSplit:
    """Labelled images in the splits that a run made of them, and the run's seed."""

    images: ImageFolder
    seed: int


def find_run_images(run: str, runs: Path) -> RunImages | None:
    """Return the data set of a finished run, found as `find_run` finds it; None where there is no such run."""
    try:
        record = read_record(find_run(run, runs))
    except RunNotFoundError:
        return None
    return RunImages(record.dataset_folder, record.dataset_digest)


def split_as_trained(
    folder: Path, training_configuration: Mapping[str, Any], progress: Progress | None = None
) -> DataSplit:
    """Find the labelled images in `folder`, and split them with the settings and the seed of a run.

    Raises:
        DataSetError: the folder is not a data set.
    """
    # only what decides the split: settings of other sections may have had other names in an older run
    known = {key: training_configuration[key] for key in ("seed", "data") if key in training_configuration}
    known["data"] = OLD_DATA_SETTINGS | known.get("data", {})
    config = TrainingConfig.model_validate(known)
    return DataSplit(find_images(folder, config.data, config.seed, progress), config.seed)
