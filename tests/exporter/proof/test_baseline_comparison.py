"""Whether a version may follow another one: compared on the same images, refused if worse by more than chance."""

from pathlib import Path

import pytest

from contract.errors import ContractError
from exporter.errors import FixtureError, RegressionError
from exporter.proof.baseline_comparison import compare_with_baseline, find_baseline, note_on_seen_images
from exporter.saved_model.loading import LoadedVersion
from exporter.saved_model.network import make_served_network
from exporter.saved_model.writer import save
from tests.exporter.conftest import Counting, Publication
from tests.exporter.runs import CLASSES
from trainer.progress import Progress
from trainer.runs.record import TestImage


@pytest.fixture(scope="module")
def images(first: Publication) -> list[TestImage]:
    """The test images, called what the first version calls them, so that it is right on all nine."""
    paths = [image.path for image in first.run.record.test_images]
    labels = LoadedVersion(first.folder).predict(path.read_bytes() for path in paths).labels
    return [TestImage(path=path, label=label) for path, label in zip(paths, labels, strict=True)]


@pytest.fixture(scope="module")
def worse(first: Publication, tmp_path_factory: pytest.TempPathFactory) -> LoadedVersion:
    """The same network with the names of its classes moved on by one: always wrong where the first is right."""
    folder = tmp_path_factory.mktemp("worse")
    image_input = first.run.record.image_input
    network = make_served_network(first.run.load_model(), image_input)
    save(network, (*CLASSES[1:], CLASSES[0]), image_input, folder)
    return LoadedVersion(folder)


def test_worse_by_more_than_chance_is_refused(
    first: Publication, worse: LoadedVersion, images: list[TestImage]
) -> None:
    """A version that is wrong on nine images that the one in place has right is refused with the numbers."""
    message = r"right on 0 of 9 held-out images, and version 1 on 9 .* p = 0\.0039\); nothing was published"
    with pytest.raises(RegressionError, match=message):
        compare_with_baseline(first.folder, worse, images, Progress())


def test_worse_by_chance_is_let_through(first: Publication, worse: LoadedVersion, images: list[TestImage]) -> None:
    """Five images out of five lost are not yet more than chance (p = 0.06), and the numbers are returned."""
    paired = compare_with_baseline(first.folder, worse, images[:5], Progress())
    assert (paired.images, paired.a_right, paired.b_right) == (5, 5, 0)
    assert paired.p_value == pytest.approx(2 / 2**5)


def test_the_same_again_is_let_through(first: Publication, images: list[TestImage]) -> None:
    """A version is not worse than itself, and every answer is told to those who watch."""
    heard = Counting()
    paired = compare_with_baseline(first.folder, LoadedVersion(first.folder), images, heard)
    assert (paired.a_right, paired.b_right, paired.p_value) == (9, 9, 1.0)
    assert heard.announced == heard.done == 18


def test_image_that_is_gone_is_refused(first: Publication, images: list[TestImage], tmp_path: Path) -> None:
    """A test image that cannot be read is refused with its path."""
    gone = TestImage(path=tmp_path / "gone.jpg", label="red")
    with pytest.raises(FixtureError, match=r"gone\.jpg cannot be read \(No such file"):
        compare_with_baseline(first.folder, LoadedVersion(first.folder), [*images, gone], Progress())


def test_version_is_found_by_number_or_as_the_latest(second: Publication) -> None:
    """A published version is meant by its number, or the highest by `latest`."""
    base_path = second.models / "colours"
    assert find_baseline(base_path, "1") == base_path / "1"
    assert find_baseline(base_path, "latest") == base_path / "2"


@pytest.mark.parametrize(("version", "there"), [("3", "there are 1, 2"), ("best", "there are 1, 2")])
def test_unknown_version_is_refused(second: Publication, version: str, there: str) -> None:
    """A version that is not published is refused with those that are."""
    with pytest.raises(ContractError, match=f"no published version '{version}' under .* to compare with; {there}"):
        find_baseline(second.models / "colours", version)


def test_first_version_has_no_baseline(tmp_path: Path) -> None:
    """Where nothing is published yet, `latest` is nothing."""
    with pytest.raises(ContractError, match="there are none yet"):
        find_baseline(tmp_path / "colours", "latest")


def test_other_data_is_worth_a_note(first: Publication) -> None:
    """An older version that was trained on other images may have learned the test images."""
    assert note_on_seen_images(first.folder, first.exported.manifest.dataset_digest) is None
    note = note_on_seen_images(first.folder, "sha256:" + 64 * "1")
    assert note is not None
    assert "may have seen" in note
