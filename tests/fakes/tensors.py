"""Arrays as the messages that clients send."""

from typing import Any

from contract.serving_messages import TensorProto
from modelserver.model.tensors import Array, write_tensor


def to_tensor(array: Array) -> Any:
    """Return an array as a TensorProto with every element in the typed field."""
    tensor = TensorProto()
    write_tensor(array, tensor)
    return tensor
