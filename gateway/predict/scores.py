"""Reads probabilities from the response to encoded images."""

import math
from typing import Any, NamedTuple

from gateway.backend.model_client import output_of
from gateway.backend.tensors import read_bools, read_floats, shape_of
from gateway.errors import ModelServerFailedError

_BRIGHTNESS = "brightness"


class Scores(NamedTuple):
    """A model's outputs for N images, in their order.

    `probabilities` has N rows of C floats; a row is zeros if `valid` is False: the graph rejected that image.
    `brightness` has N means of the decoded images, 0 to 1; None if the version has no such output, as older ones.
    """

    version: int
    probabilities: tuple[tuple[float, ...], ...]
    valid: tuple[bool, ...]
    brightness: tuple[float, ...] | None = None


def read_scores(response: Any, rows: int) -> Scores:
    """Return the scores in the response to an `ImagesRequest`; `rows` is the number of images.

    Raises:
        ModelServerFailedError: the response is invalid.
    """
    probabilities, valid = output_of(response, "probabilities"), output_of(response, "valid")
    shape, valid_shape = shape_of(probabilities), shape_of(valid)
    if len(shape) != 2 or shape[0] != rows or valid_shape != (rows,):
        raise ModelServerFailedError("The model server's response does not match the number of images.")
    values = read_floats(probabilities, shape)
    if not math.isfinite(sum(values)):
        raise ModelServerFailedError("The model returned probabilities that are not finite numbers.")
    width = shape[1]
    split = tuple([tuple(values[start : start + width]) for start in range(0, rows * width, width)])
    version, said_valid = response.model_spec.version.value, tuple(read_bools(valid, valid_shape))
    return Scores(version, split, said_valid, _read_brightness(response, rows))


def _read_brightness(response: Any, rows: int) -> tuple[float, ...] | None:
    if _BRIGHTNESS not in response.outputs:
        return None
    tensor = response.outputs[_BRIGHTNESS]
    shape = shape_of(tensor)
    values = read_floats(tensor, shape) if shape == (rows,) else []
    if len(values) != rows or not math.isfinite(sum(values)):
        raise ModelServerFailedError("The model did not return one brightness for each image.")
    return tuple(values)
