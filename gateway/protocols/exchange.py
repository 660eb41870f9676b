"""What holds for every request, whatever its route: an id, a count and a time, and a body of bounded size."""

import asyncio
import contextlib
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import BodyTooLargeError
from gateway.metrics import Metrics

_SANE_ID = re.compile(r"[!-~]{1,128}")
_LINGER_SECONDS = 30.0
_LINGER_IDLE_SECONDS = 2.0
_LINGER_BYTES = 128 * 1024 * 1024


class CountedRequests:
    """ASGI middleware: gives each request an id, returns it as `X-Request-ID`, counts and times the request.

    Routes find the id in `request.state.request_id` and may leave `model` and `outcome` there.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back with the id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = _request_id(Headers(scope=scope))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-ID"] = state["request_id"]
                state.setdefault("outcome", "ok")
            await send(message)

        started = time.perf_counter()
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            outcome = state.get("outcome", "internal_error")
            self._metrics.count_request(route, state.get("model"), outcome, time.perf_counter() - started)


class BoundedBodies:
    """ASGI middleware: reading a body of more than `max_bytes` raises BodyTooLargeError.

    By its declared length at once, otherwise when that many bytes were counted.

    An answer given before the body was read whole is followed by a lingering close: it is sent complete, then what
    still arrives is thrown away for a while. Closing at once with unread data makes the kernel send a reset, which
    destroys the answer before the caller has read it.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with a watch on its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(Headers(scope=scope), receive, send, self._max_bytes)
        await self._app(scope, body.receive, body.send)


class _Body:
    def __init__(self, headers: Headers, receive: Receive, send: Send, max_bytes: int) -> None:
        self._receive = receive
        self._send = send
        self._max_bytes = max_bytes
        self._declared = int(headers.get("content-length", 0))  # the server refused anything but digits
        self._complete = self._declared == 0 and "transfer-encoding" not in headers
        self._received = 0

    async def receive(self) -> Message:
        if self._declared > self._max_bytes:
            raise BodyTooLargeError(f"The body has {self._declared} bytes; at most {self._max_bytes} are accepted.")
        message = await self._receive_next()
        if self._received > self._max_bytes:
            raise BodyTooLargeError(f"The body has more than the {self._max_bytes} bytes that are accepted.")
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self._complete:
            MutableHeaders(scope=message)["Connection"] = "close"
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if is_last and not self._complete:
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def _linger(self) -> None:
        limit = self._received + _LINGER_BYTES
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while not self._complete and self._received < limit:
                    await asyncio.wait_for(self._receive_next(), _LINGER_IDLE_SECONDS)

    async def _receive_next(self) -> Message:
        message = await self._receive()
        self._received += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)  # so it is when the caller disconnected
        return message


def _request_id(headers: Headers) -> str:
    """Return the caller's own id if it is short and printable, else a new one."""
    given = headers.get("x-request-id", "")
    return given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex
