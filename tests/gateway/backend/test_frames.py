"""From an HTTP route to the call of the model server it is a short way."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, CoroutineType
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

import gateway
from gateway.http.routing import PlainRoute
from tests.fakes.model_server import FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.images import draw
from tests.gateway.waiting import wait_until, wait_until_ready

MOST_FRAMES = 6
OWN = Path(gateway.__file__).parent
ROUTES = ("native/", "tensorflow/", "open_inference/")
CALL = "backend/model_client.py call"

INPUT = {"name": "image_bytes", "datatype": "BYTES", "shape": [1], "data": ["/9j/"]}
INSTANCES = {"instances": [{"b64": "AAAA"}]}
EXAMPLES = {"examples": [{"image_bytes": {"b64": "AAAA"}}]}
REQUESTS: dict[str, tuple[str, str, str, Any]] = {
    "native predict": ("Predict", "POST", "/v1/predict", draw()),
    "native predict of one model": ("Predict", "POST", "/v1/models/flowers/predict", draw()),
    "native predict of a version that is new": ("describe", "POST", "/v1/predict?version=2", draw()),
    "native card of a version that is new": ("describe", "GET", "/v1/models/flowers/card?version=2", None),
    "native drift of a version that is new": ("describe", "GET", "/v1/models/flowers/drift?version=2", None),
    "tensorflow predict": ("Predict", "POST", "/v1/models/flowers:predict", INSTANCES),
    "tensorflow predict, signatures": ("GetModelMetadata", "POST", "/v1/models/flowers:predict", INSTANCES),
    "tensorflow predict, label": ("GetModelMetadata", "POST", "/v1/models/flowers/labels/a:predict", INSTANCES),
    "tensorflow status": ("GetModelStatus", "GET", "/v1/models/flowers", None),
    "tensorflow metadata": ("GetModelMetadata", "GET", "/v1/models/flowers/metadata", None),
    "open inference infer": ("Predict", "POST", "/v2/models/flowers/infer", {"inputs": [INPUT]}),
    "open inference infer, signatures": ("GetModelMetadata", "POST", "/v2/models/flowers/infer", {"inputs": [INPUT]}),
    "open inference metadata": ("GetModelMetadata", "GET", "/v2/models/flowers", None),
}
"""What is called at the model server, and the HTTP request that calls it."""


def add_stacks(app: FastAPI) -> None:
    """Add a path that shows the gateway's own frames of each task that waits for the model server."""

    async def show_stacks(_: Request) -> Response:
        stacks = [list(own_frames(task.get_coro())) for task in asyncio.all_tasks()]
        return JSONResponse([stack for stack in stacks if CALL in stack])

    app.router.routes.insert(0, PlainRoute("/stacks", show_stacks))


def own_frames(awaited: object) -> Iterator[str]:
    """Return the frames of what a task awaits that are the gateway's own, the outermost first."""
    while isinstance(awaited, CoroutineType):
        code: CodeType = awaited.cr_code
        path = Path(code.co_filename)
        if path.is_relative_to(OWN):
            yield f"{path.relative_to(OWN).as_posix()} {code.co_name}"
        awaited = awaited.cr_await


def stack_during(name: str, client: httpx.Client, model_server: FakeModelServer) -> list[str]:
    """Return the gateway's own frames while the model server is called for a request of `REQUESTS`."""
    method, verb, path, body = REQUESTS[name]
    sent = {"content": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
    found: list[list[str]] = []

    def has_arrived() -> bool:
        found[:] = client.get("/stacks").json()
        return bool(found)

    with model_server.holding(method):
        sending = threading.Thread(target=client.request, args=(verb, path), kwargs=sent)
        sending.start()
        wait_until(has_arrived)
        model_server.release(method)
        sending.join()
    [stack] = found
    return stack


@pytest.mark.parametrize("name", REQUESTS)
def test_few_frames_lie_between_a_route_and_the_call(
    start_gateway: StartGateway, model_server: FakeModelServer, name: str
) -> None:
    """From the route's function to the call there are at most six functions of ours, both included."""
    client = start_gateway(add_stacks, poll_interval_seconds=3600)
    wait_until_ready(client)
    model_server.publish("flowers", 2)
    stack = stack_during(name, client, model_server)
    route = next(number for number, frame in enumerate(stack) if frame.startswith(ROUTES))
    assert stack[-1] == CALL
    assert len(stack[route:]) <= MOST_FRAMES, stack


def test_a_prediction_has_six_frames_in_all(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """With the middleware and what calls the route, a native prediction has no more than six functions of ours."""
    client = start_gateway(add_stacks, poll_interval_seconds=3600)
    wait_until_ready(client)
    assert stack_during("native predict", client, model_server) == [
        "http/middleware.py __call__",
        "http/routing.py handle",
        "native/images.py predict_images",
        "predict/prediction.py predict",
        "predict/calls.py call_model_server",
        CALL,
    ]
