"""A data set of image files as real users send them: everything is decoded, or named with the reason."""

import shutil
from pathlib import Path

import pytest

from contract.image_input import ImageInput
from tests.drawn.awkward_files import AWKWARD, Row, awkward_rows
from tests.drawn.images import write_classes
from trainer.config import DataSettings
from trainer.data.decoded_split import DecodedSplit, check_broken, decode_split
from trainer.data.image_folder import SPLITS, ImageFolder, Split, find_images
from trainer.data.leakage import find_leaks
from trainer.data.pixel_store import MemoryBudget
from trainer.data.preprocessing import ImageDecoder
from trainer.errors import DataSetError

DECODER = ImageDecoder(ImageInput(height=32, width=32))


@pytest.fixture(scope="module")
def index() -> list[Row]:
    """What the collection says of its files."""
    return awkward_rows()


@pytest.fixture(scope="module")
def folder(index: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> ImageFolder:
    """Two classes of drawn images; the awkward files are divided between them, one by one."""
    data = write_classes(tmp_path_factory.mktemp("awkward"), per_class=6, classes=("blue", "red"))
    for number, row in enumerate(index):
        shutil.copy(AWKWARD / row["file"], data / ("blue", "red")[number % 2])
    return find_images(data, DataSettings(), seed=1)


@pytest.fixture(scope="module")
def splits(folder: ImageFolder) -> dict[Split, DecodedSplit]:
    """All of it decoded, on disk."""
    return {split: decode_split(folder.images[split], DECODER, MemoryBudget(0)) for split in SPLITS}


def test_each_file_is_decoded_or_named(
    index: list[dict[str, str]], folder: ImageFolder, splits: dict[Split, DecodedSplit]
) -> None:
    """Nothing gets lost: each file is an image exactly where TensorFlow can decode it, GIF aside, else it is named."""
    expected = {row["file"]: row["tf_decode_image"].startswith("ok") and "GIF" not in row["pillow"] for row in index}
    good = {image.path.name for split in splits.values() for image in split.images}
    named = {broken.path.name for split in splits.values() for broken in split.broken}
    named |= {each.path.name for each in folder.skipped}
    assert good & expected.keys() == {name for name, is_image in expected.items() if is_image}
    assert named == {name for name, is_image in expected.items() if not is_image}
    assert len(good - expected.keys()) == 6  # the drawn ones, which have the same names in both classes


def test_reasons_are_those_of_the_files(folder: ImageFolder, splits: dict[Split, DecodedSplit]) -> None:
    """What is left out is left out for the reason that the collection gives."""
    reasons = {broken.path.name: broken.reason for split in splits.values() for broken in split.broken}
    assert reasons == {
        "empty.jpg": "the file is empty",
        "text_named.jpg": "not an image",
        "truncated.jpg": "cut short",
        "truncated.png": "cut short",
    }
    assert [(each.path.name, each.reason) for each in folder.skipped] == [
        ("animated_31_frames.gif", "a GIF, which may hold several frames")
    ]


def test_sizes_are_those_of_the_index(index: list[dict[str, str]], splits: dict[Split, DecodedSplit]) -> None:
    """Each image has the size that the index read from its file."""
    sizes = {
        image.path.name: f"ok ({height}, {width},"
        for split in splits.values()
        for image, (height, width) in zip(split.images, split.sizes.tolist(), strict=True)
    }
    for row in index:
        if row["file"] in sizes:
            assert row["tf_decode_image"].startswith(sizes[row["file"]]), row["file"]


def test_strict_refuses_it(splits: dict[Split, DecodedSplit]) -> None:
    """With strict the same data set ends the run, with one line."""
    with pytest.raises(DataSetError, match=r"^4 images, among them .* cannot be decoded; repair or") as refused:
        check_broken(splits, ("blue", "red"), strict=True)
    assert str(refused.value).isprintable()


@pytest.mark.usefixtures("index")
def test_one_photo_in_many_formats_is_one_image(tmp_path: Path) -> None:
    """A photo that is kept as PNG in train is found again in test with a palette, with 16 bits, and smaller."""
    copies = ["palette.png", "rgb_16bit.png", "png_named.jpg"]
    for split, names in (("train", ["photo_rgb.png", "photo.webp"]), ("test", [*copies, "progressive.jpg"])):
        (tmp_path / split / "cat").mkdir(parents=True)
        (tmp_path / split / "dog").mkdir()
        for name in names:
            shutil.copy(AWKWARD / name, tmp_path / split / "cat" / f"{split}-{name}")
        shutil.copy(AWKWARD / "photo.bmp", tmp_path / split / "dog" / f"{split}.bmp")
    shutil.copytree(tmp_path / "test", tmp_path / "val")
    found = find_images(tmp_path, DataSettings(), seed=1)
    decoded: dict[Split, DecodedSplit] = {
        split: decode_split(found.images[split], DECODER, MemoryBudget(10)) for split in ("train", "test")
    }
    told = {(leak.first.name, leak.second.name) for leak in find_leaks(decoded)}
    assert told == {("train-photo_rgb.png", f"test-{name}") for name in copies} | {("train.bmp", "test.bmp")}
