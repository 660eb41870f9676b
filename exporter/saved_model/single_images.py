"""Running what takes one encoded image at a time, as `pixels_of_image` does."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

Prediction = dict[str, npt.NDArray[Any]]
"""What a signature answered, by output name."""


def run_on_each(run: Callable[[bytes], Prediction], images: Iterable[bytes]) -> Prediction:
    """Run it on N images one after another, and return the outputs as rows: of each output, [N, ...].

    An image on which the operation fails with InvalidArgument has a row of zeros: nothing but its content can be at
    fault, so a server of the signature refuses it.

    Raises:
        ValueError: it fails on all of them, so that the shape of an output is not known.
    """
    predictions = [_run_or_none(run, image) for image in images]
    first = next((prediction for prediction in predictions if prediction is not None), None)
    if first is None:
        raise ValueError("No image could be decoded.")
    blank = {output: np.zeros_like(value) for output, value in first.items()}
    rows = [blank if prediction is None else prediction for prediction in predictions]
    return {output: np.stack([row[output] for row in rows]) for output in first}


def _run_or_none(run: Callable[[bytes], Prediction], image: bytes) -> Prediction | None:
    try:
        return run(image)
    except tf.errors.InvalidArgumentError:
        return None
