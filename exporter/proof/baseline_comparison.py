"""Whether a version is at least as good as a published one, its baseline."""

from collections.abc import Sequence
from pathlib import Path

from contract.errors import ContractError
from contract.manifest import ModelManifest
from contract.versions import MANIFEST, published_versions
from exporter.errors import RegressionError
from exporter.proof.fixtures import read_test_image
from exporter.saved_model.loading import LoadedVersion
from trainer.evaluation.comparison import PairedPredictions, compare_predictions
from trainer.progress import Progress
from trainer.runs.record import LATEST, TestImage


def find_baseline(base_path: Path, version: str) -> Path:
    """Return the folder of a published version by its number, or by `latest`.

    Raises:
        ContractError: there is no such version.
    """
    known = published_versions(base_path)
    if version == LATEST and known:
        return base_path / str(known[-1])
    if version.isdecimal() and int(version) in known:
        return base_path / str(int(version))
    there = f"there are {', '.join(map(str, known))}" if known else "there are none yet"
    raise ContractError(f"There is no published version {version!r} under {base_path} to compare with; {there}.")


def compare_with_baseline(
    baseline: Path, version: LoadedVersion, images: Sequence[TestImage], progress: Progress
) -> PairedPredictions:
    """Compare a version with a published one, the baseline, on the same test images.

    A is the baseline. An answer is right if it names the image's true class, so the two may have other classes.

    Raises:
        FixtureError: an image is no longer where it was in training.
        RegressionError: the version is right less often, by more than chance.
    """
    progress.on_work(f"comparing with version {baseline.name} on {len(images)} held-out images", 2 * len(images))
    before, after = (
        [
            label == image.label
            for label, image in zip(
                loaded.predict((read_test_image(image.path) for image in images), progress.on_step).labels,
                images,
                strict=True,
            )
        ]
        for loaded in (LoadedVersion(baseline), version)
    )
    paired = compare_predictions(before, after)
    if paired.b_right < paired.a_right and paired.more_than_chance:
        raise RegressionError(
            f"The model is right on {paired.b_right} of {paired.images} held-out images, and version "
            f"{baseline.name} on {paired.a_right} of them, which is more than chance (McNemar, "
            f"p = {paired.p_value:.2g}); nothing was published."
        )
    return paired


def note_on_seen_images(baseline: Path, dataset_digest: str) -> str | None:
    """Return a line where the older version may have learned the images that are now test images."""
    if ModelManifest.read(baseline / MANIFEST).dataset_digest == dataset_digest:
        return None
    return (
        f"Version {baseline.name} was trained on another data set, so it may have seen some of the test images "
        "in training, which favours it."
    )
