"""Asking a published version about encoded images: one answer a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from contract.manifest import ModelManifest
from contract.signatures import DESCRIBE, SERVING_DEFAULT, SERVING_PIXELS
from contract.versions import MANIFEST
from exporter.saved_model.loading import LoadedVersion, Outputs, run_as_serving_loads
from exporter.saved_model.warmup import string_array

TOLERANCE = 1e-5
"""How far the answers to one image may be apart: sums of float32 depend on the size of the batch."""


@dataclass(frozen=True)
class Rows:
    """What `serving_default` says of N images."""

    probabilities: npt.NDArray[np.float32]
    labels: list[str]
    valid: list[bool]


def predict_rows(version: LoadedVersion, contents: Sequence[bytes]) -> Rows:
    """Ask a loaded version about encoded images, in one batch."""
    one_input = {SERVING_DEFAULT: ("image_bytes", string_array(list(contents)))}
    prediction = version.run(one_input)[SERVING_DEFAULT]
    return Rows(
        prediction["probabilities"], [label.decode() for label in prediction["label"]], prediction["valid"].tolist()
    )


def predict_each(version: LoadedVersion, contents: Sequence[bytes]) -> Rows:
    """Ask a loaded version about each of some encoded images by itself."""
    rows = [predict_rows(version, [content]) for content in contents]
    return Rows(
        np.concatenate([row.probabilities for row in rows]),
        [label for row in rows for label in row.labels],
        [valid for row in rows for valid in row.valid],
    )


def assert_same_predictions(seen: Rows, expected: Rows) -> None:
    """Compare row by row: the same images are valid, with the same labels and near enough probabilities."""
    assert (seen.valid, seen.labels) == (expected.valid, expected.labels)
    np.testing.assert_allclose(seen.probabilities, expected.probabilities, rtol=0, atol=TOLERANCE)


def refused(rows: Rows) -> Rows:
    """Return as many rows, all of them as a refused image is answered."""
    count = len(rows.valid)
    return Rows(np.zeros_like(rows.probabilities), [""] * count, [False] * count)


def mixed(good: Rows, is_bad: Sequence[bool]) -> Rows:
    """Return the rows of `good`, refused where `is_bad`."""
    no = refused(good)
    return Rows(
        np.where(np.array(is_bad)[:, None], no.probabilities, good.probabilities),
        ["" if bad else label for bad, label in zip(is_bad, good.labels, strict=True)],
        [not bad for bad in is_bad],
    )


Shapes = dict[str, dict[str, tuple[int, ...]]]
"""Of each signature's outputs."""


def predict_for_nothing(folder: Path) -> dict[str, Shapes]:
    """Ask each signature about no rows, loaded in both ways; return the shapes of what came, by way of loading.

    Call it in a fresh process, which has oneDNN's operations as our servers have.

    Raises:
        ValueError: TensorFlow failed; its own errors do not survive the way back from another process.
    """
    image_input = ModelManifest.read(folder / MANIFEST).image_input
    no_pixels = np.zeros((0, image_input.height, image_input.width, 3), np.uint8)
    inputs: dict[str, tuple[str, npt.NDArray[Any]]] = {
        SERVING_DEFAULT: ("image_bytes", string_array([])),
        SERVING_PIXELS: ("pixels", no_pixels),
        DESCRIBE: ("query", string_array([])),
    }
    try:
        by_python = LoadedVersion(folder).run(inputs)
    except tf.errors.OpError as error:
        raise ValueError(f"loaded by Python: {error.message}") from None
    as_serving_does = run_as_serving_loads(folder, inputs)
    return {"by Python": _shapes(by_python), "as TensorFlow Serving does": _shapes(as_serving_does)}


def _shapes(outputs: Outputs) -> Shapes:
    return {name: {key: value.shape for key, value in prediction.items()} for name, prediction in outputs.items()}
