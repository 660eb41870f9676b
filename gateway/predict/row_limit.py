"""The limit of rows in one request, for tensors of all protocols; the native protocol counts its images itself."""

from collections.abc import Mapping

from gateway.errors import TooManyImagesError
from gateway.predict.model_signatures import TensorSpec


def refuse_many_rows(rows: Mapping[str, int], inputs: Mapping[str, TensorSpec], most: int) -> None:
    """Reject tensors of too many rows; `rows` is the size of each tensor's first dimension by input name.

    Sizes that the model fixes are not rows. What the tensors hold does not count, only what they declare: a model
    server may allocate as much.

    Raises:
        TooManyImagesError: an input has more than `most` rows.
    """
    for name, count in rows.items():
        if count > most and name in inputs and _has_rows(inputs[name]):
            raise too_many_rows(f"the input {name}", count, most)


def too_many_rows(what: str, count: int, most: int) -> TooManyImagesError:
    """Return the error for a request of more than `most` rows."""
    return TooManyImagesError(f"At most {most} rows (images) are accepted in one request; {what} has {count}.")


def _has_rows(spec: TensorSpec) -> bool:
    return spec.shape is None or spec.shape[:1] == (-1,)
