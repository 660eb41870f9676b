"""Responses to requests without rows, which must not reach a model server: they may crash TensorFlow Serving."""

from collections.abc import Mapping
from typing import Any

from contract import serving_messages as messages
from gateway.backend.tensors import shape_of
from gateway.errors import BadTensorError
from gateway.predict.model_signatures import Signature, TensorSpec
from gateway.predict.tensor_check import check_shape


def has_no_rows(tensors: Mapping[str, Any]) -> bool:
    """Return whether the first dimension of an input is 0."""
    return any(shape_of(tensor)[:1] == (0,) for tensor in tensors.values())


def respond_without_rows(tensors: Mapping[str, Any], signature: Signature) -> dict[str, Any]:
    """Return the outputs for a request without rows: every output, with no rows.

    Raises:
        BadTensorError: an input does not have the signature's shape, or an output has no batch dimension.
    """
    for name, tensor in tensors.items():
        check_shape(name, shape_of(tensor), signature.inputs[name])
    return {name: _empty(name, spec) for name, spec in signature.outputs.items()}


def _empty(name: str, spec: TensorSpec) -> Any:
    shape = (-1,) if spec.shape is None else spec.shape
    if shape[:1] != (-1,):
        raise BadTensorError(f"The model does not support requests without rows: its output {name} has no batch size.")
    tensor = messages.TensorProto(dtype=spec.number)
    for size in shape:
        tensor.tensor_shape.dim.add(size=max(size, 0))
    return tensor
