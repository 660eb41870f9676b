"""The Open Inference Protocol, version 2, over HTTP, with its binary tensor extension, for any model.

Beyond the protocol: the parameter `signature_name` of an inference request, and the query parameter of the same name
where metadata is asked for, choose a signature of the model; without it that is `serving_default`.
"""

import re
from importlib.metadata import version as version_of
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from contract.serving_messages import PredictRequest
from gateway.backend.datatypes import name_of
from gateway.backend.model_client import PREDICT, fill_spec, output_of
from gateway.errors import BadParameterError, ModelServerFailedError, NotReadyError, UnsupportedContentTypeError
from gateway.http.bodies import read_whole
from gateway.http.routing import TemplateRoute
from gateway.open_inference.inputs import read_inputs
from gateway.open_inference.outputs import write_output
from gateway.open_inference.requests import LENGTH_HEADER, Question, read_question, wanted_outputs
from gateway.predict.model_signatures import ModelSignatures, Signature, TensorSpec
from gateway.predict.prediction import ask
from gateway.predict.services import Services

_VERSION = re.compile(r"[0-9]{1,19}")
_MAX_VERSION = 2**63 - 1
_SHOWN_CHARACTERS = 50


def open_inference_routes(signatures: ModelSignatures) -> list[TemplateRoute]:
    """Return the routes under `/v2`; they find `services` and `deadline` in the request's state.

    `open_inference_paths` describes them.
    """
    endpoints = _ModelEndpoints(signatures)
    of_models = [
        TemplateRoute(f"{prefix}{path}", endpoint, methods=[method])
        for path, endpoint, method in (
            ("/infer", endpoints.infer, "POST"),
            ("/ready", is_model_ready, "GET"),
            ("", endpoints.show_model, "GET"),
        )
        for prefix in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}")
    ]
    return [
        *of_models,
        TemplateRoute("/v2", show_server),
        TemplateRoute("/v2/health/live", is_server_live),
        TemplateRoute("/v2/health/ready", is_server_ready),
    ]


async def show_server(_: Request) -> Response:
    """Name the server and its extensions."""
    return _json({"name": "graft", "version": version_of("graft-serving"), "extensions": ["binary_tensor_data"]})


async def is_server_live(_: Request) -> Response:
    """Say that the gateway answers."""
    return _json({"live": True})


async def is_server_ready(request: Request) -> Response:
    """Say whether every model can be asked.

    Raises:
        NotReadyError: one cannot, or the gateway is stopping.
    """
    _refuse_if_stopping(request)
    services: Services = request.state.services
    missing = [state.name for state in services.versions.states if not state.available]
    if missing:
        raise NotReadyError(f"No version of the model {', '.join(missing)} is available.")
    return _json({"ready": True})


async def is_model_ready(request: Request) -> Response:
    """Say whether the model, or the version of it, can be asked.

    Raises:
        NotReadyError: it cannot, or the gateway is stopping.
    """
    _refuse_if_stopping(request)
    services: Services = request.state.services
    model, version = _asked_for(request)
    state = services.versions.state(model)
    if not state.available:
        raise NotReadyError(f"No version of the model {model} is available.")
    if version is not None and version not in state.available:
        raise NotReadyError(f"Version {version} of the model {model} is not available.")
    return _json({"name": model, "ready": True})


def _refuse_if_stopping(request: Request) -> None:
    if request.app.state.stopping:
        raise NotReadyError("The gateway is stopping.")


class _ModelEndpoints:
    """What needs to know the models' signatures."""

    def __init__(self, signatures: ModelSignatures) -> None:
        self._signatures = signatures

    async def show_model(self, request: Request) -> Response:
        """Name the model's versions, and the inputs and outputs of one signature."""
        services: Services = request.state.services
        model, version = _asked_for(request)
        name = request.query_params.get("signature_name", "")
        signature = await self._signatures.signature(model, version, name, services, request.state.deadline)
        versions = services.versions.state(model).available or (signature.version,)
        return _json(
            {
                "name": model,
                "versions": [str(number) for number in versions],
                "platform": "tensorflow_savedmodel",
                "inputs": [_tensor_metadata(key, spec) for key, spec in signature.inputs.items()],
                "outputs": [_tensor_metadata(key, spec) for key, spec in signature.outputs.items()],
                "parameters": {"signature_name": signature.name},
            }
        )

    async def infer(self, request: Request) -> Response:
        """Answer an inference request."""
        services: Services = request.state.services
        model, version = _asked_for(request)
        services.versions.state(model)  # no body is read for a model that is not there
        services.admission.check_room()
        question = await _read_question(request)
        deadline = request.state.deadline
        name = question.parameters.signature_name
        signature = await self._signatures.signature(model, version, name, services, deadline)
        message = PredictRequest(
            inputs=read_inputs(question.inputs, question.binary, signature),
            output_filter=wanted_outputs(question, signature),
        )
        fill_spec(message.model_spec, model, version, signature=signature.name)
        response = await ask(PREDICT, message, services, deadline)
        _check_types(response, signature)
        return _answer(question, response)


async def _read_question(request: Request) -> Question:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedContentTypeError(
            f"A body compressed with {encoding[:_SHOWN_CHARACTERS]!r} is not accepted; send it as it is."
        )
    services: Services = request.state.services
    return read_question(await read_whole(request), request.headers.get(LENGTH_HEADER), services.settings)


def _asked_for(request: Request) -> tuple[str, int | None]:
    """Return the model and the version that the path names, None being the latest."""
    model: str = request.path_params["model"]
    request.state.model = model
    text: str | None = request.path_params.get("version")
    if text is None:
        return model, None
    if not _VERSION.fullmatch(text) or int(text) > _MAX_VERSION:
        raise BadParameterError(f"A version is a whole number up to {_MAX_VERSION}, not {text[:_SHOWN_CHARACTERS]!r}.")
    return model, int(text)


def _tensor_metadata(name: str, spec: TensorSpec) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": name, "datatype": name_of(spec.dtype), "shape": spec.shape or ()}
    if spec.shape is None:
        shown["parameters"] = {"any_shape": True}
    return shown


def _check_types(response: Any, signature: Signature) -> None:
    """Refuse an answer whose types are not those the version declared; a version that came in between may differ."""
    if response.model_spec.version.value != signature.version:
        return
    for name, tensor in response.outputs.items():
        if name not in signature.outputs or tensor.dtype != signature.outputs[name].number:
            raise ModelServerFailedError(f"The model server's answer does not have the output {name} as declared.")


def _answer(question: Question, response: Any) -> Response:
    """Return what the model server said, in the order asked for, else by name."""
    spec = response.model_spec
    asked = question.outputs or [None for _ in response.outputs]
    names = [output.name for output in question.outputs] or sorted(response.outputs)
    written = [
        write_output(name, output_of(response, name), binary=question.wants_binary(output))
        for name, output in zip(names, asked, strict=True)
    ]
    content: dict[str, Any] = {"model_name": spec.name, "model_version": str(spec.version.value)}
    if question.id is not None:
        content["id"] = question.id
    content["outputs"] = [described for described, _ in written]
    head = to_json(content)
    if not any("parameters" in described for described, _ in written):
        return Response(head, media_type="application/json")
    body = b"".join((head, *(raw for _, raw in written)))
    return Response(body, headers={LENGTH_HEADER: str(len(head))}, media_type="application/octet-stream")


def _json(content: dict[str, Any]) -> Response:
    return Response(to_json(content), media_type="application/json")
