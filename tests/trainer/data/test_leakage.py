"""The same image in two splits is found and refused; images that are merely alike are not."""

import csv
import io
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from contract.image_input import ImageInput
from examples.digits import as_image as digit
from tests.drawn.images import COLOURS, encoded, speckled
from tests.drawn.scenes import scene
from tests.places import DATA
from trainer.config import DataSettings, TrainingConfig
from trainer.data.decoded_split import DecodedSplit, decode_split
from trainer.data.fingerprints import Fingerprints, fingerprints_of
from trainer.data.image_folder import SPLITS, LabelledImage, Split, find_images
from trainer.data.leakage import Leak, check_leakage, describe, find_leaks, in_words, list_leaks
from trainer.data.loading import load_images
from trainer.data.near_duplicates import NearDuplicates
from trainer.data.pixel_store import MemoryBudget
from trainer.data.preprocessing import ImageDecoder
from trainer.errors import LeakageError
from trainer.progress import Progress

FLOWERS = DATA / "flowers"
DECODER = ImageDecoder(ImageInput(height=96, width=96))
Edit = Callable[[Image.Image], bytes]


@dataclass
class PrintedSplit:
    """The images of a split whose fingerprints were made up."""

    images: list[LabelledImage]
    fingerprints: Fingerprints


def decoded(folder: Path, contents: list[bytes]) -> DecodedSplit:
    folder.mkdir(parents=True)
    images = [LabelledImage(folder / f"{index:03d}", 0) for index in range(len(contents))]
    for image, content in zip(images, contents, strict=True):
        image.path.write_bytes(content)
    return decode_split(images, DECODER, MemoryBudget(100))


def png(image: Image.Image) -> bytes:
    return encoded(image, "PNG")


