"""One call of a method: from the bytes of its request to its response or a status."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import DecodeError

from modelserver.errors import QueueFullError, ServingError, StoppingError
from modelserver.grpc.field_limits import check_fields
from modelserver.status_codes import STATUS_OF

if TYPE_CHECKING:
    from modelserver.tracing.call_spans import CallTracing

# Details are sent percent-encoded in a trailer, and clients reject trailers over 8 KB: a longer text would turn
# INVALID_ARGUMENT into RESOURCE_EXHAUSTED on their side.
_MAX_DETAILS = 2000

_SMALL_BYTES = 2**16
_INLINE_BYTES = 2**17
"""So much is counted and parsed in a few milliseconds at most; a thread takes 0.1."""

request_bytes: ContextVar[int] = ContextVar("request_bytes", default=0)
"""Of the call that runs: a message would have to be serialized to say how large it is."""


class UnaryCalls:
    """The calls in flight of one server, whose requests have `most_bytes` together; all belong to one event loop.

    `tracing` is None where it is off.
    """

    def __init__(self, most_bytes: int, tracing: "CallTracing | None" = None) -> None:
        self._most_bytes = most_bytes
        self._tracing = tracing
        self._bytes = 0
        self._running: set[asyncio.Task[Any]] = set()
        self._ended: set[asyncio.Task[Any]] = set()

    def end(self) -> None:
        """Answer all that are in flight with UNAVAILABLE, and stop what is computed for them."""
        for task in self._running:
            self._ended.add(task)
            task.cancel()

    def handler(
        self, method: Callable[[Any], Awaitable[Any]], request_class: Any, response_class: Any, traced_as: str = ""
    ) -> "grpc.RpcMethodHandler[Any, Any]":
        """Return a gRPC handler that calls `method` and turns our errors into status codes.

        Calls have a span `traced_as`; without it, none, for what is asked every few seconds. `method` is cancelled when
        the caller leaves, or its deadline passes.
        """

        async def behaviour(request: bytes, context: "grpc.aio.ServicerContext[Any, Any]") -> Any:
            try:
                request_bytes.set(len(request))
                with self._span(traced_as, context), self._room_for(len(request)):
                    return await self._counted(method, await _parsed(request, request_class))
            except DecodeError:  # left to gRPC, this would be UNKNOWN with the name of a Python class
                await context.abort(grpc.StatusCode.INTERNAL, "The request is not a message of this method.")
            except ServingError as error:
                await context.abort(STATUS_OF[type(error)], str(error)[:_MAX_DETAILS])

        return grpc.unary_unary_rpc_method_handler(
            behaviour,
            response_serializer=response_class.SerializeToString,
        )

    def _span(
        self, name: str, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> contextlib.AbstractContextManager[None]:
        if self._tracing is None or not name:
            return contextlib.nullcontext()
        return self._tracing.call(name, context.invocation_metadata() or (), context.time_remaining)

    @contextlib.contextmanager
    def _room_for(self, size: int) -> Iterator[None]:
        """Count the bytes of a request while it is in flight; a lone one always has room, and so has a small one."""
        if size > _SMALL_BYTES and self._bytes and self._bytes + size > self._most_bytes:
            raise QueueFullError(
                f"The requests in flight have {self._bytes} bytes, and {size} more would be above {self._most_bytes}; "
                "send this one again later."
            )
        self._bytes += size
        try:
            yield
        finally:
            self._bytes -= size

    async def _counted(self, method: Callable[[Any], Awaitable[Any]], request: Any) -> Any:
        task = asyncio.current_task()
        assert task is not None  # a coroutine of gRPC runs in one
        self._running.add(task)
        try:
            return await method(request)
        except asyncio.CancelledError:
            if task not in self._ended:
                raise
            raise StoppingError(
                "The model server is stopping and did not finish this request; send it again."
            ) from None
        finally:
            self._running.discard(task)
            self._ended.discard(task)


async def _parsed(request: bytes, request_class: Any) -> Any:
    """Return the message, parsed in a thread if it is long: counting 65,536 fields takes 80 ms.

    Raises:
        BadInputError: it would take much more memory than its bytes do.
        DecodeError: it is not a message of this class.
    """

    def parse() -> Any:
        check_fields(request, request_class)
        return request_class.FromString(request)

    return parse() if len(request) <= _INLINE_BYTES else await asyncio.to_thread(parse)
