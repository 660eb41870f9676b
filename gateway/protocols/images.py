"""The native dialect: pictures in, as a raw body or as files of a form, and labels out as JSON."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from gateway.error_table import row_for
from gateway.errors import UnsupportedContentTypeError
from gateway.metrics import Metrics
from gateway.prediction import Answer, Picture, Prediction, Question, Refusal, predict
from gateway.protocols.forms import read_files
from gateway.protocols.problems import problem_response
from gateway.settings import Settings

_MAX_VERSION = 2**63 - 1

_Model = Annotated[str | None, Query()]
_Version = Annotated[int | None, Query(ge=1, le=_MAX_VERSION)]
_TopK = Annotated[int, Query(ge=1)]


def image_routes(settings: Settings, metrics: Metrics) -> APIRouter:
    """Return `POST /v1/predict`; it finds `versions` and `client` in the application's lifespan state."""
    router = APIRouter()

    @router.post("/v1/predict")
    async def predict_pictures(
        request: Request, model: _Model = None, version: _Version = None, top_k: _TopK = 5
    ) -> Response:
        question = Question(model or settings.models[0], version, top_k)
        request.state.model = question.model
        pictures = await _read_pictures(request, settings.max_pictures)
        answer = await predict(pictures, question, request.state.versions, request.state.client)
        _count(answer, metrics)
        only = answer.entries[0]
        if len(answer.entries) == 1 and isinstance(only, Refusal):
            return problem_response(request, only.reason)
        return JSONResponse(_to_json(answer, request.state.request_id))

    return router


async def _read_pictures(request: Request, max_pictures: int) -> list[Picture]:
    content_type = request.headers.get("content-type", "application/octet-stream")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await read_files(content_type, request.stream(), max_pictures)
    if kind.startswith("image/") or kind == "application/octet-stream":
        return [Picture(await request.body())]
    raise UnsupportedContentTypeError(
        f"A body of type {kind[:100]!r} is not accepted; send a picture as image/* or application/octet-stream, or "
        "several as multipart/form-data."
    )


def _count(answer: Answer, metrics: Metrics) -> None:
    for entry in answer.entries:
        outcome = row_for(entry.reason).code if isinstance(entry, Refusal) else "ok"
        metrics.count_picture(answer.model, outcome)


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
