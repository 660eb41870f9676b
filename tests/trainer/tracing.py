"""Preprocessing as training and serving run it: traced once per kind of input, then called."""

import functools
from collections.abc import Callable

import tensorflow as tf

from contract.image_input import ImageInput
from trainer.data.preprocessing import DecodedBatch, decode_images


@functools.cache
def decoder(image_input: ImageInput) -> Callable[[tf.Tensor], DecodedBatch]:
    """Return `decode_images` for one image input, as a function from string [N]."""
    traced: Callable[[tf.Tensor], DecodedBatch] = tf.function(
        lambda image_bytes: decode_images(image_bytes, image_input),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )
    return traced


def decoded(contents: list[bytes], image_input: ImageInput) -> DecodedBatch:
    """Decode encoded images as one batch."""
    return decoder(image_input)(tf.constant(contents, tf.string))
