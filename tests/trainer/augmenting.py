"""Batches to vary, and one of each step to vary them with."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tests.drawn.images import gradient, speckled
from trainer.augmentation.pipeline import Augmentation
from trainer.augmentation_settings import (
    Brightness,
    Contrast,
    Crop,
    CutMix,
    Flip,
    MixUp,
    QuarterTurns,
    Rotation,
    Step,
    Zoom,
)

Pixels = npt.NDArray[np.float32]

SIZE, CLASSES = 24, 4
EACH: tuple[Step, ...] = (
    Flip(vertical=True),
    Brightness(),
    Contrast(),
    Rotation(),
    QuarterTurns(),
    Zoom(),
    Crop(),
    MixUp(),
    CutMix(),
)


def one_hot(count: int) -> Pixels:
    return np.eye(CLASSES, dtype=np.float32)[np.arange(count) % CLASSES]


def speckles(count: int, size: int = SIZE) -> npt.NDArray[np.uint8]:
    """Draw images of which each is another one."""
    colours = [(200, 60, 40), (40, 200, 60), (60, 40, 200), (150, 150, 30)]
    return np.stack([np.asarray(speckled(colours[seed % 4], seed, size, size)) for seed in range(count)])


def gradients(count: int, size: int = SIZE) -> npt.NDArray[np.uint8]:
    """Repeat one image without symmetry."""
    return np.repeat(np.asarray(gradient(size, size))[None], count, axis=0)


def augment(steps: Sequence[Step], pixels: npt.NDArray[Any], seed: tuple[int, int] = (1, 2)) -> tuple[Pixels, Pixels]:
    varied, labels = Augmentation(steps)(tf.constant(pixels), tf.constant(one_hot(len(pixels))), tf.constant(seed))
    return varied.numpy(), labels.numpy()
