"""Preprocessing: the only implementation of what happens between an image's bytes and the network.

Training calls it and the exporter traces it into the served graph, so the two cannot disagree: Pillow and
TensorFlow differ on the same JPEG by 0.96 grey levels on average. Its settings are an `ImageInput`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from contract.image_input import ImageInput
from trainer.augmentation_settings import ResizeKernel
from trainer.data.image_cost.png import has_little_data
from trainer.data.image_headers import JPEG, NOT_A_IMAGE, PNG, WEBP_WITH_ALPHA, is_jpeg, read_headers
from trainer.data.jpeg.decoding import decode_jpeg
from trainer.data.orientation.reading import jpeg_orientation, other_orientation, read_orientation

_PARALLEL_DECODES = 2

_READ_BACKWARDS = [
    [orientation in {3, 4, 7, 8}, orientation in {2, 3, 6, 7}, False]  # rows, columns, channels
    for orientation in range(9)
]
"""By EXIF orientation, once the axes are swapped."""


class DecodedBatch(NamedTuple):
    """`pixels` uint8 [N, height, width, 3] RGB, zeros where `valid`, bool [N], is false."""

    pixels: tf.Tensor
    valid: tf.Tensor


class DecodedImage(NamedTuple):
    """`values` float32 [height, width, 3] RGB, whole numbers of 0 to 255; zeros where `valid`, bool [], is false."""

    values: tf.Tensor
    valid: tf.Tensor


class VariantsBatch(NamedTuple):
    """Images for training: zeros where `valid`, bool [N], is false.

    `pixels` uint8 [N, height, width, 3] RGB as they are served, `variants` uint8 [N, K, height, width, 3] by each
    resize kernel, `sizes` int32 [N, 2] height and width as stored in the file, before its EXIF orientation is applied.
    """

    pixels: tf.Tensor
    variants: tf.Tensor
    sizes: tf.Tensor
    valid: tf.Tensor


def decode_images(image_bytes: tf.Tensor, image_input: ImageInput) -> DecodedBatch:
    """Decode, apply EXIF orientation and resize a batch of encoded images, string [N], row by row.

    A row that is not an image, declares too many pixels, takes far more work than its pixels need or is broken becomes
    zeros and not valid; other rows are not affected. Never raises for any content, and decodes nothing too large.
    """

    def resize(_image: tf.Tensor, upright: tf.Tensor) -> list[tf.Tensor]:
        return [_resize(upright, image_input)]

    (pixels,), valid = _decode_each(image_bytes, image_input, resize, [_blank(image_input)])
    return DecodedBatch(pixels, valid)


def decode_one_image(image_bytes: tf.Tensor, image_input: ImageInput) -> DecodedImage:
    """Decode one encoded image, string [], to the same pixels as `decode_images`.

    Content that is not an image, or declares too many pixels, becomes zeros and not valid. Content that then cannot be
    decoded, a JPEG of too many pixels and an image that takes far more work than its pixels need fail with an
    InvalidArgument error: there are no other rows to protect, and protecting them costs as much as everything before
    the decoding.
    """

    def upright_jpeg() -> tuple[tf.Tensor, tf.Tensor]:
        image = decode_jpeg(image_bytes, image_input.max_pixels)
        if image_input.exif_orientation:
            orientation = jpeg_orientation(image_bytes)
            image = tf.cond(orientation > 1, lambda: _turn_upright(image, orientation), lambda: image)
        return _resized_values(image, image_input), tf.constant(value=True)

    def upright_other(kind: tf.Tensor) -> tf.Tensor:
        image = _decode_other(image_bytes, kind)
        if image_input.exif_orientation:
            image = _turn_upright(image, other_orientation(image_bytes, kind))
        return _resized_values(image, image_input)

    def decode_other() -> tuple[tf.Tensor, tf.Tensor]:
        headers = read_headers(tf.expand_dims(image_bytes, 0))
        kind, size = tf.squeeze(headers.kind, 0), tf.squeeze(headers.pixels, 0)
        decodable = (kind != NOT_A_IMAGE) & (size <= image_input.max_pixels)
        values = tf.cond(
            decodable,
            lambda: upright_other(kind),
            lambda: tf.zeros([image_input.height, image_input.width, 3]),
        )
        return values, decodable

    # most images are JPEGs, which need nothing from the other headers
    values, valid = tf.cond(is_jpeg(image_bytes), upright_jpeg, decode_other)
    return DecodedImage(tf.ensure_shape(values, [image_input.height, image_input.width, 3]), valid)


def decode_variants(image_bytes: tf.Tensor, image_input: ImageInput, kernels: Sequence[ResizeKernel]) -> VariantsBatch:
    """Decode training images, string [N], once each, and resize each by every one of K `kernels`.

    Also returns their sizes. Otherwise as `decode_images`, whose pixels are part of the result.
    """
    own = _own_kernel(image_input)

    def resize(image: tf.Tensor, upright: tf.Tensor) -> list[tf.Tensor]:
        resized = {kernel: _resize(upright, image_input, kernel) for kernel in dict.fromkeys((*kernels, own))}
        return [resized[own], tf.stack([resized[kernel] for kernel in kernels]), tf.shape(image)[:2]]

    blank = _blank(image_input)
    blanks = [blank, tf.stack([blank] * len(kernels)), tf.zeros([2], tf.int32)]
    (pixels, variants, sizes), valid = _decode_each(image_bytes, image_input, resize, blanks)
    return VariantsBatch(pixels, variants, sizes, valid)


class ImageDecoder:
    """Decodes for one `ImageInput`; traced once and then called many times.

    AutoGraph converts nothing: it would take as long as the tracing, and all branches are `tf.cond` already.

    With `kernels`, `decode_variants` returns each image once for each of them, else only as it is served.
    """

    def __init__(self, image_input: ImageInput, kernels: Sequence[ResizeKernel] = ()) -> None:
        self.image_input = image_input
        self.kernels = tuple(kernels) or (_own_kernel(image_input),)
        contents = [tf.TensorSpec([None], tf.string)]
        self._decode = tf.function(
            lambda image_bytes: decode_images(image_bytes, image_input), input_signature=contents, autograph=False
        )
        self._decode_variants = tf.function(
            lambda image_bytes: decode_variants(image_bytes, image_input, self.kernels),
            input_signature=contents,
            autograph=False,
        )

    def decode(self, contents: Sequence[bytes]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
        """Return pixels, uint8 [N, height, width, 3], and which of them are valid, bool [N]."""
        decoded = self._decode(tf.constant(contents, tf.string))
        return decoded.pixels.numpy(), decoded.valid.numpy()

    def decode_variants(self, contents: Sequence[bytes]) -> VariantsBatch:
        """Return the result of `decode_variants` for encoded images, as arrays."""
        decoded = self._decode_variants(tf.constant(contents, tf.string))
        return VariantsBatch(*(tensor.numpy() for tensor in decoded))


def scale_pixels(pixels: tf.Tensor, image_input: ImageInput) -> tf.Tensor:
    """Turn RGB pixels of 0 to 255, [N, H, W, 3], into the float32 values the network was trained on."""
    values = tf.cast(pixels, tf.float32)  # first: arithmetic on uint8 wraps around silently
    if image_input.channel_order == "bgr":
        values = values[..., ::-1]
    values = values * image_input.scale + image_input.offset
    return values - tf.constant(image_input.mean, tf.float32) if any(image_input.mean) else values


def _decode_each(
    image_bytes: tf.Tensor,
    image_input: ImageInput,
    resize: Callable[[tf.Tensor, tf.Tensor], list[tf.Tensor]],
    blanks: list[tf.Tensor],
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Apply `resize` to each image as decoded and as turned upright; rows that fail become `blanks`."""
    headers = read_headers(image_bytes)
    decodable = (headers.kind != NOT_A_IMAGE) & (headers.pixels <= image_input.max_pixels)

    def decode_row(row: tf.Tensor) -> list[tf.Tensor]:
        content, kind = image_bytes[row], headers.kind[row]
        image = _decode(content, kind, image_input.max_pixels)
        if not image_input.exif_orientation:
            return resize(image, image)
        return resize(image, _turn_upright(image, read_orientation(content, kind)))

    rows = tf.cast(tf.where(decodable)[:, 0], tf.int32)
    good_rows, decoded = _map_tolerantly(decode_row, rows, blanks)
    count = tf.shape(good_rows)[0]
    place = tf.fill([tf.shape(image_bytes)[0]], count)  # of each row's values in `decoded`; the blank is the last
    place = tf.tensor_scatter_nd_update(place, good_rows[:, None], tf.range(count))
    # gathered: scattering the pixels themselves takes five times as long
    return [tf.ensure_shape(tf.gather(values, place), [None, *values.shape[1:]]) for values in decoded], place < count


