"""The native dialect: pictures in, as a raw body, files of a form or JSON, and labels out as JSON."""

from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import UnsupportedContentTypeError
from gateway.http.bodies import read_whole
from gateway.http.error_table import row_for
from gateway.http.forms import read_files
from gateway.http.json_bodies import read_json
from gateway.http.problems import problem_response
from gateway.http.routing import TemplateRoute
from gateway.native.json_images import read_pictures
from gateway.native.parameters import read_label, read_top_k, read_version
from gateway.observability.metrics import Metrics
from gateway.observability.observation import observed
from gateway.predict.prediction import Answer, Picture, Prediction, Question, Refusal, UnreadablePicture, predict
from gateway.predict.services import Services
from gateway.settings import Settings
from gateway.tensorflow.routes import refuse_misplaced_question


def image_routes() -> list[TemplateRoute]:
    """Return `POST /v1/predict` and the same of one model.

    Plain routes: FastAPI's would look for parameters to convert, at a third of the cost of a whole request.
    """
    return [
        TemplateRoute("/v1/predict", predict_pictures, methods=["POST"]),
        TemplateRoute("/v1/models/{model}/predict", predict_pictures, methods=["POST"]),
    ]


async def predict_pictures(request: Request) -> Response:
    """Answer one request about pictures."""
    state = request.scope["state"]  # not `request.state`, whose attributes cost more than their use
    services: Services = state["services"]
    question = _read_question(request, services.settings)
    state["model"] = question.model
    services.admission.check_room()
    pictures = await _read_pictures(request, services.settings)
    if (observation := observed()) is not None:
        observation.pictures = len(pictures)
    answer = await predict(pictures, question, services, state["deadline"])
    _count(answer, services.metrics)
    only = answer.entries[0]
    if len(answer.entries) == 1 and isinstance(only, Refusal):
        return problem_response(request, only.reason)
    return Response(to_json(_to_json(answer, state["request_id"])), media_type="application/json")


def _read_question(request: Request, settings: Settings) -> Question:
    given = request.query_params if request.scope["query_string"] else {}
    named = request.path_params.get("model") or given.get("model")
    return Question(named or settings.models[0], read_version(given), read_label(given), read_top_k(given))


async def _read_pictures(request: Request, settings: Settings) -> list[Picture | UnreadablePicture]:
    content_type = request.headers.get("content-type", "application/octet-stream")
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("image/") or kind == "application/octet-stream":
        return [Picture(await read_whole(request))]
    if kind == "multipart/form-data":
        return [*await read_files(content_type, request.stream(), settings.max_pictures)]
    if kind == "application/json":
        content = read_json(await read_whole(request), settings)
        refuse_misplaced_question(request, content)
        return read_pictures(content, settings.max_pictures)
    raise UnsupportedContentTypeError(
        f"A body of type {kind[:100]!r} is not accepted; send a picture as image/* or application/octet-stream, or "
        "several as multipart/form-data or application/json."
    )


def _count(answer: Answer, metrics: Metrics) -> None:
    for entry in answer.entries:
        outcome = row_for(entry.reason).code if isinstance(entry, Refusal) else "ok"
        metrics.pictures.count(answer.model, outcome)
        if outcome != "ok" and len(answer.entries) > 1:  # an only picture's refusal is that of the request
            metrics.requests.count_refusal(outcome)


def _to_json(answer: Answer, request_id: str) -> dict[str, Any]:
    return {
        "model": answer.model,
        "version": str(answer.version),  # an int64, more than a JavaScript number holds
        "digest": answer.digest,
        "request_id": request_id,
        "predictions": [_entry_to_json(entry) for entry in answer.entries],
    }


def _entry_to_json(entry: Prediction | Refusal) -> dict[str, Any]:
    if isinstance(entry, Refusal):
        reason = {"code": row_for(entry.reason).code, "detail": str(entry.reason), "name": entry.name}
        return {"error": reason}
    top = [{"label": likely.label, "probability": likely.probability} for likely in entry.top]
    return {**top[0], "top": top}
