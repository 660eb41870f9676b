"""Near copies stay in one split where Graft divides a data set, and different images are not taken for copies."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.drawn.images import encoded, write_classes
from tests.drawn.scenes import burst, scene
from trainer.config import DataSettings
from trainer.data.copies.file_prints import prints_of_files
from trainer.data.copies.groups import groups_of_copies
from trainer.data.image_folder import SPLITS, find_images
from trainer.errors import DataSetError
from trainer.progress import Progress


class Counted(Progress):
    """Counts the steps of each work."""

    def __init__(self) -> None:
        self.work: dict[str, list[int]] = {}

    def on_work(self, title: str, steps: int) -> None:
        """Begin to count."""
        self.work[title] = [steps, 0]

    def on_step(self, steps: int = 1) -> None:
        """Count."""
        self.work[list(self.work)[-1]][1] += steps


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    return encoded(image, "JPEG", quality=quality)


def written(folder: Path, contents: Sequence[bytes], suffix: str = "jpg") -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:03d}.{suffix}" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


@pytest.fixture(scope="module")
def bursts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of five bursts of one to eight frames, `b` also with re-encoded and halved copies."""
    folder = tmp_path_factory.mktemp("bursts")
    for label, first in (("a", 0), ("b", 50)):
        for number, frames in enumerate((8, 6, 5, 2, 1)):
            for place, frame in enumerate(burst(first + number, frames)):
                for name, image, quality in (("as-it-is", frame, 92), ("small", frame.resize((194, 145)), 70)):
                    if name == "as-it-is" or label == "b":
                        (folder / label).mkdir(exist_ok=True)
                        (folder / label / f"{place}-{number}-{name}.jpg").write_bytes(jpeg(image, quality))
    return folder


@pytest.mark.parametrize("seed", range(4))
def test_each_burst_is_in_one_split(bursts: Path, seed: int) -> None:
    """Whatever the seed, frames and their re-encoded copies are in one split, and each split has some of each class."""
    found = find_images(bursts, DataSettings(), seed)
    splits: dict[tuple[str, str], set[str]] = {}
    for split in SPLITS:
        for image in found.images[split]:
            splits.setdefault((image.path.parent.name, image.path.name.split("-")[1]), set()).add(split)
    assert len(splits) == 10
    assert all(len(each) == 1 for each in splits.values())
    assert all(min(of_class.values()) > 0 for of_class in found.counts().values())
    assert found.counts()["train"]["a"] >= 13  # of 22: the largest bursts are not to validate or to test
    assert find_images(bursts, DataSettings(), seed).images == found.images
    assert set(found.divided) == set(SPLITS)


