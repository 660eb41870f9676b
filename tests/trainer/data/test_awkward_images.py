"""Image files as real users send them, from a collection that lies beside the project."""

import pytest

from contract.image_input import ImageInput
from tests.drawn.awkward_files import Row, awkward_rows, content_of, is_predicted
from tests.trainer.tracing import decoded

SMALL = ImageInput(height=32, width=32)


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """The collection's index: what each file is, and what TensorFlow makes of it."""
    return awkward_rows()


def test_each_file_is_answered_as_the_index_says(rows: list[Row]) -> None:
    """A file is an image where TensorFlow can decode it; GIF, which it can, is refused all the same."""
    expected = {row["file"]: is_predicted(row) for row in rows}
    valid = decoded([content_of(row) for row in rows], SMALL).valid.numpy().tolist()
    assert dict(zip(expected, valid, strict=True)) == expected
    assert True in valid
    assert False in valid


def test_each_file_is_answered_alike_alone_and_in_company(rows: list[Row]) -> None:
    """A file has the same pixels alone as in a batch of all of them."""
    contents = [content_of(row) for row in rows]
    together = decoded(contents, SMALL).pixels.numpy()
    for content, pixels in zip(contents, together, strict=True):
        assert (decoded([content], SMALL).pixels.numpy()[0] == pixels).all()
