"""What moved is said in words that a person understands."""

import pytest

from gateway.drift.comparison import FeatureDrift, compare
from gateway.drift.window import Window
from tests.gateway.drift.references import image_of, reference_of

LABELS = ("roses", "tulips", "daisy")
TESTED = [
    image_of(
        "tulips" if index % 25 < 3 else ("roses", "daisy")[index % 2],
        probability=0.8 + index % 20 / 100,
        brightness=0.35 + index % 20 / 100,
        pixels=2**17 + index % 20 * 10_000,
    )
    for index in range(300)
]
REFERENCE = reference_of(TESTED, LABELS)


def drift_of(**changes: float) -> dict[str, FeatureDrift]:
    """Return the drift of each feature after the images came again, each with its features times those given."""
    window = Window("digest", REFERENCE, 300)
    for image in TESTED:
        changed = {name: type(getattr(image, name))(getattr(image, name) * by) for name, by in changes.items()}
        window.add(image._replace(**changed))
    return {found.feature: found for found in compare(window, window.counts(), 200, 0.1)}


def test_nothing_moved() -> None:
    """The same images are like the reference, in every feature."""
    found = drift_of()
    assert [(each.feature, each.moved, each.psi) for each in found.values()] == [
        (feature, False, 0) for feature in ("class", "confidence", "brightness", "size")
    ]
    assert found["class"].sentence == "classes are predicted as in the reference"
    assert found["brightness"].sentence == (
        "as in the reference: mean brightness 0.45 in the reference, 0.45 in the last 300"
    )


@pytest.mark.parametrize(
    ("changes", "feature", "sentence"),
    [
        (
            {"brightness": 0.5},
            "brightness",
            "images are darker: mean brightness 0.45 in the reference, 0.22 in the last 300",
        ),
        (
            {"brightness": 1.5},
            "brightness",
            "images are brighter: mean brightness 0.45 in the reference, 0.67 in the last 300",
        ),
        (
            {"probability": 0.6},
            "confidence",
            "predictions are less confident: mean probability of the predicted class 0.90 in the reference, 0.54 in "
            "the last 300",
        ),
        (
            {"pixels": 0.1},
            "size",
            "images are smaller: median 0.22 megapixels in the reference, 0.023 in the last 300",
        ),
        ({"pixels": 8.0}, "size", "images are larger: median 0.22 megapixels in the reference, 1.80 in the last 300"),
    ],
)
def test_what_moved_is_named_with_both_numbers(changes: dict[str, float], feature: str, sentence: str) -> None:
    """The one feature that moved says in which direction, and from where to where."""
    found = drift_of(**changes)
    assert [each.feature for each in found.values() if each.moved] == [feature]
    assert found[feature].sentence == sentence


def test_classes_that_moved_are_named() -> None:
    """The classes that moved most are named with both shares, the one that moved most first."""
    window = Window("digest", REFERENCE, 500)
    for index in range(500):
        window.add(image_of("tulips" if index % 25 < 9 else ("roses", "daisy")[index % 2]))
    (found,) = [each for each in compare(window, window.counts(), 200, 0.1) if each.feature == "class"]
    assert found.moved
    first, *others = found.sentence.split("; ")
    assert first == "tulips: 12 % of predictions in the reference, 36 % in the last 500"
    assert {other.partition(":")[0] for other in others} == {"roses", "daisy"}


def test_another_spread_with_the_same_mean_is_said_so() -> None:
    """Where the mean stayed and the spread did not, no direction is claimed."""
    window = Window("digest", REFERENCE, 300)
    for index in range(300):
        window.add(image_of("roses", brightness=0.21 if index % 2 else 0.66))
    (found,) = [each for each in compare(window, window.counts(), 200, 0.1) if each.feature == "brightness"]
    assert found.moved
    assert found.sentence.startswith("the brightness of images is distributed differently: mean brightness 0.45")
