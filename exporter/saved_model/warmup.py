"""Requests that a server replays before a version takes traffic.

The first call of a graph is slow (0.8 s against 15 ms in TensorFlow Serving). A record that does not fit keeps the
model from loading at all, so the export replays the file before it publishes.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from contract.serving_messages import PredictionLog, string_tensor
from contract.signatures import SERVING_DEFAULT
from trainer.runs.full_disk import full_disk_as_os_error

BATCH_SIZES = (1, 2, 4, 8)


def write_warmup(file: Path, model_name: str, image: bytes) -> None:
    """Write a record for each batch size, made of one image."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with full_disk_as_os_error(), tf.io.TFRecordWriter(str(file)) as writer:
        for size in BATCH_SIZES:
            writer.write(_record(model_name, [image] * size).SerializeToString(deterministic=True))


def read_warmup(file: Path) -> Iterator[tuple[str, str, npt.NDArray[np.object_]]]:
    """Read records back: the signature, the name of its input, and the images as an object array [N]."""
    for serialized in tf.compat.v1.io.tf_record_iterator(str(file)):
        request = PredictionLog.FromString(serialized).predict_log.request
        for key, tensor in request.inputs.items():
            yield request.model_spec.signature_name, key, string_array(list(tensor.string_val))


def string_array(values: list[bytes]) -> npt.NDArray[np.object_]:
    """Return `values` as an object array [N], the form in which TensorFlow takes strings of any bytes."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _record(model_name: str, images: list[bytes]) -> PredictionLog:
    log = PredictionLog()
    request = log.predict_log.request
    request.model_spec.name = model_name
    request.model_spec.signature_name = SERVING_DEFAULT
    request.inputs["image_bytes"].CopyFrom(string_tensor(images))
    return log
