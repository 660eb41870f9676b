"""What the fake model says: a function of the bytes alone, so that each image's answer can be recognised."""

import hashlib
import re
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from contract import serving_messages as messages
from contract.image_input import ImageInput
from contract.manifest import BaseWeights, ModelManifest
from tests.fakes.orders import Orders

LABELS = ("daisy", "roses", "tulips")

_BRIGHTNESS = re.compile(rb"BRIGHTNESS:([0-9.]+)")
_INPUTS = {"serving_default": "image_bytes", "describe": "query", "heatmap": "image_bytes"}
_HEATMAP = (0.0, 0.25, 1.0, 0.5)
_OUTPUTS: dict[str, dict[str, tuple[str, tuple[int, ...]]]] = {
    "serving_default": {
        "probabilities": ("DT_FLOAT", (-1,)),
        "label": ("DT_STRING", ()),
        "valid": ("DT_BOOL", ()),
        "brightness": ("DT_FLOAT", ()),
    },
    "describe": {"manifest": ("DT_STRING", ())},
    "heatmap": {"heatmap": ("DT_FLOAT", (2, 2))},
}


def probabilities_for(image: bytes, classes: int) -> list[float]:
    """Return what the fake says about an image: `classes` float32 values that sum up to about 1."""
    weights = [1.0 + byte**2 for byte in hashlib.sha256(image).digest()[:classes]]
    return [struct.unpack("<f", struct.pack("<f", weight / sum(weights)))[0] for weight in weights]


def label_for(image: bytes, labels: tuple[str, ...] = LABELS) -> str:
    """Return the likeliest label of an image."""
    probabilities = probabilities_for(image, len(labels))
    return labels[probabilities.index(max(probabilities))]


def brightness_for(image: bytes) -> float:
    """Return what a marker BRIGHTNESS:NUMBER in an image says, else 0.5 and a little, another little for each."""
    told = _BRIGHTNESS.search(image)
    return float(told[1]) if told else 0.45 + hashlib.sha256(image).digest()[-1] / 2560


def manifest_for(model: str, version: int, labels: tuple[str, ...] = LABELS, **image_input: Any) -> ModelManifest:
    """Return a manifest; its digest is that of model, version and labels."""
    identity = hashlib.sha256(repr((model, version, labels)).encode()).hexdigest()
    return ModelManifest(
        name=model,
        version=version,
        created=datetime(2025, 1, 1, tzinfo=UTC),
        labels=labels,
        image_input=ImageInput(height=32, width=32, **image_input),
        signatures={},
        architecture="mobilenet_v2",
        base_weights=BaseWeights(source="none", digest=None),
        dataset_digest="sha256:0",
        code_version="0",
        training_configuration={},
        metrics={},
        run="run",
        digest=f"sha256:{identity}",
    )


def output_tensors(
    orders: Orders, rows: list[list[float]], valid: list[bool], names: list[str], brightness: list[float], *, raw: bool
) -> dict[str, Any]:
    """Return the outputs of `serving_default` for N rows of C probabilities, misshapen as the orders say.

    Numbers stand in `tensor_content` if `raw`, else in the typed fields.
    """
    if b"FEWER_ROWS" in orders.words:
        rows, valid, names = rows[:-1], valid[:-1], names[:-1]
    if b"ROW_WITHOUT" in orders.words:
        rows = rows[:-1]
    if b"MORE_ROWS" in orders.words:
        rows, valid, names = [*rows, rows[-1]], [*valid, valid[-1]], [*names, names[-1]]
    if b"WRONG_CLASSES" in orders.words:
        rows = [[*row, 0.0] for row in rows]
    if b"NAN" in orders.words:
        rows[0][0] = float("nan")
    values, shape = [value for row in rows for value in row], (len(rows), len(rows[0]) if rows else len(LABELS))
    make = _double_tensor if b"WRONG_DTYPE" in orders.words else _float_tensor
    tensors = {
        "probabilities": make(values, shape, raw),
        "valid": _bool_tensor(valid, raw),
        "label": messages.string_tensor([name.encode() for name in names]),
        "brightness": _float_tensor(brightness, (len(brightness),), raw),
        "padding": messages.string_tensor([bytes(orders.padding)]),
    }
    unwanted = {orders.without, "" if orders.padding else "padding"}
    return {name: tensor for name, tensor in tensors.items() if name not in unwanted}


def heatmap_outputs(images: Sequence[bytes]) -> dict[str, Any]:
    """Return the outputs of `heatmap`: the same 2 x 2 values for each image, coldest and hottest included."""
    return {"heatmap": _float_tensor(_HEATMAP * len(images), (len(images), 2, 2), raw=False)}


def signature_definitions(*, describes: bool, heatmap: bool = False) -> Any:
    """Return the SignatureDefMap of the fake's model, with `describe` and `heatmap` or without."""
    definitions = messages.SignatureDefMap()
    for name in ("serving_default", *(("describe",) if describes else ()), *(("heatmap",) if heatmap else ())):
        signature = definitions.signature_def[name]
        signature.method_name = "tensorflow/serving/predict"
        wanted = _INPUTS[name]
        _describe_tensor(signature.inputs[wanted], f"{name}_{wanted}:0", "DT_STRING", ())
        for number, (key, (dtype, inner)) in enumerate(_OUTPUTS[name].items()):
            _describe_tensor(signature.outputs[key], f"StatefulPartitionedCall:{number}", dtype, inner)
    return definitions


def _float_tensor(values: Sequence[float], shape: tuple[int, ...], raw: bool) -> Any:
    tensor = _empty("DT_FLOAT", shape)
    if raw:
        tensor.tensor_content = struct.pack(f"<{len(values)}f", *values)
    else:
        tensor.float_val.extend(values)
    return tensor


def _double_tensor(values: Sequence[float], shape: tuple[int, ...], raw: bool) -> Any:
    tensor = _empty("DT_DOUBLE", shape)
    if raw:
        tensor.tensor_content = struct.pack(f"<{len(values)}d", *values)
    else:
        tensor.double_val.extend(values)
    return tensor


def _bool_tensor(values: Sequence[bool], raw: bool) -> Any:
    tensor = _empty("DT_BOOL", (len(values),))
    if raw:
        tensor.tensor_content = bytes(values)
    else:
        tensor.bool_val.extend(values)
    return tensor


def _empty(dtype: str, shape: tuple[int, ...]) -> Any:
    tensor = messages.TensorProto(dtype=messages.DataType[dtype].number)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


def _describe_tensor(information: Any, name: str, dtype: str, inner: tuple[int, ...]) -> None:
    information.name = name
    information.dtype = messages.DataType[dtype].number
    for size in (-1, *inner):
        information.tensor_shape.dim.add(size=size)
