"""What a probe's prediction is held against: the version's first one, or the fixture of a published version."""

import json
from pathlib import Path

import pytest

from contract.versions import FIXTURES
from graft.actions.probe.expected import ExpectedPredictions, NoProbeFixtureError, newest_fixture
from graft.actions.probe.failure import ProbeFailedError
from graft.actions.probe.sending import ProbedPrediction

IMAGE = b"an image"
FIRST = {"roses": 0.6, "tulips": 0.2, "daisies": 0.1, "sunflowers": 0.05, "dandelions": 0.03}


def prediction(top: dict[str, float] | None = None, version: str = "1") -> ProbedPrediction:
    found = {**FIRST, **(top or {})}
    ordered = dict(sorted(found.items(), key=lambda item: -item[1])[:5])
    return ProbedPrediction("flowers", version, f"sha256:{version}", next(iter(ordered)), ordered)


@pytest.mark.parametrize(
    "wrong",
    [
        {"roses": 0.58},
        {"roses": 0.2, "tulips": 0.6},
        {"whales": 0.05},
        {"whales": 0.3, "roses": 0.3},
        {"roses": float("nan")},
    ],
)
def test_another_prediction_of_the_same_version_fails(wrong: dict[str, float]) -> None:
    """Probabilities that moved, labels that changed places, a label that was not there, and no number are found."""
    expected = ExpectedPredictions(tolerance=0.01)
    expected.check(prediction(), IMAGE, None)
    with pytest.raises(ProbeFailedError, match="the version's first prediction had"):
        expected.check(prediction(wrong), IMAGE, None)
    expected.check(prediction(), IMAGE, None)


def test_labels_that_vanished_are_found() -> None:
    """Of many labels, none of the first five may come back, each as unlikely as any: the likely one is missed."""
    expected = ExpectedPredictions(tolerance=0.01)
    expected.check(prediction(), IMAGE, None)
    even = ProbedPrediction("flowers", "1", "sha256:1", "a", dict.fromkeys("abcde", 0.001))
    with pytest.raises(ProbeFailedError, match="'roses'"):
        expected.check(even, IMAGE, None)


def test_processors_may_differ_a_little() -> None:
    """Replicas on other processors round differently; a label may fall out of the five and another come in."""
    expected = ExpectedPredictions(tolerance=0.01)
    expected.check(prediction(), IMAGE, None)
    expected.check(prediction({"roses": 0.598, "whales": 0.031}), IMAGE, None)


def test_each_version_has_its_own_first_prediction() -> None:
    """While a version replaces another both reply, and neither is taken for wrong; another image begins anew."""
    expected = ExpectedPredictions(tolerance=0.01)
    for version, roses in (("1", 0.6), ("2", 0.4), ("1", 0.6), ("2", 0.4)):
        expected.check(prediction({"roses": roses}, version), IMAGE, None)
    expected.check(prediction({"roses": 0.3}), b"another image", None)


def published(base_path: Path, number: int, roses: float) -> None:
    """Write of a version what a probe reads, as an export does: a fixture that is refused, one that is not, labels."""
    version = base_path / str(number)
    (version / "assets").mkdir(parents=True)
    (version / "assets" / "labels.txt").write_text("roses\ntulips\n")
    (version / FIXTURES).mkdir(parents=True)
    (version / FIXTURES / "rose.jpg").write_bytes(f"image of {number}".encode())
    entries = [
        {"file": "cut.jpg", "label": None, "probabilities": None},
        {"file": "rose.jpg", "label": "roses", "probabilities": [roses, 1 - roses]},
    ]
    (version / FIXTURES / "expected.json").write_text(json.dumps(entries))


def test_the_newest_versions_fixture_is_used(tmp_path: Path) -> None:
    """The image is the newest version's first that is not refused, with the trained model's probabilities."""
    with pytest.raises(NoProbeFixtureError, match="has no published version"):
        newest_fixture(tmp_path)
    published(tmp_path, 1, 0.9)
    published(tmp_path, 2, 0.7)
    fixture = newest_fixture(tmp_path)
    assert (fixture.version, fixture.image) == ("2", b"image of 2")
    assert fixture.probabilities == pytest.approx({"roses": 0.7, "tulips": 0.3})


def test_a_fixture_is_expected_of_its_version_only(tmp_path: Path) -> None:
    """The version of the fixture has to predict what was proved; one that still replies is held against itself."""
    published(tmp_path, 2, 0.7)
    fixture = newest_fixture(tmp_path)
    expected = ExpectedPredictions(tolerance=0.01)
    right = ProbedPrediction("flowers", "2", "sha256:2", "roses", {"roses": 0.701, "tulips": 0.299})
    assert expected.check(right, fixture.image, fixture) == "fixture"
    older = ProbedPrediction("flowers", "1", "sha256:1", "tulips", {"roses": 0.2, "tulips": 0.8})
    assert expected.check(older, fixture.image, fixture) == "first prediction"
    wrong = ProbedPrediction("flowers", "2", "sha256:2", "roses", {"roses": 0.9, "tulips": 0.1})
    with pytest.raises(ProbeFailedError, match=r"the trained model's prediction had 0\.7000"):
        expected.check(wrong, fixture.image, fixture)


@pytest.mark.parametrize("content", ["[{}]", "[]", "nothing", '[{"file": "a", "probabilities": null}]'])
def test_a_broken_fixture_is_said(content: str, tmp_path: Path) -> None:
    """What cannot be read as a fixture is named by its version, in one sentence."""
    published(tmp_path, 2, 0.7)
    (tmp_path / "2" / FIXTURES / "expected.json").write_text(content)
    with pytest.raises(NoProbeFixtureError, match=r"2 has no fixture that can be read \(.+\)\.$"):
        newest_fixture(tmp_path)
