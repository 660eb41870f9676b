"""Where the pictures for a mobile bundle come from. No TensorFlow here, so that bad input is told at once."""

from dataclasses import dataclass
from pathlib import Path

from contract.manifest import ModelManifest
from exporter.errors import FixtureError
from lineage.results import Ancestry
from trainer.config import TrainingConfig
from trainer.data.folder_walk import plain_name
from trainer.data.image_folder import PictureFolder, find_pictures
from trainer.errors import DataSetError, RunNotFoundError
from trainer.progress import Progress
from trainer.runs.record import find_run, read_record


@dataclass(frozen=True)
class PictureSource:
    """A data set's folder; `digest` is that of the pictures that must lie there, None where any will do."""

    folder: Path
    digest: str | None = None


def find_source(manifest: ModelManifest, data: Path | None, runs: Path, ancestry: Ancestry | None) -> PictureSource:
    """Return the folder that was given, else that of the version's run: under `runs`, or as the lineage knows it.

    Raises:
        FixtureError: none was given and the run is in neither place.
    """
    if data is not None:
        return PictureSource(data)
    try:
        record = read_record(find_run(manifest.run, runs))
    except RunNotFoundError as error:
        if ancestry is None:
            raise FixtureError(
                f"The run {manifest.run}, whose pictures are needed, is neither under {runs} nor in the lineage; "
                "give --runs, or --data with a folder of labelled pictures."
            ) from error
        data_set = ancestry.runs[0].record.data_set
        return PictureSource(data_set.folder, data_set.digest)
    return PictureSource(record.dataset_folder, record.dataset_digest)


def find_split_pictures(manifest: ModelManifest, source: PictureSource, progress: Progress) -> PictureFolder:
    """Find the pictures and split them again as training did, with its settings and seed.

    Raises:
        FixtureError: they are gone or not those of the run, so that the split would be another, or not of its classes.
        DataSetError: the folder is no data set.
    """
    config = TrainingConfig.model_validate(manifest.training_configuration)
    found = _find(source, config)
    if source.digest is not None:
        progress.on_work("reading the run's pictures", sum(len(split) for split in found.pictures.values()))
        found.entries(progress.on_step)
        if found.digest() != source.digest:
            raise FixtureError(
                f"The pictures in {plain_name(source.folder)} are not those that {manifest.run} was trained on; put "
                "them back, or give --data with a folder of labelled pictures."
            )
    if found.labels != manifest.labels:
        raise FixtureError(
            f"The classes in {plain_name(source.folder)} are {', '.join(found.labels)}, those of the model are "
            f"{', '.join(manifest.labels)}; give --data with a folder of each of these."
        )
    return found


def _find(source: PictureSource, config: TrainingConfig) -> PictureFolder:
    try:
        return find_pictures(source.folder, config.data, config.seed)
    except DataSetError as error:
        if source.digest is None:
            raise
        raise FixtureError(
            f"The pictures of the run cannot be had: {str(error).split(';', maxsplit=1)[0].rstrip('.')}; put them "
            "back, or give --data with a folder of labelled pictures."
        ) from error