def _blank(image_input: ImageInput) -> tf.Tensor:
    return tf.zeros([image_input.height, image_input.width, 3], tf.uint8)


def _decode(content: tf.Tensor, kind: tf.Tensor, max_pixels: int) -> tf.Tensor:
    return tf.cond(kind == JPEG, lambda: decode_jpeg(content, max_pixels), lambda: _decode_other(content, kind))


def _decode_other(content: tf.Tensor, kind: tf.Tensor) -> tf.Tensor:
    def decode(channels: int) -> tf.Tensor:
        # channels=0 would abort the process on an animated WebP whose header says it is still
        image = tf.io.decode_image(content, channels=channels, expand_animations=False)[..., :3]
        return tf.ensure_shape(image, [None, None, 3])

    cheap = tf.cond(kind == PNG, lambda: has_little_data(content), lambda: tf.constant(value=True))
    with tf.control_dependencies([tf.raw_ops.Assert(condition=cheap, data=["too much data"])]):
        content = tf.identity(content)
    return tf.cond(kind == WEBP_WITH_ALPHA, lambda: decode(4), lambda: decode(3))


def _turn_upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Undo an EXIF orientation of 1 to 8: swap the axes from 5 on, then mirror each reversed axis."""
    # no branches: neither operation copies anything if there is nothing to do, and an untaken branch costs time
    axes = tf.where(orientation >= 5, [1, 0, 2], [0, 1, 2])
    backwards = tf.gather(tf.constant(_READ_BACKWARDS), orientation)
    strides = tf.where(backwards, -1, 1)
    turned = tf.strided_slice(
        tf.transpose(image, axes), [0, 0, 0], [0, 0, 0], strides, begin_mask=0b111, end_mask=0b111
    )
    return tf.ensure_shape(turned, [None, None, 3])


def _own_kernel(image_input: ImageInput) -> ResizeKernel:
    return "bilinear_antialias" if image_input.antialias else "bilinear"


def _resize(image: tf.Tensor, image_input: ImageInput, kernel: ResizeKernel | None = None) -> tf.Tensor:
    """Resize as images are served, or by another `kernel`, to uint8."""
    return tf.cast(_resized_values(image, image_input, kernel), tf.uint8)


def _resized_values(image: tf.Tensor, image_input: ImageInput, kernel: ResizeKernel | None = None) -> tf.Tensor:
    kernel = kernel or _own_kernel(image_input)
    size = [image_input.height, image_input.width]
    method = "area" if kernel == "area" else image_input.resize
    resized = tf.image.resize(image, size, method=method, antialias=kernel == "bilinear_antialias")
    return tf.round(resized)  # of 0 to 255: none of these kernels goes beyond the image's own values


def _map_tolerantly(
    decode_row: Callable[[tf.Tensor], list[tf.Tensor]], rows: tf.Tensor, blanks: list[tf.Tensor]
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Apply `decode_row` to each of `rows`, int32 [K]; return the rows that succeeded, and their results.

    One more result follows the last: `blanks`.

    `map_fn` would fail for the whole batch; a tf.data pipeline can drop a failing element, and also runs in a served
    graph. The blank row at the end keeps the result from being empty, which `get_single_element` refuses.
    """
    options = tf.data.Options()  # tuning and rewriting the pipeline at each call costs more than the decoding
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    options.experimental_warm_start = False
    decode = tf.autograph.experimental.do_not_convert(lambda row: (row, *decode_row(row)))
    blank = tf.data.Dataset.from_tensors((-1, *blanks))
    decoded = (
        tf.data.Dataset.from_tensor_slices(rows)
        .map(decode, num_parallel_calls=_PARALLEL_DECODES, deterministic=True)
        .ignore_errors(log_warning=False)
        .concatenate(blank)
        .batch(tf.cast(tf.shape(rows)[0] + 1, tf.int64))
        .with_options(options)
    )
    good_rows, *values = decoded.get_single_element()
    return good_rows[:-1], values
