"""Converting a published version's graph to TFLite files."""

import gc
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.lite.python.convert_phase import ConverterError

from contract.process.native_stderr import discarded_native_stderr
from contract.signatures import SERVING_PIXELS
from contract.storage.unwritable import naming_folder
from exporter.errors import ConversionError
from exporter.tflite.float16 import halve_weights
from exporter.tflite.graph import INPUT, OUTPUT, PixelGraph, Pixels
from exporter.tflite.interpreter import LiteModel
from exporter.tflite.metadata import Description, with_metadata
from exporter.tflite.packing import add_signature, name_tensors, pack, take_bytes, unpack
from exporter.tflite.records import Quantization, Variant
from trainer.runs.full_disk import full_disk_as_os_error

RAW_PIXELS = Quantization(scale=1.0, zero_point=0)
"""The input quantization of a full integer file to which an app may hand pixels as they are."""

_FROM_FLOATS = {"int8", "int16x8"}
"""Quantized all through, for which ranges of activations are needed; a conversion from uint8 is no such operation."""

_UNSUPPORTED = (  # how the converter names operations that TFLite has no kernel for
    re.compile(r"(?:TF Select|Flex|Custom) ops: ([\w., ]+)"),
    re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op"),
)


def convert(graph: PixelGraph, variant: Variant, representatives: Pixels, description: Description) -> bytes:
    """Return the TFLite file of a variant, with metadata: uint8 [1, H, W, 3] RGB to probabilities [1, C].

    `representatives`, uint8 [K, H, W, 3], decide the ranges of quantized activations. Weights are quantized by channel,
    which is the converter's own choice. The same bytes each time.

    Raises:
        ConversionError: an operation is not among TFLite's own, or an input would not take pixels as they are.
    """
    content = _convert(graph, variant, representatives)
    model = unpack(content)
    name_tensors(model, INPUT, OUTPUT)
    if variant == "float16":
        halve_weights(model)
    if variant == "int16x8":  # made from floats, since integers of 16 bits have no conversion from uint8
        take_bytes(model)
    content = with_metadata(pack(model), description)
    _check_input(LiteModel(content), variant)
    return content


def convert_network(version: Path) -> bytes:
    """Return the float32 file of a version for a server: uint8 [1, H, W, 3] RGB to probabilities [1, C], no metadata.

    Its one signature is `serving_pixels`. Writes nothing to any disk; the same bytes each time.

    Raises:
        ConversionError: an operation is not among TFLite's own.
    """
    with discarded_native_stderr():
        try:
            function = PixelGraph(version).for_one_image(from_floats=False).get_concrete_function()
            gc.collect()  # graphs refer to themselves: without this the weights lie in memory several times more
            content = _convert_in_memory(function)
        except (ConverterError, RuntimeError, ValueError) as error:
            raise _told(error, "float32") from error
    model = unpack(content)
    name_tensors(model, INPUT, OUTPUT)
    add_signature(model, SERVING_PIXELS)
    content = pack(model)
    _check_input(LiteModel(content), "float32")
    return content


def spanning_all_values(images: Pixels) -> Pixels:
    """Return representative images of which one has both a 0 and a 255.

    The smallest and the largest value that the converter sees become the ends of the input's range. Where training
    images do not reach black and white, two values of the first image are moved there: its darkest and its
    brightest. That makes the range right and leaves what the network makes of the image as it is, while a black and a
    white image would stretch the ranges of all that lies behind.
    """
    if images.min() == 0 and images.max() == 255:
        return images
    changed = images.copy()
    first = changed[0].reshape(-1)
    darkest, brightest = int(first.argmin()), int(first.size - 1 - first[::-1].argmax())
    first[darkest], first[brightest] = 0, 255
    return changed


def _convert(graph: PixelGraph, variant: Variant, representatives: Pixels) -> bytes:
    function = graph.for_one_image(from_floats=variant in _FROM_FLOATS)
    with tempfile.TemporaryDirectory(prefix="graft-tflite-") as folder, discarded_native_stderr():
        root = tf.Module()
        root.prediction = function
        with naming_folder(Path(folder).parent), full_disk_as_os_error():
            tf.saved_model.save(root, folder, signatures={SERVING_PIXELS: function.get_concrete_function()})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SERVING_PIXELS])
        _SET_UP[variant](converter)
        if variant in _FROM_FLOATS:
            converter.representative_dataset = _samples(representatives)
        try:
            content: bytes = converter.convert()
        except (ConverterError, RuntimeError, ValueError) as error:
            raise _told(error, variant) from error
    return content


def _convert_in_memory(function: Any) -> bytes:
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
    converter.experimental_lower_to_saved_model = False  # which would be written where temporary files lie
    _builtins_only(converter)
    content: bytes = converter.convert()
    return content


def _float32(converter: Any) -> None:
    _builtins_only(converter)


def _dynamic(converter: Any) -> None:
    _builtins_only(converter)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def _int8(converter: Any) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.allow_custom_ops = False
    converter.inference_input_type = converter.inference_output_type = tf.uint8


def _int16x8(converter: Any) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
    converter.allow_custom_ops = False


def _builtins_only(converter: Any) -> None:
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    converter.allow_custom_ops = False


_SET_UP: dict[Variant, Callable[[Any], None]] = {
    "float32": _float32,
    "float16": _float32,  # halved afterwards
    "dynamic": _dynamic,
    "int8": _int8,
    "int16x8": _int16x8,
}


def _samples(images: Pixels) -> Callable[[], Iterator[list[Any]]]:
    return lambda: ([image[None].astype(np.float32)] for image in images)


def _told(error: Exception, variant: Variant) -> ConversionError:
    for pattern in _UNSUPPORTED:
        if found := pattern.search(str(error)):
            return ConversionError(
                f"The network has operations that TFLite does not ({found[1].strip()}), so that it cannot become "
                f"{variant}; train a network without them."
            )
    first = str(error).strip().split("\n", maxsplit=1)[0]
    return ConversionError(f"TensorFlow cannot convert the network to {variant}: {first.rstrip('.')}.")


def _check_input(model: LiteModel, variant: Variant) -> None:
    """Refuse what an app could not hand pixels to: MediaPipe runs a file of unknown size on one pixel."""
    seen = model.input
    if seen.dtype != "uint8" or -1 in seen.shape or seen.shape[0] != 1:
        raise ConversionError(
            f"The {variant} file would take {seen.dtype} {list(seen.shape)}, not one uint8 image of a known size; "
            "export the run again."
        )
    if variant == "int8" and seen.quantization != RAW_PIXELS:
        raise ConversionError(
            f"The {variant} file would take pixels with quantization {seen.quantization}, not as they are "
            f"({RAW_PIXELS}); representative images must span 0 to 255."
        )
