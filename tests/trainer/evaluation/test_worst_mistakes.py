"""The gallery of the images on which a model was surest of a wrong class."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from trainer.evaluation.metrics import Predictions
from trainer.evaluation.worst_mistakes import worst_mistakes

NAMES = ("a", "b")
PATHS = [Path(f"{index}.jpg") for index in range(5)]
PREDICTIONS = Predictions(
    np.array([[0.4, 0.6], [0.1, 0.9], [0.95, 0.05], [0.2, 0.8], [0.3, 0.7]], np.float32),
    np.array([0, 0, 0, 0, 1], np.int32),
)
SHADES = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.full((1, 300, 400, 3), 50, np.uint8)


def test_the_surest_are_first() -> None:
    """Only wrong answers are shown, the surest first, with what they show and what was said."""
    mistakes = worst_mistakes(PREDICTIONS, SHADES, PATHS, NAMES)
    assert [mistake.path.stem for mistake in mistakes] == ["1", "3", "0"]
    assert (mistakes[0].truth, mistakes[0].predicted, round(mistakes[0].probability, 6)) == ("a", "b", 0.9)


def test_there_are_at_most_as_many_as_asked_for() -> None:
    """A count bounds the gallery, and no mistakes make an empty one."""
    assert [mistake.path.stem for mistake in worst_mistakes(PREDICTIONS, SHADES, PATHS, NAMES, count=2)] == ["1", "3"]
    flawless = Predictions(PREDICTIONS.probabilities, PREDICTIONS.predicted)
    assert worst_mistakes(flawless, SHADES, PATHS, NAMES) == []


def test_thumbnails_are_small_and_show_the_image() -> None:
    """A thumbnail is a JPEG of the image in its own shape, small enough for 24 of them in a page."""
    mistake = worst_mistakes(PREDICTIONS, SHADES, PATHS, NAMES)[1]
    thumbnail = Image.open(io.BytesIO(mistake.thumbnail))
    assert (thumbnail.format, thumbnail.size) == ("JPEG", (192, 144))
    assert abs(int(np.asarray(thumbnail).mean()) - 150) <= 1
    noise = np.random.default_rng(0).integers(0, 256, (5, 300, 400, 3), dtype=np.uint8)
    assert max(len(each.thumbnail) for each in worst_mistakes(PREDICTIONS, noise, PATHS, NAMES)) < 40_000


def test_only_the_chosen_images_are_asked_for() -> None:
    """Images may come from a function, which is called for the mistakes that are shown and no others."""
    requested = []

    def image(index: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
        requested.append(index)
        return np.zeros((10, 20, 3), np.uint8)

    assert len(worst_mistakes(PREDICTIONS, image, PATHS, NAMES, count=2)) == 2
    assert requested == [1, 3]
