"""TensorFlow Serving's status and metadata messages in protobuf's JSON format."""

from typing import Any

from google.protobuf.json_format import MessageToDict

from gateway.predict.model_signatures import SIGNATURES, read_definitions


def status_to_json(response: Any) -> dict[str, Any]:
    """Return the states of a model's versions, in the model server's order."""
    return {"model_version_status": [_to_dict(row) for row in response.model_version_status]}


def metadata_to_json(response: Any) -> dict[str, Any]:
    """Return the signatures of one version.

    Raises:
        ModelServerFailedError: the response has none.
    """
    definitions = read_definitions(response)
    spec = response.model_spec
    named = {"name": spec.name, "signature_name": spec.signature_name, "version": str(spec.version.value)}
    return {"model_spec": named, "metadata": {SIGNATURES: _to_dict(definitions)}}


def _to_dict(message: Any) -> dict[str, Any]:
    converted: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return converted
