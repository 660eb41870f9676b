"""The only implementation of what happens between a picture's bytes and the network.

Training calls it and the exporter traces it into the served graph, so the two cannot disagree: Pillow and
TensorFlow differ on the same JPEG by 0.96 grey levels on average. What it does is declared by `ImageInput`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from contract.image_input import ImageInput
from trainer.image_headers import JPEG, NOT_A_PICTURE, WEBP_WITH_ALPHA, read_exif_orientation, read_headers

_PARALLEL_DECODES = 2


class DecodedBatch(NamedTuple):
    """`pixels` uint8 [N, height, width, 3] RGB, zeros where `valid`, bool [N], is false."""

    pixels: tf.Tensor
    valid: tf.Tensor


def decode_pictures(image_bytes: tf.Tensor, image_input: ImageInput) -> DecodedBatch:
    """Decode, turn upright and resize a batch of encoded pictures, string [N], row by row.

    A row that is no picture, declares too many pixels or is broken becomes zeros and not valid; its neighbours
    come out as if it were not there. Never raises for any content, and decodes nothing that is too large.
    """
    count = tf.shape(image_bytes)[0]
    headers = read_headers(image_bytes)
    orientation = tf.where(headers.kind == JPEG, read_exif_orientation(image_bytes), 1)
    decodable = (headers.kind != NOT_A_PICTURE) & (headers.pixels <= image_input.max_pixels)

    def decode_row(row: tf.Tensor) -> tf.Tensor:
        picture = _decode(image_bytes[row], headers.kind[row], image_input.max_pixels)
        upright = _turn_upright(picture, orientation[row]) if image_input.exif_orientation else picture
        return _resize(upright, image_input)

    rows = tf.cast(tf.where(decodable)[:, 0], tf.int32)
    rows, pictures = _map_tolerantly(decode_row, rows, image_input)
    valid = tf.scatter_nd(rows[:, None], tf.ones_like(rows), [count]) > 0
    blank = tf.zeros([count, image_input.height, image_input.width, 3], tf.uint8)
    pixels = tf.tensor_scatter_nd_update(blank, rows[:, None], pictures)
    return DecodedBatch(tf.ensure_shape(pixels, [None, image_input.height, image_input.width, 3]), valid)


class PictureDecoder:
    """`decode_pictures` for one `ImageInput`, traced once and then called many times."""

    def __init__(self, image_input: ImageInput) -> None:
        self.image_input = image_input
        self._decode = tf.function(
            lambda image_bytes: decode_pictures(image_bytes, image_input),
            input_signature=[tf.TensorSpec([None], tf.string)],
        )

    def decode(self, contents: Sequence[bytes]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
        """Return pixels, uint8 [N, height, width, 3], and bool [N]: which of the pictures they are there for."""
        decoded = self._decode(tf.constant(contents, tf.string))
        return decoded.pixels.numpy(), decoded.valid.numpy()


def scale_pixels(pixels: tf.Tensor, image_input: ImageInput) -> tf.Tensor:
    """Turn RGB pixels of 0 to 255, [N, H, W, 3], into the float32 values the network was trained on."""
    values = tf.cast(pixels, tf.float32)  # first: arithmetic on uint8 wraps around in silence
    if image_input.channel_order == "bgr":
        values = values[..., ::-1]
    values = values * image_input.scale + image_input.offset
    return values - tf.constant(image_input.mean, tf.float32) if any(image_input.mean) else values


def _decode(content: tf.Tensor, kind: tf.Tensor, max_pixels: int) -> tf.Tensor:
    def decode_jpeg() -> tf.Tensor:
        size = tf.cast(tf.io.extract_jpeg_shape(content)[:2], tf.int64)
        small_enough = tf.debugging.Assert(tf.reduce_prod(size) <= max_pixels, ["too many pixels"])
        with tf.control_dependencies([small_enough]):
            # the default, INTEGER_FAST, is up to 6 grey levels off; this one is bit-identical to Pillow's
            return tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")

    def decode_other(channels: int) -> tf.Tensor:
        # channels=0 would abort the process on an animated WebP whose header says it is still
        return tf.io.decode_image(content, channels=channels, expand_animations=False)[..., :3]

    picture = tf.switch_case(
        tf.where(kind == JPEG, 0, tf.where(kind == WEBP_WITH_ALPHA, 1, 2)),
        [decode_jpeg, lambda: decode_other(4), lambda: decode_other(3)],
    )
    return tf.ensure_shape(picture, [None, None, 3])


def _turn_upright(picture: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Undo an EXIF orientation of 1 to 8."""

    def transposed() -> tf.Tensor:
        return tf.transpose(picture, [1, 0, 2])

    turned = tf.switch_case(
        orientation - 1,
        [
            lambda: picture,
            lambda: picture[:, ::-1],
            lambda: picture[::-1, ::-1],
            lambda: picture[::-1],
            transposed,
            lambda: transposed()[:, ::-1],
            lambda: transposed()[::-1, ::-1],
            lambda: transposed()[::-1],
        ],
    )
    return tf.ensure_shape(turned, [None, None, 3])


def _resize(picture: tf.Tensor, image_input: ImageInput) -> tf.Tensor:
    size = [image_input.height, image_input.width]
    resized = tf.image.resize(picture, size, method=image_input.resize, antialias=image_input.antialias)
    return tf.cast(tf.clip_by_value(tf.round(resized), 0.0, 255.0), tf.uint8)


def _map_tolerantly(
    decode_row: Callable[[tf.Tensor], tf.Tensor], rows: tf.Tensor, image_input: ImageInput
) -> tuple[tf.Tensor, tf.Tensor]:
    """Apply `decode_row` to each of `rows`, int32 [K]; return the rows that went well and their pictures.

    `map_fn` would fail for the whole batch; a tf.data pipeline can leave out a failing element, and runs inside a
    served graph too. Row -1 is a blank that keeps the result from being empty, which `get_single_element` refuses.
    """
    blank = tf.zeros([image_input.height, image_input.width, 3], tf.uint8)

    def decode_or_blank(row: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return row, tf.cond(row < 0, lambda: blank, lambda: decode_row(tf.maximum(row, 0)))

    options = tf.data.Options()  # tuning and rewriting the pipeline at each call costs more than the decoding
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    options.experimental_warm_start = False
    decoded = (
        tf.data.Dataset.from_tensor_slices(tf.concat([[-1], rows], axis=0))
        .map(decode_or_blank, num_parallel_calls=_PARALLEL_DECODES, deterministic=True)
        .ignore_errors(log_warning=False)
        .batch(tf.cast(tf.shape(rows)[0] + 1, tf.int64))
        .with_options(options)
    )
    good_rows, pictures = decoded.get_single_element()
    return good_rows[1:], pictures[1:]
