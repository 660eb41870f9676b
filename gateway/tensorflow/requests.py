"""Handles requests of TensorFlow Serving's REST API: from a target and a body to JSON."""

import json
from typing import Any

from contract import serving_messages as messages
from gateway.backend.model_client import CLASSIFY, METADATA, REGRESS, STATUS, fill_spec
from gateway.errors import (
    BadTensorError,
    ModelError,
    RequestRejectedError,
    UnknownSignatureError,
    UnsupportedError,
)
from gateway.http.json_bodies import off_loop
from gateway.predict.calls import call_model_server
from gateway.predict.image_guard import refuse_costly_images
from gateway.predict.model_signatures import SIGNATURES, ModelSignatures, Signature
from gateway.predict.request_context import RequestContext
from gateway.predict.row_limit import refuse_many_rows
from gateway.predict.services import Services
from gateway.predict.tensor_check import predict_tensors
from gateway.tensorflow.empty_requests import has_no_rows, respond_without_rows
from gateway.tensorflow.error_bodies import unknown_signature
from gateway.tensorflow.examples import read_examples
from gateway.tensorflow.inputs import is_row_format, read_inputs, read_instances, refuse_texts_as_images, rows_of
from gateway.tensorflow.json_values import read_document, show
from gateway.tensorflow.outputs import write_classes, write_outputs, write_predictions, write_values
from gateway.tensorflow.paths import Target
from gateway.tensorflow.status import metadata_to_json, status_to_json
from gateway.tensorflow.versions import WantedVersions

_Document = dict[str, Any]

# another version might accept the request: the expected one may just have been replaced
_PERHAPS_ANOTHER_VERSION = (BadTensorError, UnsupportedError, UnknownSignatureError, RequestRejectedError, ModelError)


class TensorFlowRequests:
    """A handler for each verb, which may raise GatewayErrors. Belongs to one event loop."""

    def __init__(self, signatures: ModelSignatures) -> None:
        self._signatures = signatures
        self._versions = WantedVersions()

    async def predict(self, target: Target, body: bytes, context: RequestContext) -> bytes:
        """Handle a predict request; retry once if a new version with other inputs was loaded meanwhile."""
        document = await off_loop(len(body), read_document, body, context.services.settings)
        name = _signature_name(document)
        version, looked_again = await self._versions.current(target, context), False
        while True:
            try:
                signature = await self._signatures.signature(target.model, version, name, context)
                return await self._predict(target, signature, document, len(body), context)
            except _PERHAPS_ANOTHER_VERSION as error:
                newer = None if looked_again else await self._versions.look_again(target, version, context)
                if newer is None and isinstance(error, UnknownSignatureError):
                    raise unknown_signature(name) from error
                if newer is None:
                    raise
                version, looked_again = newer, True

    async def classify(self, target: Target, body: bytes, context: RequestContext) -> bytes:
        """Handle a classify request."""
        request = await off_loop(
            len(body), _examples_request, messages.ClassificationRequest(), target, body, context.services
        )
        response = await call_model_server(CLASSIFY, request, context)
        return await off_loop(response.ByteSize(), write_classes, response.result)

    async def regress(self, target: Target, body: bytes, context: RequestContext) -> bytes:
        """Handle a regress request."""
        request = await off_loop(
            len(body), _examples_request, messages.RegressionRequest(), target, body, context.services
        )
        response = await call_model_server(REGRESS, request, context)
        return await off_loop(response.ByteSize(), write_values, response.result)

    async def status(self, target: Target, _: bytes, context: RequestContext) -> bytes:
        """Return the states of a model's versions; a label is ignored, as by TensorFlow Serving."""
        context.services.versions.state(target.model)
        request = messages.GetModelStatusRequest()
        fill_spec(request.model_spec, target.model, target.version)
        return _dump(status_to_json(await call_model_server(STATUS, request, context)))

    async def metadata(self, target: Target, _: bytes, context: RequestContext) -> bytes:
        """Return the signatures of one version."""
        context.services.versions.state(target.model)
        request = messages.GetModelMetadataRequest(metadata_field=[SIGNATURES])
        fill_spec(request.model_spec, target.model, target.version, target.label)
        return _dump(metadata_to_json(await call_model_server(METADATA, request, context)))

    async def _predict(
        self, target: Target, signature: Signature, document: _Document, size: int, context: RequestContext
    ) -> bytes:
        name = _signature_name(document)
        if not signature.inputs:
            raise BadTensorError(f"Failed to get input map for signature: {name or 'DEFAULT'}")
        in_rows = is_row_format(document)
        read = read_instances if in_rows else read_inputs
        given = document["instances" if in_rows else "inputs"]
        rows = dict.fromkeys(signature.inputs, len(given)) if in_rows else rows_of(given, signature.inputs)
        refuse_many_rows(rows, signature.inputs, context.services.settings.max_images)
        refuse_texts_as_images(given, signature)
        tensors = await off_loop(size, read, given, signature.inputs)
        await off_loop(size, refuse_costly_images, tensors, context.services.settings.max_request_pixels)
        if has_no_rows(tensors):
            return write_outputs(respond_without_rows(tensors, signature))
        request = messages.PredictRequest(inputs=tensors)
        fill_spec(request.model_spec, target.model, target.version, target.label, name)
        response = await predict_tensors(request, signature, context)
        self._versions.learn(target, response.model_spec.version.value)
        write = write_predictions if in_rows else write_outputs
        return await off_loop(response.ByteSize(), write, response.outputs)


def _examples_request(request: Any, target: Target, body: bytes, services: Services) -> Any:
    """Fill a classify or regress request."""
    document = read_document(body, services.settings)
    fill_spec(request.model_spec, target.model, target.version, target.label, _signature_name(document))
    read_examples(document, request, services.settings.max_images)
    services.versions.state(target.model)
    return request


def _signature_name(document: _Document) -> str:
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise BadTensorError(
            f"JSON Value: {show(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    try:
        name.encode()
    except UnicodeEncodeError:  # the messages to the model server hold UTF-8
        raise BadTensorError(f"The value of 'signature_name' is not text in UTF-8: {name[:50]!r}.") from None
    return name


def _dump(content: _Document) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()