def cropped(image: Image.Image) -> Image.Image:
    """Cut 1 % off each side."""
    width, height = image.size
    return image.crop((width // 100, height // 100, width - width // 100, height - height // 100))


@pytest.fixture(scope="module")
def scenes() -> list[Image.Image]:
    """Thirty different scenes."""
    return [scene(seed) for seed in range(30)]


@pytest.fixture(scope="module")
def train(scenes: list[Image.Image], tmp_path_factory: pytest.TempPathFactory) -> DecodedSplit:
    """All scenes but the last ten."""
    return decoded(tmp_path_factory.mktemp("train") / "a", [png(image) for image in scenes[:20]])


def found(leaks: list[Leak]) -> list[tuple[str, str, bool]]:
    return [(leak.first.name, leak.second.name, leak.same_content) for leak in leaks]


def test_different_images_are_no_leak(train: DecodedSplit, scenes: list[Image.Image], tmp_path: Path) -> None:
    """Images that have nothing in common are not reported."""
    others = decoded(tmp_path / "test", [png(image) for image in scenes[20:]])
    assert find_leaks({"train": train, "test": others}) == []


def test_same_content_in_another_file_is_found(train: DecodedSplit, scenes: list[Image.Image], tmp_path: Path) -> None:
    """An image is the same if its pixels are, whatever the kind of its file."""
    test = decoded(
        tmp_path / "test", [png(scenes[25]), encoded(scenes[7], "BMP"), encoded(scenes[3], "PNG", optimize=True)]
    )
    leaks = find_leaks({"train": train, "test": test})
    assert sorted(found(leaks)) == [("003", "002", True), ("007", "001", True)]
    assert {(leak.first_split, leak.second_split, leak.distance) for leak in leaks} == {("train", "test", 0)}


@pytest.mark.parametrize(
    "edit",
    [
        lambda image: encoded(image, "JPEG", quality=60),
        lambda image: encoded(image, "WEBP", quality=60),
        lambda image: png(image.resize((image.width // 2, image.height // 2))),
        lambda image: png(cropped(image)),
        lambda image: encoded(cropped(image).resize((200, 150)), "JPEG", quality=60),
    ],
    ids=["jpeg-60", "webp-60", "half", "cropped", "all-of-it"],
)
def test_near_duplicates_are_found(edit: Edit, train: DecodedSplit, scenes: list[Image.Image], tmp_path: Path) -> None:
    """A copy that was re-encoded, resized or slightly cropped is found, with the image that it is a copy of."""
    test = decoded(tmp_path / "test", [edit(image) for image in scenes[:10]] + [png(scenes[25])])
    leaks = find_leaks({"train": train, "test": test})
    assert sorted(found(leaks)) == [(f"{index:03d}", f"{index:03d}", False) for index in range(10)]


def test_several_copies_of_one_image_are_found(train: DecodedSplit, scenes: list[Image.Image], tmp_path: Path) -> None:
    """Copies do not hide each other: three of one image, each cut in another way, are all found."""
    width, height = scenes[0].size
    boxes = [(12, 0, width, height), (0, 9, width, height), (0, 0, width - 12, height)]
    copies = decoded(tmp_path / "val", [png(scenes[0].crop(box)) for box in boxes])
    assert len(find_leaks({"train": train, "val": copies})) == 3


def test_each_pair_of_splits_is_compared(scenes: list[Image.Image], tmp_path: Path) -> None:
    """An image is told of each earlier split that it is in, exact copies first."""
    contents: dict[Split, list[bytes]] = {
        "train": [png(image) for image in scenes[:8]],
        "val": [png(image) for image in scenes[8:14]] + [png(cropped(scenes[0]))],
        "test": [png(scenes[15]), png(scenes[0]), png(scenes[9])],
    }
    leaks = find_leaks({split: decoded(tmp_path / split, its) for split, its in contents.items()})
    told = [(leak.first_split, leak.first.name, leak.second_split, leak.second.name) for leak in leaks]
    assert sorted(told[:2]) == [("train", "000", "test", "001"), ("val", "001", "test", "002")]
    assert sorted(told[2:]) == [("train", "000", "val", "006"), ("val", "006", "test", "001")]
    assert [leak.same_content for leak in leaks] == [True, True, False, False]


def shaded(colour: tuple[int, int, int], amount: float) -> bytes:
    """Draw a colour that gets lighter to the right by `amount` levels."""
    lighter = np.linspace(0, amount, 96)[None, :, None] + np.zeros((96, 1, 1))
    return png(Image.fromarray((np.array(colour) + lighter).astype(np.uint8)))


def test_plain_images_are_no_near_duplicates(tmp_path: Path) -> None:
    """Images of nearly one colour, whose hashes say nothing, are only reported where every pixel is the same."""
    train = decoded(tmp_path / "train", [shaded((9, 9, 9), 4), shaded((30, 20, 20), 4), shaded((90, 0, 0), 0)])
    test = decoded(tmp_path / "test", [shaded((13, 9, 9), 4), shaded((30, 24, 20), 4), shaded((90, 0, 0), 0)])
    assert found(find_leaks({"train": train, "test": test})) == [("002", "002", True)]


def test_the_same_form_in_another_colour_is_another_image(tmp_path: Path) -> None:
    """Smooth backgrounds of different colours, whose forms are all the same, are not reported."""
    train = decoded(tmp_path / "train", [shaded((100, 20, 20), 90)])
    test = decoded(tmp_path / "test", [shaded((20, 20, 100), 90), shaded((160, 20, 20), 90), shaded((101, 20, 20), 90)])
    assert found(find_leaks({"train": train, "test": test})) == [("000", "002", False)]


def test_images_of_one_kind_are_no_near_duplicates(tmp_path: Path) -> None:
    """Different noise on the same colour, as the tests of training draw it, is not reported."""

    def drawn(seed: int) -> list[bytes]:
        return [encoded(speckled(colour, seed + index), "JPEG") for colour in COLOURS.values() for index in range(20)]

    splits: dict[Split, DecodedSplit] = {
        "train": decoded(tmp_path / "train", drawn(0)),
        "test": decoded(tmp_path / "test", drawn(1000)),
    }
    assert find_leaks(splits) == []


def test_handwritten_digits_are_told_apart() -> None:
    """The demo's digits, many of which nearly coincide, are no near duplicates; re-encoded copies of them are."""
    images = [digit(image).convert("RGB").resize((96, 96)) for image in load_digits().images]
    copies = [Image.open(io.BytesIO(encoded(image, "JPEG", quality=60))) for image in images[::30]]
    prints = fingerprints_of(np.stack([np.asarray(image) for image in [*images, *copies]]))
    near = NearDuplicates(prints)
    count = len(images)
    assert near.between(range(count // 2), range(count // 2, count)) == []
    told = near.between(range(count), range(count, count + len(copies)))
    assert [(pair.first, pair.second) for pair in told] == [(30 * index, count + index) for index in range(len(copies))]


@pytest.mark.timeout(120)  # one by one it would be an hour
def test_twenty_thousand_images_take_seconds() -> None:
    """Many images are compared at once."""
    random = np.random.default_rng(1)
    count = 20_000
    thumbnails = random.integers(0, 256, (count, 16, 16, 3)).astype(np.uint8)
    hashes = random.integers(0, 2**64, count, np.uint64)
    thumbnails[-50:], hashes[-50:] = thumbnails[:50], hashes[:50] ^ np.uint64(0b11)
    near = NearDuplicates(Fingerprints([""] * count, hashes, thumbnails))
    told = near.between(range(14_000), range(14_000, count))
    assert [(pair.first, pair.second, pair.bits) for pair in told] == [(i, count - 50 + i, 2) for i in range(50)]


def test_flowers_are_not_refused() -> None:
    """No leak is found among the 450 photos of flowers, which are all different."""
    if not FLOWERS.is_dir():
        pytest.skip(f"there are no photos at {FLOWERS}; GRAFT_DATA says where their folder's parent is")
    found_flowers = find_images(FLOWERS, DataSettings(), 1)
    splits = {split: decode_split(found_flowers.images[split], DECODER, MemoryBudget(100)) for split in SPLITS}
    assert find_leaks(splits) == []


def test_duplicates_within_a_split_are_no_leak(scenes: list[Image.Image], tmp_path: Path) -> None:
    """Copies of an image in one split are allowed."""
    split = decoded(tmp_path / "train", [png(scenes[index]) for index in (0, 1, 0, 2, 0, 1)])
    assert find_leaks({"train": split}) == []


def leak(number: int, *, same: bool = True) -> Leak:
    return Leak(Path(f"train/{number}"), "train", Path(f"test/{number}"), "test", same, 0 if same else 4, 0, 0)


def test_leakage_is_refused_with_what_and_how_many() -> None:
    """The refusal names the first pairs, how many there are, and how to go on."""
    with pytest.raises(LeakageError) as refused:
        check_leakage(
            [leak(1), leak(2, same=False), leak(3), leak(4)], allow=False, listed_in="All 4 pairs are in a.csv."
        )
    assert str(refused.value) == (
        "4 images are in two splits, so the scores would be too good: test/1 of test is train/1 of train; "
        "test/2 of test is nearly (4 of 64 bits differ) train/2 of train; test/3 of test is train/3 of train; "
        "and so on. All 4 pairs are in a.csv. Remove one of each pair, or train with --allow-leakage."
    )
    with pytest.raises(
        LeakageError, match=r"^1 image is in two splits, .* train/1 of train\. The pair is in a\.csv\. Remove"
    ):
        check_leakage([leak(1)], allow=False, listed_in="The pair is in a.csv.")


def test_leakage_may_be_allowed() -> None:
    """With leave, or without leaks, nothing is refused."""
    check_leakage([leak(1)], allow=True, listed_in="")
    check_leakage([], allow=False, listed_in="")


def test_names_of_leaks_fit_on_a_line() -> None:
    """A line break in a name does not break the line that names it."""
    assert describe(Leak(Path("a\nb"), "train", Path("c"), "val", True, 0, 0, 0)) == r"c of val is a\nb of train"


def test_an_image_under_two_classes_is_found(tmp_path: Path, scenes: list[Image.Image]) -> None:
    """In one split the same pixels under two classes are a pair, whatever the format; copies in a class are none."""
    contents = [png(scenes[0]), png(scenes[1]), encoded(scenes[0], "BMP"), png(scenes[1]), png(scenes[0])]
    images = [LabelledImage(tmp_path / f"{number}", label) for number, label in enumerate((0, 0, 1, 0, 2))]
    for image, content in zip(images, contents, strict=True):
        image.path.write_bytes(content)
    leaks = find_leaks({"train": decode_split(images, DECODER, MemoryBudget(100))})
    assert [(leak.first.name, leak.second.name, leak.same_content) for leak in leaks] == [
        ("0", "2", True),
        ("0", "4", True),
        ("2", "4", True),
    ]
    with pytest.raises(LeakageError, match=r"^2 images are in two classes, one of which is wrong: .*2 is .*0, both in"):
        check_leakage(leaks, allow=False, listed_in="")
    check_leakage(leaks, allow=True, listed_in="")


def test_re_encoded_copies_under_two_classes_are_found(tmp_path: Path, scenes: list[Image.Image]) -> None:
    """In one split a re-encoded or smaller copy under another class is told; a frame that is merely alike is not."""
    contents = [
        png(scenes[0]),
        encoded(scenes[0], "JPEG", quality=60),
        png(scenes[1]),
        png(scenes[1].crop((24, 0, 400, 300))),
    ]
    images = [LabelledImage(tmp_path / f"{number}", label) for number, label in enumerate((0, 1, 0, 1))]
    for image, content in zip(images, contents, strict=True):
        image.path.write_bytes(content)
    (found_leak,) = find_leaks({"train": decode_split(images, DECODER, MemoryBudget(100))})
    assert describe(found_leak).startswith(f"{tmp_path / '1'} is nearly (")
    assert describe(found_leak).endswith(f"of 64 bits differ) {tmp_path / '0'}, both in train")


def test_every_pair_is_found(tmp_path: Path, scenes: list[Image.Image]) -> None:
    """Each image to train that an image to test is a copy of is told, so that none is left to find the next time."""
    train = decoded(tmp_path / "train", [png(scenes[0]), encoded(scenes[0], "JPEG"), encoded(scenes[0], "BMP")])
    test = decoded(tmp_path / "test", [png(scenes[0]), encoded(scenes[0], "WEBP", quality=60)])
    leaks = find_leaks({"train": train, "test": test})
    pairs = {(first, second) for first in ("000", "001", "002") for second in ("000", "001")}
    assert len(leaks) == len(pairs)
    assert {(leak.first.name, leak.second.name) for leak in leaks} == pairs
    assert in_words(leaks) == "2 images are in two splits, so the scores would be too good"


def test_pairs_of_blank_images_are_bounded() -> None:
    """Of hundreds of the same images each is told with the first of every other class, not with all of them."""
    images = [LabelledImage(Path(str(number)), number % 2) for number in range(600)]
    prints = Fingerprints(["blank"] * 600, np.zeros(600, np.uint64), np.zeros((600, 16, 16, 3), np.uint8))
    leaks = find_leaks({"train": PrintedSplit(images, prints)})
    assert {leak.first for leak in leaks} | {leak.second for leak in leaks} == {image.path for image in images}
    assert len(leaks) == 599


def test_every_pair_is_listed_whatever_its_name(tmp_path: Path) -> None:
    """The list has a line for each pair; quotes, commas, line breaks and bytes that are not UTF-8 do not break it."""
    odd = [Path('a, "b".jpg'), Path("line\nbreak.jpg"), Path(os.fsdecode(b"caf\xe9.jpg")), Path("\x1b[31m=1+1.jpg")]
    leaks = [Leak(path, "train", Path("t.jpg"), "test", number > 0, number, 0, 1) for number, path in enumerate(odd)]
    target = tmp_path / "runs" / "leakage.csv"
    assert list_leaks(target, leaks, ("one, two", "b")) == f"All 4 pairs are in {target}."
    assert target.read_bytes().count(b"\n") == 5
    with target.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["first"] for row in rows] == [
        'a, "b".jpg',
        "line\\nbreak.jpg",
        "caf\\xe9.jpg",
        "\\x1b[31m=1+1.jpg",
    ]
    assert list(rows[0].values())[1:] == ["train", "one, two", "t.jpg", "test", "b", "near", "0"]
    assert (
        list_leaks(tmp_path, leaks, "ab") == f"The list of all pairs cannot be written to {tmp_path}: Is a directory."
    )


def test_a_data_set_with_leaks_is_refused_with_their_list(tmp_path: Path, scenes: list[Image.Image]) -> None:
    """The refusal of an image in two splits and of one in two classes says where all pairs are."""
    for split, first in (("train", 0), ("val", 6), ("test", 12)):
        for label in (0, 1):
            decoded(tmp_path / "data" / split / "ab"[label], [png(scenes[first + label])])
            (tmp_path / "data" / split / "ab"[label] / "000").rename(tmp_path / "data" / split / "ab"[label] / "0.png")
    shutil.copy(tmp_path / "data" / "train" / "a" / "0.png", tmp_path / "data" / "train" / "b" / "copy.png")
    shutil.copy(tmp_path / "data" / "val" / "a" / "0.png", tmp_path / "data" / "test" / "a" / "copy.png")
    found_images = find_images(tmp_path / "data", DataSettings(), 1)
    target = tmp_path / "leakage.csv"
    with pytest.raises(LeakageError) as refused:
        load_images(found_images, ImageInput(height=96, width=96), TrainingConfig(), Progress(), target)
    assert str(refused.value).startswith(
        "1 image is in two splits, so the scores would be too good; 1 image is in two "
    )
    assert f"All 2 pairs are in {target}. Remove one of each pair" in str(refused.value)
    rows = list(csv.DictReader(target.read_text().splitlines()))
    assert [(row["first_class"], row["second_class"], row["second_split"]) for row in rows] == [
        ("a", "b", "train"),
        ("a", "a", "test"),
    ]
