"""The images of a run, found again by those that only know its settings."""

from pathlib import Path

import pytest

from tests.drawn.images import write_classes
from trainer.config import DataSettings
from trainer.data.image_folder import find_images
from trainer.runs.data_split import DataSetError, find_run_images, split_as_trained


def test_the_split_is_that_of_the_settings_and_the_seed(tmp_path: Path) -> None:
    """Seed and shares come from the recorded settings; a section that this version does not know is not looked at."""
    data = write_classes(tmp_path, per_class=10)
    split = split_as_trained(data, {"seed": 5, "data": {"test_share": 0.4}, "phase_three": {"epochs": 2}})
    assert split.seed == 5
    assert split.images.images == find_images(data, DataSettings(test_share=0.4), 5).images
    assert split.images.images != find_images(data, DataSettings(test_share=0.4), 6).images
    assert split.images.images != find_images(data, DataSettings(), 5).images


def test_a_run_that_is_not_there_is_none(tmp_path: Path) -> None:
    """Where the run is not found nothing is raised: the caller may know another place."""
    assert find_run_images("flowers-20261121-045000-abcd", tmp_path) is None


def test_a_folder_that_is_not_a_data_set_is_refused(tmp_path: Path) -> None:
    """The error that callers of this room catch is the data set's own."""
    with pytest.raises(DataSetError, match="There is no folder"):
        split_as_trained(tmp_path / "gone", {})
