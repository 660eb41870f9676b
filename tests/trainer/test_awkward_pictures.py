"""Picture files as real users send them, from a collection that lies beside the project."""

import csv
import os
from pathlib import Path

import pytest

from contract.image_input import ImageInput
from tests.trainer.tracing import decoded

ROOT = Path(__file__).parents[2]
AWKWARD = ROOT / os.environ.get("GRAFT_DATA", "../shared/data") / "awkward"
SMALL = ImageInput(height=32, width=32)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    """The collection's index: what each file is, and what TensorFlow makes of it."""
    if not (AWKWARD / "INDEX.csv").is_file():
        pytest.skip(f"there is no collection of awkward pictures at {AWKWARD}; GRAFT_DATA says where its parent is")
    with (AWKWARD / "INDEX.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_each_file_is_answered_as_the_index_says(rows: list[dict[str, str]]) -> None:
    """A file is a picture where TensorFlow can decode it; GIF, which it can, is refused all the same."""
    expected = {row["file"]: row["tf_decode_image"].startswith("ok") and "GIF" not in row["pillow"] for row in rows}
    contents = [(AWKWARD / name).read_bytes() for name in expected]
    valid = decoded(contents, SMALL).valid.numpy().tolist()
    assert dict(zip(expected, valid, strict=True)) == expected
    assert True in valid
    assert False in valid


def test_each_file_is_answered_alike_alone_and_in_company(rows: list[dict[str, str]]) -> None:
    """A file has the same pixels alone as in a batch of all of them."""
    contents = [(AWKWARD / row["file"]).read_bytes() for row in rows]
    together = decoded(contents, SMALL).pixels.numpy()
    for content, pixels in zip(contents, together, strict=True):
        assert (decoded([content], SMALL).pixels.numpy()[0] == pixels).all()
