"""Each row of a batch has an answer of its own, whatever it is and whatever lies beside it."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from exporter.saved_model.fresh_process import fresh_process
from exporter.saved_model.loading import LoadedVersion
from tests.drawn.awkward_files import awkward_rows, content_of, is_predicted
from tests.drawn.images import COLOURS, animated, encoded, gradient, solid, speckled
from tests.exporter.conftest import Publication
from tests.exporter.refused_kinds import KINDS, REFUSED
from tests.exporter.rows import (
    Rows,
    assert_same_predictions,
    mixed,
    predict_each,
    predict_for_nothing,
    predict_rows,
    refused,
)
from tests.exporter.runs import CLASSES

ROWS = 64


@pytest.fixture(scope="module")
def version(first: Publication) -> LoadedVersion:
    """The first version, loaded from where it was published."""
    return LoadedVersion(first.folder)


def test_each_awkward_file_is_answered_or_refused(version: LoadedVersion) -> None:
    """Files as users send them are answered where they can be decoded, and else refused: alone, and all in a batch."""
    rows = awkward_rows()
    expected = {row["file"]: is_predicted(row) for row in rows}
    together = predict_rows(version, [content_of(row) for row in rows])
    assert dict(zip(expected, together.valid, strict=True)) == expected
    assert {name for name, predicted in expected.items() if not predicted} == {
        "animated_31_frames.gif",
        "empty.jpg",
        "text_named.jpg",
        "truncated.jpg",
        "truncated.png",
    }
    assert_same_predictions(together, predict_each(version, [content_of(row) for row in rows]))
    np.testing.assert_allclose(together.probabilities.sum(axis=1), list(expected.values()), atol=1e-5)


def test_of_an_animated_png_the_first_frame_is_answered(version: LoadedVersion) -> None:
    """An animated PNG has the answer of its first frame."""
    black, moving = encoded(solid((0, 0, 0)), "PNG"), animated("PNG")
    assert b"acTL" in moving
    assert_same_predictions(predict_rows(version, [moving]), predict_rows(version, [black]))


def predict_loaded(folder: Path, contents: list[bytes]) -> Rows:
    return predict_rows(LoadedVersion(folder), contents)


def test_no_refused_kind_ends_the_process(first: Publication) -> None:
    """Kinds that a decoder gets wrong, or dies of, are refused, and the process lives on to answer an image."""
    contents = [make() for make in REFUSED.values()]
    with fresh_process() as process:
        rows = process.submit(predict_loaded, first.folder, [*contents, encoded(gradient(), "PNG")]).result()
    assert dict(zip([*REFUSED, "PNG"], rows.valid, strict=True)) == {**dict.fromkeys(REFUSED, False), "PNG": True}
    assert rows.labels[:-1] == [""] * len(REFUSED)
    assert not rows.probabilities[:-1].any()


@pytest.mark.parametrize(
    ("kind", "channels"),
    [("GIF", 3), ("animated GIF", 3), ("palette BMP", 3), ("gray BMP", 3), ("animated WebP with alpha", 4)],
)
def test_refused_although_the_decoder_would_take_it(version: LoadedVersion, kind: str, channels: int) -> None:
    """What TensorFlow decodes without an error, but slowly or wrongly, is refused: its header is enough."""
    content = REFUSED[kind]()
    assert tf.io.decode_image(content, channels=channels, expand_animations=False).shape[2] == channels
    rows = predict_rows(version, [content])
    assert_same_predictions(rows, refused(rows))


def test_no_rows_are_answered_with_no_rows(first: Publication) -> None:
    """A batch of no rows has outputs of no rows, from every signature and in both ways of loading."""
    with fresh_process() as process:
        shapes = process.submit(predict_for_nothing, first.folder).result()
    nothing = {
        "serving_default": {"probabilities": (0, len(CLASSES)), "label": (0,), "valid": (0,), "brightness": (0,)},
        "serving_pixels": {"probabilities": (0, len(CLASSES))},
        "describe": {"manifest": (0,)},
    }
    assert shapes == {"by Python": nothing, "as TensorFlow Serving does": nothing}


def good_images() -> list[bytes]:
    """Draw images of all kinds, colours and of many sizes."""
    random, colours = np.random.default_rng(11), list(COLOURS.values())
    sizes = random.integers(1, 90, (ROWS, 2))
    return [
        encoded(speckled(colours[row % 3], row, int(width), int(height)), KINDS[row % 4])
        for row, (width, height) in enumerate(sizes)
    ]


@pytest.fixture(scope="module")
def undisturbed(version: LoadedVersion) -> Rows:
    """The answers to the good images, each asked by itself."""
    rows = predict_each(version, good_images())
    assert all(rows.valid)
    assert len(np.unique(rows.probabilities.round(4), axis=0)) > ROWS / 2  # or mixing the rows up would not be seen
    return rows


def subsets() -> list[list[bool]]:
    """Return none, all, single rows and random halves, tenths and nine tenths of the rows."""
    random = np.random.default_rng(7)
    single = [[row == place for row in range(ROWS)] for place in (0, 31, ROWS - 1)]
    several = [(random.random(ROWS) < share).tolist() for share in (0.1, 0.5, 0.9) for _ in range(4)]
    return [[False] * ROWS, [True] * ROWS, *single, *([not bad for bad in row] for row in single), *several]


@pytest.mark.parametrize("is_bad", subsets(), ids=lambda is_bad: f"{sum(is_bad)} bad")
def test_any_rows_of_a_batch_may_be_bad(version: LoadedVersion, undisturbed: Rows, is_bad: list[bool]) -> None:
    """Of 64 rows those that are bad are refused, and each of the others has the answer that it has alone."""
    bad = [make() for make in REFUSED.values()]
    contents = [
        bad[row % len(bad)] if row_is_bad else good
        for row, (row_is_bad, good) in enumerate(zip(is_bad, good_images(), strict=True))
    ]
    assert_same_predictions(predict_rows(version, contents), mixed(undisturbed, is_bad))
