"""The contact sheet: what it shows, and where."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.drawn.images import gradient, speckled
from trainer.augmentation.contact_sheet import describe_label, write_contact_sheet
from trainer.augmentation_settings import Brightness, CutMix, Flip, MixUp, Step

CAPTIONS = ("daisy", "roses", "tulips")
MARGIN, GAP = 18, 10


def images(height: int = 32, width: int = 32) -> npt.NDArray[np.uint8]:
    colours = [(220, 50, 40), (50, 200, 60), (40, 60, 220)]
    return np.stack([np.asarray(speckled(colour, 1, width, height)) for colour in colours])


def sheet(target: Path, steps: tuple[Step, ...], seed: int = 1, variants: int = 7) -> npt.NDArray[np.uint8]:
    write_contact_sheet(target, images(), CAPTIONS, steps, seed, variants)
    return np.asarray(Image.open(target))


def tint(cell: npt.NDArray[np.uint8]) -> int:
    """Return which channel is strongest."""
    return int(cell.mean(axis=(0, 1)).argmax())


def test_sheet_has_a_row_for_each_image_and_a_column_for_each_variant(tmp_path: Path) -> None:
    """Going along a row the colour stays, going down a column it is the next image's, and the sheet fits a screen."""
    seen = sheet(tmp_path / "sheet.png", (Flip(),), variants=4)
    width = seen.shape[1]
    assert width <= 1400
    cell = (width - 2 * MARGIN + GAP) // 5 - GAP
    coloured = np.flatnonzero((seen[:, MARGIN + cell // 2] != seen[:, MARGIN + cell // 2, :1]).any(axis=1))
    tops = [int(rows[0]) for rows in np.split(coloured, np.flatnonzero(np.diff(coloured) > 10) + 1)]
    assert len(tops) == 3
    for row, top in enumerate(tops):
        for column in range(5):
            left = MARGIN + column * (cell + GAP)
            assert tint(seen[top : top + cell, left : left + cell]) == row


def test_first_column_shows_the_images_as_they_are(tmp_path: Path) -> None:
    """The first cell of a row is the image itself, also where every variant is changed."""
    image = np.asarray(gradient(96, 96))[None]
    write_contact_sheet(tmp_path / "sheet.png", image, ["a"], [Brightness(amount=1)], seed=1, variants=30)
    seen = np.asarray(Image.open(tmp_path / "sheet.png"))
    windows = np.lib.stride_tricks.sliding_window_view(seen[:, MARGIN : MARGIN + 96, 0], 96, axis=0)
    assert (windows.swapaxes(1, 2) == image[0, ..., 0]).all(axis=(1, 2)).sum() == 1


def test_same_seed_writes_the_same_file(tmp_path: Path) -> None:
    """The sheet is decided by the seed, of whatever size, and another seed draws another one."""
    one, again, other = (
        (sheet(tmp_path / f"{number}.png", (MixUp(), Flip()), seed), (tmp_path / f"{number}.png").read_bytes())[1]
        for number, seed in enumerate((2**40, 2**40, 5))
    )
    assert one == again
    assert one != other


@pytest.mark.parametrize("steps", [(), (Flip(),), (CutMix(), MixUp())], ids=["none", "plain", "mixing"])
def test_mixed_labels_get_a_line_more(tmp_path: Path, steps: tuple[Step, ...]) -> None:
    """A row is higher where mixed labels are written beneath, and sheets without any steps are written too."""
    height = sheet(tmp_path / "sheet.png", steps).shape[0]
    plain = sheet(tmp_path / "plain.png", ()).shape[0]
    assert height == plain + (3 * 17 if len(steps) == 2 else 0)


def test_images_keep_their_shape(tmp_path: Path) -> None:
    """Images twice as wide as high stay so."""
    wide = images(height=20, width=40)
    write_contact_sheet(tmp_path / "sheet.png", wide, CAPTIONS, [Flip()], seed=1, variants=1)
    seen = np.asarray(Image.open(tmp_path / "sheet.png"))
    middle = seen[:, MARGIN + 100].astype(int)  # in uint8 white plus 40 would be nearly black
    assert (middle.max(axis=1) > middle.min(axis=1) + 40).sum() == pytest.approx(3 * 224 / 2, abs=12)


def test_long_names_and_many_steps_stay_within_the_sheet(tmp_path: Path) -> None:
    """A name that does not fit is cut, a title that does not fit is wrapped: the margin on the right stays white."""
    names = [f"{letter * 60} Wiesen-Margerite" for letter in "äöü"]
    write_contact_sheet(tmp_path / "sheet.png", images(), names, [Brightness(), CutMix()] * 9, seed=1, variants=7)
    seen = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert (seen[:, -MARGIN + 2 :] == 255).all()


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ([0, 1, 0], ["roses"]),
        ([0.38, 0, 0.62], ["62 % tulips", "38 % daisy"]),
        ([0.998, 0.002, 0], ["daisy"]),
        ([0.5, 0.3, 0.2], ["50 % daisy", "30 % roses", "20 % tulips"]),
    ],
)
def test_mixed_label_is_described_by_shares(label: list[float], expected: list[str]) -> None:
    """A mixed label is written with the largest share first, a whole one as the name alone."""
    assert describe_label(np.array(label, np.float32), CAPTIONS) == expected
