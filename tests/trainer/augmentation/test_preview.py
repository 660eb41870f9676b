"""A look at how training images are varied, from a folder of images to a PNG."""

from pathlib import Path

import pytest
from PIL import Image

from tests.drawn.images import write_classes
from trainer.augmentation.preview import preview_training_images
from trainer.config import read_config
from trainer.errors import DataSetError
from trainer.models.defaults import fill_in

CONFIG = fill_in(read_config(None, {"augmentation.steps": [{"kind": "flip"}], "model.image_size": 64}))


def test_sheet_shows_images_of_every_class(tmp_path: Path) -> None:
    """The sheet is one PNG with a row for images of each class and a column for the original and each variant."""
    data = write_classes(tmp_path / "colours", per_class=4)
    preview_training_images(tmp_path / "sheet.png", data, CONFIG)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 8 * 64
        assert sheet.height > 6 * 64


def test_images_that_cannot_be_decoded_are_refused(tmp_path: Path) -> None:
    """Where none of the images can be decoded there is no sheet, and one sentence with the first of them."""
    data = write_classes(tmp_path / "colours", per_class=3)
    for index, image in enumerate(sorted(data.rglob("*.jpg"))):
        image.write_bytes(b"broken %d" % index)  # each another, or they would count as one
    with pytest.raises(DataSetError, match=r"^None of the first images can be decoded, such as .*\.jpg\.$"):
        preview_training_images(tmp_path / "sheet.png", data, CONFIG)
    assert not (tmp_path / "sheet.png").exists()
