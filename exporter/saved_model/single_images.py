"""Asking what takes one encoded picture at a time, as `pixels_of_image` does."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

Answer = dict[str, npt.NDArray[Any]]
"""What a signature answered, by output name."""


def ask_single_pictures(ask: Callable[[bytes], Answer], pictures: Iterable[bytes]) -> Answer:
    """Ask about N pictures one after another, and return the answers as rows: of each output, [N, ...].

    A picture on which the operation fails with InvalidArgument has a row of zeros: nothing but its content can be at
    fault, and so whoever serves the signature refuses it.

    Raises:
        ValueError: it fails on all of them, so that nobody knows the shape of an answer.
    """
    answers = [_ask_tolerantly(ask, picture) for picture in pictures]
    first = next((answer for answer in answers if answer is not None), None)
    if first is None:
        raise ValueError("No picture could be decoded.")
    blank = {output: np.zeros_like(value) for output, value in first.items()}
    rows = [blank if answer is None else answer for answer in answers]
    return {output: np.stack([row[output] for row in rows]) for output in first}


def _ask_tolerantly(ask: Callable[[bytes], Answer], picture: bytes) -> Answer | None:
    try:
        return ask(picture)
    except tf.errors.InvalidArgumentError:
        return None
