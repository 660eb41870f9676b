"""The last images of a version are counted in the buckets of its reference, at a bounded cost."""

from hypothesis import given
from hypothesis import strategies as st

from contract.reference import ReferenceDistributions
from gateway.drift.buckets import reference_counts
from gateway.drift.window import Window
from gateway.observability.predicted_image import PredictedImage
from tests.cpu_time import quiet_cpu_seconds
from tests.gateway.drift.references import image_of, reference_of

LABELS = ("daisy", "roses", "tulips")
REFERENCE = reference_of([image_of(label) for label in LABELS for _ in range(30)], LABELS)
IMAGES = st.builds(
    image_of,
    st.sampled_from((*LABELS, "unheard of")),
    st.floats(0, 1),
    st.none() | st.integers(1, 10**9),
    st.none() | st.floats(0, 1),
)


def counted_plainly(images: list[PredictedImage], reference: ReferenceDistributions) -> dict[str, list[int]]:
    """Count as the reference itself would."""
    counts = {feature: [0] * len(reference_counts(reference, feature)) for feature in ("class", "confidence")}
    counts |= {feature: [0] * len(reference_counts(reference, feature)) for feature in ("brightness", "size")}
    for image in images:
        if image.label in LABELS:
            counts["class"][LABELS.index(image.label)] += 1
        counts["confidence"][reference.confidence.index_of(image.probability)] += 1
        if image.brightness is not None:
            counts["brightness"][reference.brightness.index_of(image.brightness)] += 1
        if image.pixels is not None:
            counts["size"][reference.size.index_of(image.pixels)] += 1
    return counts


@given(st.lists(IMAGES, max_size=40), st.integers(1, 12))
def test_the_last_images_count(images: list[PredictedImage], size: int) -> None:
    """After any images the counts are those of the last ones, each feature by itself, in the reference's buckets."""
    window = Window("digest", REFERENCE, size)
    for image in images:
        window.add(image)
    assert window.counts() == counted_plainly(images[-size:], REFERENCE)


def test_counts_are_not_changed_behind_their_reader() -> None:
    """What was read stays as it is when further images come."""
    window = Window("digest", REFERENCE, 10)
    before = window.counts()
    window.add(image_of("daisy"))
    assert sum(before["class"]) == 0
    assert sum(window.counts()["class"]) == 1


def test_a_image_costs_microseconds() -> None:
    """Adding an image to a full window takes less than 60 us; it was 7 us of a request's 1,600 when written."""
    window, image = Window("digest", REFERENCE, 500), image_of("daisy")

    def add_many() -> None:
        for _ in range(5000):
            window.add(image)

    assert quiet_cpu_seconds(add_many, 0.3) < 5000 * 60e-6
