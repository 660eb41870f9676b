"""Image files as real users send them, from a collection that lies beside the project."""

import csv

import pytest

from tests.places import DATA

AWKWARD = DATA / "awkward"

Row = dict[str, str]
"""A file of the collection: its name, what it is, and what Pillow and TensorFlow make of it."""


def awkward_rows() -> list[Row]:
    """Read the collection's index, or skip the test where there is none."""
    if not (AWKWARD / "INDEX.csv").is_file():
        pytest.skip(f"there is no collection of awkward images at {AWKWARD}; GRAFT_DATA says where its parent is")
    with (AWKWARD / "INDEX.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def content_of(row: Row) -> bytes:
    """Read a file of the collection."""
    return (AWKWARD / row["file"]).read_bytes()


def is_predicted(row: Row) -> bool:
    """Return whether a model answers the file: TensorFlow can decode it, and it is no GIF."""
    return row["tf_decode_image"].startswith("ok") and "GIF" not in row["pillow"]
