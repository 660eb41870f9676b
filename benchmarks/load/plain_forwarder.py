"""The simplest possible gateway, for comparison: `python -m benchmarks.load.plain_forwarder HOST:PORT`.

One FastAPI route that passes a body on to the model server and its response back: no guard, labels, metrics or limits.
Prints its port.
"""

import contextlib
import socket
import sys
from collections.abc import AsyncGenerator
from typing import Any

import grpc.aio
import uvicorn
from fastapi import FastAPI, Request, Response

from contract import serving_messages as messages


def create_app(model_server: str) -> FastAPI:
    """Return the application."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[dict[str, Any]]:
        async with grpc.aio.insecure_channel(model_server) as channel:
            predict = channel.unary_unary(
                f"/{messages.PREDICTION_SERVICE}/Predict",
                messages.PredictRequest.SerializeToString,
                messages.PredictResponse.FromString,
            )
            yield {"predict": predict}

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/predict")
    async def forward(request: Request) -> Response:
        message = messages.PredictRequest(model_spec={"name": "flowers"})
        message.inputs["image_bytes"].CopyFrom(messages.string_tensor([await request.body()]))
        response = await request.state.predict(message, timeout=10)
        return Response(response.SerializeToString())

    return app


def main() -> None:
    """Serve until killed."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(create_app(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_config=None)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