def test_bursts_to_validate_are_not_halved(tmp_path: Path) -> None:
    """A test split that is taken from val has no copies of what is left there."""
    for label, first in (("a", 0), ("b", 50)):
        written(tmp_path / "train" / label, [jpeg(scene(first + 20))])
        frames = [jpeg(frame) for number in range(4) for frame in burst(first + number, 3)]
        written(tmp_path / "val" / label, frames)
    found = find_images(tmp_path, DataSettings(), 1)
    for split in ("val", "test"):
        assert [len([image for image in found.images[split] if image.label == label]) for label in (0, 1)] == [6, 6]
    held = {split: {(p.label, int(p.path.stem) // 3) for p in found.images[split]} for split in ("val", "test")}
    assert not held["val"] & held["test"]
    assert set(found.divided) == {"val", "test"}


def test_copies_of_two_classes_are_in_one_split(tmp_path: Path) -> None:
    """An image and its copy under another class are never divided: they are no leak, but a doubtful class."""
    written(tmp_path / "a", [jpeg(scene(number)) for number in range(6)])
    copied = [jpeg(scene(number), 60) for number in range(2)]
    written(tmp_path / "b", [*copied, *(jpeg(scene(number)) for number in range(10, 14))])
    for seed in range(4):
        found = find_images(tmp_path, DataSettings(), seed)
        split_of = {image.path: split for split in SPLITS for image in found.images[split]}
        for name in ("000.jpg", "001.jpg"):
            assert split_of[tmp_path / "a" / name] == split_of[tmp_path / "b" / name]


def test_a_class_of_one_burst_is_refused(tmp_path: Path) -> None:
    """A class that cannot be split without dividing copies is refused with what it has and what to do."""
    written(tmp_path / "a", [jpeg(scene(number)) for number in range(6)])
    written(tmp_path / "b", [jpeg(frame) for frame in burst(50, 5)])
    with pytest.raises(DataSetError) as refused:
        find_images(tmp_path, DataSettings(), 1)
    assert str(refused.value) == (
        f"{tmp_path / 'b'} has 5 images, but they are all near copies (a burst, or re-encoded), which stay in one "
        "split, and each class needs at least 3, one each to train, validate and test; add some that differ, or train "
        "with --set data.copies_together=false --allow-leakage, which tests on copies of training images."
    )
    assert len(find_images(tmp_path, DataSettings(copies_together=False), 1).images["test"]) == 2


def test_copies_of_another_class_count_for_both(tmp_path: Path) -> None:
    """A class all of whose images are in another class too is divided first, and the other around it."""
    written(tmp_path / "a", [jpeg(scene(number)) for number in range(8)])
    written(tmp_path / "b", [jpeg(scene(number), 60) for number in range(3)])
    counts = find_images(tmp_path, DataSettings(), 1).counts()
    assert counts == {"train": {"a": 6, "b": 1}, "val": {"a": 1, "b": 1}, "test": {"a": 1, "b": 1}}


@pytest.mark.parametrize("per_class", [4, 12])
def test_different_images_are_divided_as_if_there_were_no_copies(tmp_path: Path, per_class: int) -> None:
    """Without copies the split is that of earlier runs: noise on one colour, of any number, is not alike."""
    folder = write_classes(tmp_path, per_class)
    together, apart = (find_images(folder, DataSettings(copies_together=each), 1) for each in (True, False))
    assert together.images == apart.images


def test_other_files_do_not_move_when_a_frame_is_added(tmp_path: Path) -> None:
    """One more frame of a burst goes where the others are, and moves none."""
    for label, first in (("a", 0), ("b", 50)):
        written(tmp_path / label, [jpeg(frame) for number in range(8) for frame in burst(first + number, 3)])
    before = {image.path: split for split in SPLITS for image in find_images(tmp_path, DataSettings(), 1).images[split]}
    (tmp_path / "a" / "100.jpg").write_bytes(jpeg(burst(7, 4)[3]))
    found = find_images(tmp_path, DataSettings(), 1)
    after = {image.path: split for split in SPLITS for image in found.images[split]}
    assert after == before | {tmp_path / "a" / "100.jpg": before[tmp_path / "a" / "023.jpg"]}


def test_an_image_is_known_in_any_file(tmp_path: Path) -> None:
    """A photo that a phone turned by EXIF is a copy of the upright one; images of 16 bits are not all white."""
    turned = scene(1).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    grey = [Image.fromarray(np.asarray(scene(seed).convert("L"), np.uint16) * 256) for seed in range(2, 5)]
    files = [jpeg(scene(1)), encoded(turned, "JPEG", exif=exif), *(encoded(image, "PNG") for image in grey)]
    files += [encoded(scene(2).convert("L"), "WEBP"), encoded(scene(3), "PNG")]
    groups = groups_of_copies(written(tmp_path, files), {}, Progress())
    assert list(groups.values())[:5] == [0, 0, 2, 3, 4]
    assert list(groups.values())[5] == 2


def test_blank_images_are_together_with_those_of_their_colour(tmp_path: Path) -> None:
    """Images of one colour have no forms to compare; those of the same colour are the same in every format."""
    colours = [(9, 9, 9), (200, 0, 0), (9, 9, 9), (200, 0, 0)]
    files = [
        encoded(Image.new("RGB", (40 + 10 * number, 40), colour), kind)
        for number, (colour, kind) in enumerate(zip(colours, ("PNG", "PNG", "BMP", "BMP"), strict=True))
    ]
    assert list(groups_of_copies(written(tmp_path, files), {}, Progress()).values()) == [0, 1, 0, 1]


def test_progress_counts_each_different_file(tmp_path: Path) -> None:
    """The work is as many steps as there are files of different bytes."""
    content = jpeg(scene(0))
    progress = Counted()
    groups_of_copies(written(tmp_path, [content, content, jpeg(scene(1)), b"not an image"]), {}, progress)
    assert progress.work == {"looking for copies": [3, 3]}


WHOLE = jpeg(scene(1))


@settings(max_examples=60, deadline=None)
@given(edits=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=12), cut=st.integers(0, 900))
def test_broken_files_are_left_out(
    edits: list[tuple[int, int]], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Files that are damaged anywhere, cut or of another kind raise nothing, and whole ones beside them are read."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    content = bytearray(encoded(Image.new("RGB", (40, 30)), "JPEG", exif=exif))
    for place, value in edits:
        content[place] = value
    folder = tmp_path_factory.mktemp("broken")
    prints = prints_of_files(written(folder, [bytes(content[:cut]), b"", bytes(content), WHOLE]))
    assert prints.numbers.tolist()[-1] == 3
    assert len(prints.fingerprints.content) == len(prints.numbers)


def test_looking_for_copies_starts_no_tensorflow() -> None:
    """Copies and leaks are found without importing TensorFlow."""
    program = (
        "import sys, trainer.data.leakage, trainer.data.copies.groups; "
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
