"""Where the images for a mobile bundle come from. No TensorFlow here, so that bad input is told at once."""

from dataclasses import dataclass
from pathlib import Path

from contract.manifest import ModelManifest
from exporter.errors import FixtureError
from lineage.results import Ancestry
from trainer.data.folders.walk import plain_name
from trainer.progress import Progress
from trainer.runs.data_split import DataSetError, DataSplit, find_run_images, split_as_trained


@dataclass(frozen=True)
class ImageSource:
    """A data set's folder; `digest` is that of the images that must lie there, None where any will do."""

    folder: Path
    digest: str | None = None


def find_source(manifest: ModelManifest, data: Path | None, runs: Path, ancestry: Ancestry | None) -> ImageSource:
    """Return the folder that was given, else that of the version's run: under `runs`, or as the lineage knows it.

    Raises:
        FixtureError: none was given and the run is in neither place.
    """
    if data is not None:
        return ImageSource(data)
    if found := find_run_images(manifest.run, runs):
        return ImageSource(found.folder, found.digest)
    if ancestry is None:
        raise FixtureError(
            f"The run {manifest.run}, whose images are needed, is neither under {runs} nor in the lineage; "
            "give --runs, or --data with a folder of labelled images."
        )
    data_set = ancestry.runs[0].record.data_set
    return ImageSource(data_set.folder, data_set.digest)


def find_split_images(manifest: ModelManifest, source: ImageSource, progress: Progress) -> DataSplit:
    """Find the images and split them again as training did, with its settings and seed.

    Raises:
        FixtureError: they are gone or not those of the run, so that the split would be another, or not of its classes.
        DataSetError: the folder is not a data set.
    """
    split = _split(source, manifest, progress)
    found = split.images
    if source.digest is not None:
        progress.on_work("reading the run's images", sum(len(split) for split in found.images.values()))
        found.entries(progress.on_step)
        if found.digest() != source.digest:
            raise FixtureError(
                f"The images in {plain_name(source.folder)} are not those that {manifest.run} was trained on; put "
                "them back, or give --data with a folder of labelled images."
            )
    if found.labels != manifest.labels:
        raise FixtureError(
            f"The classes in {plain_name(source.folder)} are {', '.join(found.labels)}, those of the model are "
            f"{', '.join(manifest.labels)}; give --data with a folder of each of these."
        )
    return split


def _split(source: ImageSource, manifest: ModelManifest, progress: Progress) -> DataSplit:
    try:
        return split_as_trained(source.folder, manifest.training_configuration, progress)
    except DataSetError as error:
        if source.digest is None:
            raise
        raise FixtureError(
            f"The images of the run cannot be had: {str(error).split(';', maxsplit=1)[0].rstrip('.')}; put them "
            "back, or give --data with a folder of labelled images."
        ) from error
