"""The images of a split, decoded once: their pixels, what they are like, and what was left out and why."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contract.image_input import ImageInput
from tests.drawn.images import encoded, exif, gradient, pixels_of, solid
from trainer.augmentation_settings import ResizeKernel
from trainer.data.decoded_split import DecodedSplit, check_broken, decode_split
from trainer.data.image_folder import LabelledImage
from trainer.data.pixel_store import MemoryBudget
from trainer.data.preprocessing import ImageDecoder
from trainer.errors import DataSetError

INPUT = ImageInput(height=8, width=8, scale=1 / 127.5, offset=-1.0, max_pixels=100_000)
DECODER = ImageDecoder(INPUT)
KERNELS: tuple[ResizeKernel, ...] = ("area", "bilinear", "bilinear_antialias")
VARYING = ImageDecoder(INPUT, KERNELS)


def decoded(images: list[LabelledImage], decoder: ImageDecoder = DECODER, megabytes: int = 100) -> DecodedSplit:
    return decode_split(images, decoder, MemoryBudget(megabytes))


def written(folder: Path, **contents: bytes) -> list[LabelledImage]:
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [LabelledImage(folder / name, 0) for name in contents]


@pytest.fixture
def images(tmp_path: Path) -> list[LabelledImage]:
    """Forty images of rising brightness, more than are decoded at once; those at 3 and 35 are broken."""
    found = []
    for index in range(40):
        path = tmp_path / f"{index:02d}.png"
        whole = encoded(solid((5 * index, 5 * index, 5 * index), width=40 + index), "PNG")
        path.write_bytes(whole[: len(whole) // 2] if index in {3, 35} else whole)
        found.append(LabelledImage(path, index % 4))
    return found


def test_broken_images_are_left_out_and_named(images: list[LabelledImage]) -> None:
    """A broken image is left out and named, and whatever is known of the others is their own."""
    split = decoded(images)
    good = [index for index in range(40) if index not in {3, 35}]
    assert [(broken.path.name, broken.reason) for broken in split.broken] == [
        ("03.png", "cut short"),
        ("35.png", "cut short"),
    ]
    assert split.images == [images[index] for index in good]
    assert split.labels.tolist() == [index % 4 for index in good]
    assert split.pixels.take(np.arange(len(good)))[:, 0, 0, 0].tolist() == [5 * index for index in good]
    assert split.sizes.tolist() == [[30, 40 + index] for index in good]
    np.testing.assert_allclose(split.brightness, [5 * index / 255 for index in good], rtol=1e-6)
    assert len(split.pixels) == len(split.fingerprints.content) == len(set(split.fingerprints.content)) == 38


def test_above_the_memory_budget_the_answer_is_the_same(images: list[LabelledImage]) -> None:
    """Images that are kept on disk have the same pixels as images in memory."""
    larger = ImageDecoder(ImageInput(height=150, width=150))  # 40 of them take 2.6 MB
    in_memory, on_disk = (decoded(images, larger, megabytes).pixels for megabytes in (3, 2))
    assert (in_memory.in_memory, on_disk.in_memory) == (True, False)
    everything = np.arange(38)
    np.testing.assert_array_equal(in_memory.take(everything), on_disk.take(everything))


def test_progress_is_told_for_every_image(images: list[LabelledImage]) -> None:
    """The steps that are told add up to the number of images, broken ones included."""
    steps: list[int] = []
    decode_split(images, DECODER, MemoryBudget(100), steps.append)
    assert sum(steps) == 40


def test_nothing_but_broken_images_is_refused(images: list[LabelledImage]) -> None:
    """A split in which nothing can be decoded is refused with its files, and gives its memory back."""
    budget = MemoryBudget(1)
    with pytest.raises(DataSetError, match=r"^No image of a split can be decoded: .*03\.png \(cut short\); add some"):
        decode_split([images[3]], DECODER, budget)
    assert budget.reserve(2**20)


def test_each_resize_kernel_gives_its_own_image(tmp_path: Path) -> None:
    """An image is kept once for each kernel, in the order that was asked for; otherwise nothing is different."""
    images = written(tmp_path, a=encoded(gradient(100, 90), "PNG"), b=b"broken", c=encoded(gradient(), "PNG"))
    plain, varied = decoded(images), decoded(images, VARYING)
    both = np.arange(2)
    variants = varied.pixels.take(both)
    assert variants.shape == (2, 3, 8, 8, 3)
    np.testing.assert_array_equal(variants[:, 2], plain.pixels.take(both))
    assert len({variants[0, kernel].tobytes() for kernel in range(3)}) == 3
    assert varied.fingerprints.content == plain.fingerprints.content
    np.testing.assert_array_equal(varied.brightness, plain.brightness)


def test_area_and_bilinear_are_what_their_names_say(tmp_path: Path) -> None:
    """Eightfold shrunk, area is the mean of each 8 x 8 pixels; plain bilinear sees only the four in their middle."""
    random = np.random.default_rng(1).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    (image,) = written(tmp_path, a=encoded(Image.fromarray(random), "PNG"))
    area, bilinear, _ = decoded([image], VARYING).pixels.take(np.zeros(1, np.int64))[0].astype(float)
    blocks = random.reshape(8, 8, 8, 8, 3).astype(float)
    np.testing.assert_allclose(area, blocks.mean(axis=(1, 3)), atol=0.51)
    np.testing.assert_allclose(bilinear, blocks[:, 3:5, :, 3:5].mean(axis=(1, 3)), atol=0.51)


def test_one_kernel_needs_no_axis_of_its_own(tmp_path: Path) -> None:
    """With a single kernel the rows are images."""
    images = written(tmp_path, a=encoded(gradient(), "PNG"))
    assert decoded(images, ImageDecoder(INPUT, ("area",))).pixels.take(np.arange(1)).shape == (1, 8, 8, 3)


def test_size_is_that_of_the_file(tmp_path: Path) -> None:
    """A photo that is stored lying and shown upright has the size that its header says."""
    turned = encoded(gradient(60, 20), "JPEG", exif=exif(6, "<"))
    assert decoded(written(tmp_path, a=turned)).sizes.tolist() == [[20, 60]]


def animated() -> bytes:
    return encoded(solid((1, 2, 3)), "WEBP", save_all=True, append_images=[solid((200, 2, 3))])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda: b"", "the file is empty"),
        (lambda: b"only text", "not an image"),
        (lambda: encoded(gradient(), "JPEG")[:-200], "cut short"),
        (lambda: encoded(gradient(), "WEBP", lossless=True)[:-40], "cut short"),
        (lambda: encoded(gradient(), "BMP")[:-40], "cut short"),
        (lambda: encoded(gradient(), "PNG").replace(b"IDAT", b"JDAT"), "damaged"),
        (lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "cut short"),
        (
            lambda: encoded(gradient(), "GIF"),
            "a GIF, which is not read whatever its name; save it as JPEG, PNG, BMP or WebP",
        ),
        (
            lambda: encoded(gradient(), "TIFF"),
            "a TIFF, which is not read whatever its name; save it as JPEG, PNG, BMP or WebP",
        ),
        (animated, "an animated WebP; save one frame of it"),
        (
            lambda: encoded(gradient().convert("P"), "BMP"),
            "a BMP with a palette; save it with 24 bits or as PNG",
        ),
        (
            lambda: encoded(solid((1, 2, 3), 500, 201), "PNG"),
            "too many pixels: at most 100,000 are decoded, it declares 500 x 201",
        ),
        (
            lambda: encoded(Image.new("1", (20_000, 20_000)), "PNG"),
            "too many pixels: at most 100,000 are decoded, it declares far more",
        ),
    ],
)
def test_reason_is_given_in_words(tmp_path: Path, content: Callable[[], bytes], reason: str) -> None:
    """Whatever is left out, the reason is told so that a person can mend it."""
    whole, *rest = written(tmp_path, whole=encoded(gradient(), "PNG"), broken=content())
    (broken,) = decoded([whole, *rest]).broken
    assert (broken.path.name, broken.reason) == ("broken", reason)


def test_files_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    """A file that has gone since it was found, and one that is far too large, do not end the run."""
    (whole,) = written(tmp_path, whole=encoded(gradient(), "PNG"))
    with (tmp_path / "huge.bmp").open("wb") as file:
        file.truncate(2**30)  # takes no room on the disk
    gone, huge = (LabelledImage(tmp_path / name, 0) for name in ("gone.jpg", "huge.bmp"))
    assert [broken.reason for broken in decoded([gone, whole, huge]).broken] == [
        "cannot be read: no such file or directory",
        "a file of 1,024 MB, too large for an image",
    ]


def test_strict_names_the_first_broken_and_how_many(images: list[LabelledImage]) -> None:
    """With strict, broken images end the run with a sentence; without, they do not."""
    split = decoded(images)
    check_broken({"train": split}, tuple("abcd"), strict=False)
    with pytest.raises(DataSetError, match=r"03\.png \(cut short\), .*35\.png \(cut short\) cannot be decoded; repair"):
        check_broken({"train": split}, tuple("abcd"), strict=True)
    for path in [image.path for image in images[4:10]]:
        path.write_bytes(b"")
    with pytest.raises(DataSetError, match=r"^8 images, among them .*03\.png .*\(the file is empty\) cannot be deco"):
        check_broken({"train": decoded(images)}, tuple("abcd"), strict=True)


def test_class_that_is_broken_altogether_is_refused(images: list[LabelledImage]) -> None:
    """A class with nothing left to train on is refused by its name, strict or not."""
    broken_class = [image for image in images if image.label != 3 or image.path.name in {"03.png", "35.png"}]
    with pytest.raises(DataSetError, match=r"^No image of d is left to train on: .*03\.png"):
        check_broken({"train": decoded(broken_class)}, tuple("abcd"), strict=False)


def test_served_pixels_are_pillows(tmp_path: Path) -> None:
    """An image of the model's own size is kept bit for bit as it is stored."""
    content = encoded(gradient(8, 8), "PNG")
    pixels = decoded(written(tmp_path, a=content)).pixels.take(np.arange(1))[0]
    np.testing.assert_array_equal(pixels, pixels_of(content))
