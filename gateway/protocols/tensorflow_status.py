"""What is served, as JSON: TensorFlow Serving's status and metadata messages in protobuf's JSON form."""

from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError

from contract import serving_messages as messages
from gateway.errors import ModelServerFailedError

SIGNATURES = "signature_def"


def status_to_json(response: Any) -> dict[str, Any]:
    """Return the states of a model's versions, in the model server's order."""
    return {"model_version_status": [_to_dict(row) for row in response.model_version_status]}


def metadata_to_json(response: Any) -> dict[str, Any]:
    """Return the signatures of one version.

    Raises:
        ModelServerFailedError: the answer holds none.
    """
    definitions = messages.SignatureDefMap()
    try:
        understood = response.metadata[SIGNATURES].Unpack(definitions)
    except DecodeError:
        understood = False
    if not understood:
        raise ModelServerFailedError("The model server does not tell what the model takes.")
    spec = response.model_spec
    named = {"name": spec.name, "signature_name": spec.signature_name, "version": str(spec.version.value)}
    return {"model_spec": named, "metadata": {SIGNATURES: _to_dict(definitions)}}


def _to_dict(message: Any) -> dict[str, Any]:
    converted: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return converted
