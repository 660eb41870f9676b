"""Checks tensors against a model's signature before they are sent; the one check of all protocols.

A model server that batches runs the tensors of several callers as one, so a tensor that does not fit would fail the
requests of the others too. TensorFlow Serving itself does not check ranks and fixed dimensions.
"""

from collections.abc import Mapping
from typing import Any

from contract import serving_messages as messages
from contract.manifest import ModelManifest
from gateway.backend.model_client import PREDICT
from gateway.backend.tensors import shape_of
from gateway.errors import BadTensorError
from gateway.predict.calls import call_model_server
from gateway.predict.model_signatures import Signature, TensorSpec
from gateway.predict.request_context import RequestContext

Shape = tuple[int, ...]

_STRING, _OTHER = messages.DataType["DT_STRING"].number, 0  # encoded images are strings, so no other type fits them

_SHOWN_CHARACTERS = 50
_SHOWN_SIZES = 20
_MAX_RANK = 254  # TensorFlow's own limit


async def predict_tensors(message: Any, signature: Signature, context: RequestContext) -> Any:
    """Return the model server's response to a PredictRequest with these inputs, which must fit the signature.

    Raises:
        BadTensorError: they do not, and the model server was not called.
        GatewayError: the call failed.
    """
    check_tensors(message.inputs, signature)
    return await call_model_server(PREDICT, message, context)


def check_tensors(tensors: Mapping[str, Any], signature: Signature) -> None:
    """Check the inputs of a predict request, TensorProto messages by name.

    Raises:
        BadTensorError: one is missing, unknown, of another type or shape than the signature declares, or has no rows;
            or their numbers of rows differ.
    """
    rows: dict[str, int] = {}
    for name, tensor in tensors.items():
        spec, shape = spec_of(name, signature), shape_of(tensor)
        if tensor.dtype != spec.number:
            raise BadTensorError(f"The input {short(name)} has another type than the model expects ({spec.dtype}).")
        check_shape(name, shape, spec)
        if shape[:1] == (0,):  # crashes TensorFlow Serving if `allowed_batch_sizes` is set
            raise BadTensorError(f"The input {short(name)} has no rows; send at least one.")
        if spec.shape and spec.shape[0] == -1:
            rows[name] = shape[0]
    if len(set(rows.values()) - {1}) > 1:  # one row may be meant for all
        counts = ", ".join(f"{short(name)} {count}" for name, count in rows.items())
        raise BadTensorError(f"All inputs must have the same number of rows, not {counts}.")
    missing = [name for name in signature.inputs if name not in tensors and name not in signature.optional]
    if missing:
        raise BadTensorError(f"The request lacks the input {', '.join(missing)}.")


def declared_signature(manifest: ModelManifest, name: str) -> Signature | None:
    """Return the inputs of a signature as a version's manifest declares them; None if it does not."""
    declared = manifest.signatures.get(name)
    if declared is None:
        return None
    inputs = {
        key: TensorSpec(
            tensor.dtype.upper(),
            _STRING if tensor.dtype == "string" else _OTHER,
            tuple(-1 if size is None else size for size in tensor.shape),
        )
        for key, tensor in declared.inputs.items()
    }
    return Signature(manifest.version, name, inputs, {})


def spec_of(name: str, signature: Signature) -> TensorSpec:
    """Return what the signature declares for an input.

    Raises:
        BadTensorError: it has no such input.
    """
    if name not in signature.inputs:
        raise BadTensorError(f"The model has no input {short(name)}; it has: {', '.join(signature.inputs)}.")
    return signature.inputs[name]


def check_shape(name: str, shape: Shape, spec: TensorSpec) -> None:
    """Check the rank and the fixed dimensions of one input.

    Raises:
        BadTensorError: one differs.
    """
    if len(shape) > _MAX_RANK:  # the first words are TensorFlow Serving's
        raise BadTensorError(f"tensor parsing error: the input {short(name)} has more than {_MAX_RANK} dimensions.")
    wanted = spec.shape
    if wanted is None:
        return
    if len(shape) != len(wanted) or any(free not in {-1, size} for size, free in zip(shape, wanted, strict=True)):
        raise BadTensorError(  # the first two words are those of TensorFlow's operations
            f"Incompatible shapes: the input {short(name)} has the shape {list(shape[:_SHOWN_SIZES])}; the model "
            f"expects {list(wanted)}."
        )


def short(name: str) -> str:
    """Return a name as it appears in messages: its beginning."""
    return name[:_SHOWN_CHARACTERS]
