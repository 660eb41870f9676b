"""The images that prove an export, and travel with it."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.errors import FixtureError
from trainer.runs.record import TestImage
from trainer.runs.trained_model import MaskedPredictions

ACCEPTED = 8
EXPECTED = "expected.json"
_NOT_A_IMAGE = b"This is a text file, and must be refused.\n"


@dataclass(frozen=True)
class Fixture:
    """An image with its true class, or None where it must be refused."""

    name: str
    content: bytes
    label: str | None


def choose_fixtures(test_images: Sequence[TestImage]) -> list[Fixture]:
    """Choose eight held-out images, going round the classes, and add two that must be refused.

    Raises:
        FixtureError: an image is no longer where it was in training.
    """
    accepted = [
        Fixture(f"{index:02d}-{image.label}{image.path.suffix.lower()}", read_test_image(image.path), image.label)
        for index, image in enumerate(_round_the_classes(test_images)[:ACCEPTED])
    ]
    whole = accepted[0]
    truncated = Fixture(f"truncated{Path(whole.name).suffix}", whole.content[: len(whole.content) // 2], None)
    return [*accepted, truncated, Fixture("not-a-image.txt", _NOT_A_IMAGE, None)]


def write_fixtures(folder: Path, fixtures: Sequence[Fixture], predictions: MaskedPredictions) -> None:
    """Write the images, and `expected.json` with the trained model's probabilities (null: refused)."""
    folder.mkdir(parents=True)
    expected = []
    for fixture, probabilities, valid in zip(fixtures, predictions.probabilities, predictions.valid, strict=True):
        (folder / fixture.name).write_bytes(fixture.content)
        expected.append(
            {
                "file": fixture.name,
                "label": fixture.label,
                "probabilities": [float(value) for value in probabilities] if valid else None,
            }
        )
    (folder / EXPECTED).write_text(json.dumps(expected, indent=2) + "\n")


def read_test_image(path: Path) -> bytes:
    """Read an image of a run's test split.

    Raises:
        FixtureError: it is no longer where it was in training.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise FixtureError(
            f"The test image {path} cannot be read ({error.strerror}); put the data set back where it was in "
            "training, or train again."
        ) from error


def _round_the_classes(images: Sequence[TestImage]) -> list[TestImage]:
    by_class: dict[str, list[TestImage]] = defaultdict(list)
    for image in sorted(images, key=lambda image: (image.label, image.path)):
        by_class[image.label].append(image)
    deepest = max((len(of_class) for of_class in by_class.values()), default=0)
    return [of_class[turn] for turn in range(deepest) for of_class in by_class.values() if turn < len(of_class)]
