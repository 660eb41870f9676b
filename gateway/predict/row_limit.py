"""The limit of rows in one request, for tensors of all protocols; the native protocol counts its images itself."""

from collections.abc import Mapping

from gateway.errors import TooManyImagesError
from gateway.predict.model_signatures import TensorSpec

_STRING = "STRING"
_FEWEST_DIMENSIONS = 3
"""Of a batch of images: rows, height and width."""


def refuse_many_rows(rows: Mapping[str, int], inputs: Mapping[str, TensorSpec], most: int) -> None:
    """Reject tensors of too many rows; `rows` is the size of each tensor's first dimension by input name.

    Rows are strings, such as encoded images, or have at least two dimensions, such as pixels. What they declare
    counts, not what they hold: a model server may allocate as much. Single numbers and vectors do not count: each
    number is in the body, whose size is limited, and TensorFlow Serving accepts thousands of them.

    Raises:
        TooManyImagesError: an input has more than `most` rows.
    """
    for name, count in rows.items():
        if count > most and name in inputs and _counts(inputs[name]):
            raise too_many_rows(f"the input {name}", count, most)


def too_many_rows(what: str, count: int, most: int) -> TooManyImagesError:
    """Return the error for a request of more than `most` rows."""
    return TooManyImagesError(f"At most {most} rows (images) are accepted in one request; {what} has {count}.")


def _counts(spec: TensorSpec) -> bool:
    """Return whether the first dimension of an input is a number of rows that may be images."""
    if spec.shape is None:
        return spec.dtype == _STRING
    return spec.shape[:1] == (-1,) and (spec.dtype == _STRING or len(spec.shape) >= _FEWEST_DIMENSIONS)
