"""Stored fields that were renamed: files with the old names are read, and files with the new ones."""

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from contract.old_names import OLD_WORDS, READS_OLD_NAMES, metrics_with_current_names


class Stored(BaseModel):
    """A record in a file."""

    model_config = ConfigDict(frozen=True, extra="forbid", **READS_OLD_NAMES)

    test_images: int
    same_prediction_where_clear: float


NOW = {"test_images": 3, "same_prediction_where_clear": 0.5}
BEFORE = {f"test_{OLD_WORDS['image']}s": 3, f"same_{OLD_WORDS['prediction']}_where_clear": 0.5}


def test_both_spellings_are_read_and_the_new_one_is_written() -> None:
    """Old and new names give the same record, which is written with the new names."""
    assert BEFORE.keys().isdisjoint(NOW)
    assert Stored.model_validate(BEFORE) == Stored.model_validate(NOW)
    assert Stored(test_images=3, same_prediction_where_clear=0.5).model_dump() == NOW


def test_a_missing_field_is_named_as_it_is_now() -> None:
    """An error message names the field by its present name; what has neither name is still refused."""
    with pytest.raises(ValidationError) as raised:
        Stored.model_validate({"test_images": 3, "samples": 1})
    assert [error["loc"] for error in raised.value.errors()] == [("same_prediction_where_clear",), ("samples",)]


def test_counts_of_images_in_metrics_are_read_under_both_names() -> None:
    """Counts get their present name at any depth; a class that is called as the old name keeps it."""
    old = f"{OLD_WORDS['image']}s"
    written = {"test": {old: 3, "per_class": {old: {old: 2, "f1": None}, "b": {old: 1}}}, "confusion": [[2, 0], [0, 1]]}
    per_class = {old: {"images": 2, "f1": None}, "b": {"images": 1}}
    read = {"test": {"images": 3, "per_class": per_class}, "confusion": [[2, 0], [0, 1]]}
    assert metrics_with_current_names(written) == metrics_with_current_names(read) == read
