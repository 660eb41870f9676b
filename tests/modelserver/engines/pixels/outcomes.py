"""What becomes of an encoded image: by the served graph, and without TensorFlow."""

from collections import Counter
from collections.abc import Callable, Mapping
from types import SimpleNamespace

import numpy as np
import tensorflow as tf

from contract.image_cost.check import why_costly
from contract.image_input import ImageInput
from contract.signatures import PIXELS_OF_IMAGE
from exporter.saved_model.signatures import ServingSignatures
from modelserver.engines.pixels.decoder import PixelDecoder
from modelserver.engines.pixels.errors import BrokenImageError, UnprovedImageError

Outcome = str | tuple[bytes, float]
"""Pixels and brightness, or in a word why there are none."""

NOTHING, BROKEN = "not an image", "broken"
UNPROVED = "unproved: "

Decode = Callable[[bytes], Outcome]


def by_the_graph(image_input: ImageInput) -> Decode:
    """Return what the signature `pixels_of_image` makes of an image that is not too costly."""
    signatures = ServingSignatures(
        lambda pixels: tf.zeros([tf.shape(pixels)[0], 2]),
        ("one", "other"),
        image_input,
        SimpleNamespace(asset_path=tf.constant("labels.txt")),
    )
    run = signatures.concrete()[PIXELS_OF_IMAGE]

    def decode(content: bytes) -> Outcome:
        try:
            decoded = run(tf.constant(b"" if why_costly(content) else content))
        except tf.errors.InvalidArgumentError:
            return BROKEN
        if not decoded["valid"].numpy():
            return NOTHING
        return decoded["pixels"].numpy().tobytes(), float(decoded["brightness"].numpy())

    return decode


def without_tensorflow(image_input: ImageInput) -> Decode:
    """Return what `PixelDecoder` makes of an image that is not too costly."""
    decoder = PixelDecoder(image_input)

    def decode(content: bytes) -> Outcome:
        try:
            decoded = decoder.decode(b"" if why_costly(content) else content)
        except BrokenImageError:
            return BROKEN
        except UnprovedImageError as error:
            return f"{UNPROVED}{error}"
        return NOTHING if decoded is None else (decoded.pixels.tobytes(), float(decoded.brightness))

    return decode


def differences(graph: Decode, own: Decode, contents: Mapping[str, bytes]) -> dict[str, str]:
    """Return in words what differs, by the image's name; what is left to the graph cannot differ."""
    found = {}
    for name, content in contents.items():
        mine = own(content)
        if isinstance(mine, str) and mine.startswith(UNPROVED):
            continue
        if mine != (its := graph(content)):
            found[name] = f"{_in_words(mine, its)} without TensorFlow, {_in_words(its, mine)} by the graph"
    return found


def kinds_of(own: Decode, contents: Mapping[str, bytes]) -> Counter[str]:
    """Count what became of the images without TensorFlow."""
    outcomes = map(own, contents.values())
    return Counter(outcome if isinstance(outcome, str) else "decoded" for outcome in outcomes)


def _in_words(outcome: Outcome, other: Outcome) -> str:
    if isinstance(outcome, str):
        return outcome
    if isinstance(other, str):
        return "decoded"
    mine, its = (np.frombuffer(each[0], np.uint8).astype(int) for each in (outcome, other))
    return f"decoded, {np.abs(mine - its).max()} levels off, brightness {outcome[1]}"
