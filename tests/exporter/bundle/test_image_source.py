"""Where the images for a bundle are looked for."""

from pathlib import Path

import pytest

from contract.manifest import ModelManifest
from exporter.bundle.image_source import ImageSource, find_source, find_split_images
from exporter.errors import FixtureError
from tests.drawn.images import write_classes
from tests.exporter.conftest import Counting
from tests.exporter.tflite_versions import mean_colour, save_version
from trainer.config import TrainingConfig
from trainer.data.image_folder import find_images
from trainer.errors import DataSetError


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> ModelManifest:
    """The manifest of a version whose run is nowhere."""
    return save_version(tmp_path_factory.mktemp("version"), mean_colour)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images in class folders."""
    return write_classes(tmp_path_factory.mktemp("data"), per_class=10)


def test_a_given_folder_comes_first(manifest: ModelManifest, data: Path, tmp_path: Path) -> None:
    """With --data neither the run nor the lineage is asked, and any images will do."""
    assert find_source(manifest, data, tmp_path, None) == ImageSource(data)


def test_without_run_lineage_and_data_it_says_what_to_give(manifest: ModelManifest, tmp_path: Path) -> None:
    """A version whose run is in neither place needs --runs or --data."""
    with pytest.raises(FixtureError, match=r"neither under .* nor in the lineage; give --runs, or --data .*\.$"):
        find_source(manifest, None, tmp_path, None)


def test_images_are_split_as_in_training(manifest: ModelManifest, data: Path) -> None:
    """The split is the one that training made of the same folder with the manifest's settings and seed."""
    config = TrainingConfig(seed=5)
    seeded = manifest.model_copy(update={"training_configuration": config.model_dump(mode="json", exclude_none=True)})
    digest = find_images(data, config.data, 5).digest()
    heard = Counting()
    split = find_split_images(seeded, ImageSource(data, digest), heard)
    assert split.images.images == find_images(data, config.data, 5).images
    assert split.images.images != find_images(data, config.data, 6).images
    assert heard.announced == 30 + 30  # looked at for copies, then read
    assert 0 < heard.done <= 30 + 30  # files of one size were read when the folder was split


def test_changed_images_are_refused(manifest: ModelManifest, tmp_path: Path) -> None:
    """A test image that is no longer the same would make the split another one: it is refused, with what to do."""
    data = write_classes(tmp_path / "data", per_class=5)
    digest = find_images(data, TrainingConfig().data, TrainingConfig().seed).digest()
    (data / "red" / "00.jpg").write_bytes((data / "red" / "01.jpg").read_bytes())
    with pytest.raises(FixtureError, match=r"are not those that \S+ was trained on; put them back, or give --data"):
        find_split_images(manifest, ImageSource(data, digest), Counting())


def test_images_that_are_gone_are_a_sentence(manifest: ModelManifest, tmp_path: Path) -> None:
    """Where the run's folder is gone, it says so and what to do; a missing --data stays the data set's own error."""
    gone = tmp_path / "gone"
    with pytest.raises(
        FixtureError, match=r"cannot be had: There is no folder .*; put them back, or give --data .*\.$"
    ):
        find_split_images(manifest, ImageSource(gone, "sha256:"), Counting())
    with pytest.raises(DataSetError, match="There is no folder"):
        find_split_images(manifest, ImageSource(gone), Counting())


def test_other_classes_are_refused(manifest: ModelManifest, tmp_path: Path) -> None:
    """A folder of other classes cannot judge the model."""
    data = write_classes(tmp_path, per_class=5, classes=("blue", "red"))
    with pytest.raises(FixtureError, match=r"are blue, red, those of the model are blue, green, red; give --data"):
        find_split_images(manifest, ImageSource(data), Counting())
