"""What small fakes of a model server share: a port, a loop, and three methods on TensorFlow Serving's wire."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio

from contract import serving_messages as messages
from modelserver.errors import BadInputError
from tests.fakes.loop_thread import LoopThread


class RejectionError(Exception):
    """A call ends with this status and these details."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code


class ServedMethods:
    """Listens from `start` to `stop`; a fake gives the answers to Predict, GetModelMetadata and GetModelStatus.

    `calls` counts what it was asked, by method, and questions to the signature `describe` under that name.
    """

    def __init__(self) -> None:
        self.port = 0
        self.calls: Counter[str] = Counter()
        self._loop = LoopThread()
        self._server: Any = None

    @property
    def address(self) -> str:
        """HOST:PORT of the gRPC API."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen on any free port."""
        self._loop.run(self._listen())

    def stop(self) -> None:
        """End at once."""
        self._loop.run(self._server.stop(None))
        self._loop.close()

    def respond_predict(self, request: Any) -> Any:
        """Return the answer to a PredictRequest."""
        raise NotImplementedError

    def respond_metadata(self, request: Any) -> Any:
        """Return the answer to a GetModelMetadataRequest."""
        raise NotImplementedError

    def respond_status(self, request: Any) -> Any:
        """Return the answer to a GetModelStatusRequest."""
        raise NotImplementedError

    async def _listen(self) -> None:
        self._server = grpc.aio.server()
        prediction = {
            "Predict": (self.respond_predict, messages.PredictRequest),
            "GetModelMetadata": (self.respond_metadata, messages.GetModelMetadataRequest),
        }
        status = {"GetModelStatus": (self.respond_status, messages.GetModelStatusRequest)}
        for service, methods in ((messages.PREDICTION_SERVICE, prediction), (messages.MODEL_SERVICE, status)):
            handlers = {name: self._handler(name, *method) for name, method in methods.items()}
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()

    def _handler(self, name: str, reply: Callable[[Any], Any], request: Any) -> Any:
        async def handle(message: Any, context: Any) -> Any:
            described = message.model_spec.signature_name == "describe"
            self.calls["describe" if described else name] += 1
            try:
                return reply(message)
            except BadInputError as error:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            except RejectionError as error:
                await context.abort(error.code, str(error))

        return grpc.unary_unary_rpc_method_handler(
            handle, request.FromString, lambda response: response.SerializeToString()
        )
