"""The images that prove an export, chosen from the test split."""

from pathlib import Path

import numpy as np
import pytest

from contract.versions import FIXTURES
from exporter.errors import FixtureError
from exporter.proof.fixtures import choose_fixtures, write_fixtures
from graft.actions.probe.expected import newest_fixture
from trainer.runs.record import TestImage
from trainer.runs.trained_model import MaskedPredictions


def images_of(folder: Path, counts: dict[str, int]) -> list[TestImage]:
    found = []
    for label, count in counts.items():
        for index in range(count):
            path = folder / f"{label}-{index}.JPG"
            path.write_bytes(f"{label} {index}".encode())
            found.append(TestImage(path=path, label=label))
    return found


def test_choice_goes_round_the_classes(tmp_path: Path) -> None:
    """Each class has its turn, and a small class leaves its turns to the others."""
    fixtures = choose_fixtures(images_of(tmp_path, {"b": 1, "a": 9, "c": 2}))
    assert [fixture.label for fixture in fixtures[:8]] == ["a", "b", "c", "a", "c", "a", "a", "a"]
    assert len({fixture.content for fixture in fixtures[:8]}) == 8


def test_choice_does_not_depend_on_the_order_of_the_record(tmp_path: Path) -> None:
    """The same test split, in any order, gives the same fixtures."""
    images = images_of(tmp_path, {"a": 6, "b": 6})
    assert choose_fixtures(images) == choose_fixtures(images[::-1])


def test_names_are_plain_and_in_order(tmp_path: Path) -> None:
    """A fixture's name has its place, its class and its kind; half of the first image must be refused."""
    fixtures = choose_fixtures(images_of(tmp_path, {"a": 1, "b": 1}))
    assert [fixture.name for fixture in fixtures] == ["00-a.jpg", "01-b.jpg", "truncated.jpg", "not-a-image.txt"]
    assert fixtures[2].content == fixtures[0].content[: len(fixtures[0].content) // 2]
    assert [fixture.label for fixture in fixtures[2:]] == [None, None]


def test_image_that_is_gone_is_refused(tmp_path: Path) -> None:
    """An image that was moved since training is refused with its path, the reason and what to do."""
    images = images_of(tmp_path, {"a": 2})
    images[1].path.unlink()
    with pytest.raises(FixtureError, match=r"a-1\.JPG cannot be read \(No such file or directory\); put the data set"):
        choose_fixtures(images)


def test_a_probe_reads_what_is_written(tmp_path: Path) -> None:
    """`graft probe --models` sends the first fixture of a version, and expects the probabilities beside it."""
    version = tmp_path / "flowers" / "3"
    (version / "assets").mkdir(parents=True)
    (version / "assets" / "labels.txt").write_text("a\nb\n")
    fixtures = choose_fixtures(images_of(tmp_path, {"a": 1, "b": 1}))
    probabilities = np.array([[0.75, 0.25], [0.5, 0.5], [0, 0], [0, 0]], np.float32)
    valid = np.array([True, True, False, False])
    write_fixtures(version / FIXTURES, fixtures, MaskedPredictions(probabilities=probabilities, valid=valid))
    found = newest_fixture(tmp_path / "flowers")
    assert (found.version, found.image, found.probabilities) == ("3", fixtures[0].content, {"a": 0.75, "b": 0.25})
