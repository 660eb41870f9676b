"""TensorFlow Serving's REST API: predict, classify, regress, status and metadata, by version and by label.

An existing client only changes its address: the real server's recorded answers say what is answered to what. Pictures
pass no guard here but the graph's own, since any model may be asked.
"""

import re
from typing import Any

from fastapi import Request, Response

from gateway.errors import BadParameterError, GatewayError
from gateway.http.connection import RAW_TARGET
from gateway.http.json_bodies import check_length
from gateway.http.routing import TemplateRoute
from gateway.predict.model_signatures import ModelSignatures
from gateway.predict.services import Services
from gateway.tensorflow import paths
from gateway.tensorflow.bodies import read_body
from gateway.tensorflow.error_bodies import malformed, reworded
from gateway.tensorflow.requests import TensorFlowQuestions

_PATH = "/v1/models/{target:path}"
_ANY_CASE = re.compile(r"(?i:/v1/models)/(?P<target>.*)", re.DOTALL)
_BAD_REQUEST = """<HTML><HEAD>
<TITLE>400 Bad Request</TITLE>
</HEAD><BODY>
<H1>Bad Request</H1>
</BODY></HTML>
"""
_JSON = "application/json"


def tensorflow_routes(signatures: ModelSignatures) -> list[TemplateRoute]:
    """Return the routes under `/v1/models/`, for all methods; what they do not know is a malformed request.

    They find `services` and `deadline` in the request's state. Routes of the same prefix have to stand before them.
    """
    questions = TensorFlowQuestions(signatures)

    async def answer(request: Request) -> Response:
        return await _answer(request, questions)

    route = TemplateRoute(_PATH, answer, include_in_schema=False)
    route.path_regex = _ANY_CASE
    route.methods = None  # Route's own way of saying all is open to classes only
    return [route]


def refuse_misplaced_question(request: Request, content: Any) -> None:
    """Refuse, as the real server does, a predict request of this API that came by the native path.

    `content` is the JSON body of `POST /v1/models/{model}/predict`.

    Raises:
        MalformedTargetError: it has `instances` or `inputs` and no `images`; answered in this API's shape.
    """
    if isinstance(content, dict) and "images" not in content and content.keys() & {"instances", "inputs"}:
        request.state.dialect = "tensorflow"
        raise malformed(request.method, _raw_target(request))


async def _answer(request: Request, questions: TensorFlowQuestions) -> Response:
    if request.method == "OPTIONS":  # the real server's HTTP library refuses these by itself
        return Response(status_code=400, headers={"content-type": "text/html; charset=ISO-8859-1"})
    raw_target = _raw_target(request)
    if paths.has_broken_escape(raw_target):
        return Response(_BAD_REQUEST, 400, {"content-type": "text/html"})
    try:
        target = paths.read_target(request.method, raw_target)
    except BadParameterError:  # the real server says no more about a version of too many digits
        return Response(status_code=400, media_type=_JSON)
    request.state.model = target.model
    services: Services = request.state.services
    body = await _read_body(request, services) if request.method == "POST" else b""
    try:
        answer = await getattr(questions, target.verb)(target, body, services, request.state.deadline)
    except GatewayError as error:
        other = reworded(error, target)
        if other is error:
            raise
        raise other from error
    return Response(answer, media_type=_JSON)


async def _read_body(request: Request, services: Services) -> bytes:
    services.admission.check_room()
    body = await read_body(request, services.settings.max_body_bytes)
    check_length(len(body), services.settings.max_json_bytes)
    return body


def _raw_target(request: Request) -> str:
    """Return the target as it stands in the request line, its `?` and `#` included."""
    raw: bytes = request.scope["state"][RAW_TARGET]
    return raw.decode("latin-1")
