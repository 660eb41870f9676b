"""Pictures on their way into the network: decoded once, fed in batches."""

from pathlib import Path

import numpy as np
import pytest

from contract.image_input import ImageInput
from tests.pictures import encoded, gradient, solid
from trainer.dataset import DecodedSplit, LabelledPicture, batches, decode_split
from trainer.errors import DataSetError
from trainer.preprocessing import PictureDecoder

INPUT = ImageInput(height=8, width=8, scale=1 / 127.5, offset=-1.0)
PLENTY_MB = 100


@pytest.fixture
def pictures(tmp_path: Path) -> list[LabelledPicture]:
    """Forty pictures of rising brightness, more than are decoded at once; those at 3 and 35 are broken."""
    found = []
    for index in range(40):
        path = tmp_path / f"{index:02d}.png"
        whole = encoded(solid((5 * index, 5 * index, 5 * index)), "PNG")
        path.write_bytes(whole[: len(whole) // 2] if index in {3, 35} else whole)
        found.append(LabelledPicture(path, index % 4))
    return found


def test_broken_pictures_are_left_out_and_named(pictures: list[LabelledPicture]) -> None:
    """A broken picture is left out and named, and the others keep their own pixels and labels."""
    split = decode_split(pictures, PictureDecoder(INPUT), PLENTY_MB)
    good = [index for index in range(40) if index not in {3, 35}]
    assert [path.name for path in split.broken] == ["03.png", "35.png"]
    assert split.pictures == [pictures[index] for index in good]
    assert split.labels.tolist() == [index % 4 for index in good]
    assert split.pixels[:, 0, 0, 0].tolist() == [5 * index for index in good]


def test_above_the_memory_budget_the_answer_is_the_same(tmp_path: Path) -> None:
    """Pictures that are kept on disk have the same pixels as pictures in memory."""
    larger = ImageInput(height=700, width=700)  # 1.4 MB a picture
    (tmp_path / "a.png").write_bytes(encoded(gradient(), "PNG"))
    picture = LabelledPicture(tmp_path / "a.png", 0)
    in_memory, on_disk = (decode_split([picture], PictureDecoder(larger), budget).pixels for budget in (PLENTY_MB, 1))
    assert isinstance(on_disk, np.memmap)
    assert not isinstance(in_memory, np.memmap)
    np.testing.assert_array_equal(in_memory, on_disk)


def test_progress_is_told_for_every_picture(pictures: list[LabelledPicture]) -> None:
    """The steps that are told add up to the number of pictures, broken ones included."""
    steps: list[int] = []
    decode_split(pictures, PictureDecoder(INPUT), PLENTY_MB, steps.append)
    assert sum(steps) == 40


def test_nothing_but_broken_pictures_is_refused(pictures: list[LabelledPicture]) -> None:
    """A split in which nothing can be decoded is refused with its first file."""
    with pytest.raises(DataSetError, match=r"^None of 1 pictures can be decoded; the first is .*03\.png\.$"):
        decode_split([pictures[3]], PictureDecoder(INPUT), PLENTY_MB)


def split_of(count: int) -> DecodedSplit:
    pixels = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8)
    return DecodedSplit(pixels, np.arange(count, dtype=np.int32), [], [])


def labels_of(data: object) -> list[int]:
    return [int(label) for _, labels in data for label in labels.numpy()]  # type: ignore[attr-defined]


def test_batches_hold_scaled_pictures_with_their_labels() -> None:
    """Batches come in order, scaled for the network, each picture with its own label, the last one shorter."""
    seen = [(values.numpy(), labels.numpy()) for values, labels in batches(split_of(10), INPUT, 4)]
    assert [len(labels) for _, labels in seen] == [4, 4, 2]
    values = np.concatenate([batch for batch, _ in seen])
    assert np.concatenate([labels for _, labels in seen]).tolist() == list(range(10))
    np.testing.assert_allclose(values[:, 0, 0, 0], np.arange(10) / 127.5 - 1, rtol=1e-6)
    assert values.dtype == np.float32


def test_shuffled_batches_repeat_by_seed_and_not_by_epoch() -> None:
    """With a seed each epoch has another order, each run the same ones, and no picture is lost."""
    one, again, other = (batches(split_of(50), INPUT, 8, shuffle_seed=seed) for seed in (1, 1, 2))
    first, second = labels_of(one), labels_of(one)
    assert first != second
    assert sorted(first) == sorted(second) == list(range(50))
    assert [first, second] == [labels_of(again), labels_of(again)]
    assert labels_of(other) != first
