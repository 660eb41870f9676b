"""Encoded images as a message to a model of ours, and its answer as probabilities."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from contract import serving_messages as messages
from gateway.backend.model_client import output_of
from gateway.backend.tensors import read_bools, read_floats, shape_of
from gateway.errors import ModelServerFailedError

_BRIGHTNESS = "brightness"
_STRING = messages.DataType["DT_STRING"].number


class Scores(NamedTuple):
    """What a model said about N images, in their order.

    `probabilities` has N rows of C floats, zeros where `valid` is False: the graph refused that image.
    `brightness` has N means of the decoded images, 0 to 1; None where the version does not tell, as older ones.
    """

    version: int
    probabilities: tuple[tuple[float, ...], ...]
    valid: tuple[bool, ...]
    brightness: tuple[float, ...] | None = None


def images_request(images: Sequence[bytes]) -> Any:
    """Return a PredictRequest about encoded images, at least one; `model_spec` is left to be filled in.

    It asks for all outputs: TensorFlow Serving batches only what asks for a whole signature.
    """
    request = messages.PredictRequest()
    tensor = request.inputs["image_bytes"]
    tensor.dtype = _STRING
    tensor.tensor_shape.dim.add(size=len(images))
    tensor.string_val.extend(images)
    return request


def read_scores(response: Any, rows: int) -> Scores:
    """Return what the answer to `images_request` says about that many images.

    Raises:
        ModelServerFailedError: it makes no sense.
    """
    probabilities, valid = output_of(response, "probabilities"), output_of(response, "valid")
    shape, valid_shape = shape_of(probabilities), shape_of(valid)
    if len(shape) != 2 or shape[0] != rows or valid_shape != (rows,):
        raise ModelServerFailedError("The model server's answer does not fit the number of images.")
    values = read_floats(probabilities, shape)
    if not math.isfinite(sum(values)):
        raise ModelServerFailedError("The model answered with probabilities that are not numbers.")
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
        raise ModelServerFailedError("The model's answer does not have one brightness for each image.")
    return tuple(values)
