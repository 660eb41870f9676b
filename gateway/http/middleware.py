"""What holds for every request, whatever its route.

An id, a deadline, a count and a time, a body of bounded size that arrives in bounded time, and an end when the caller
has left.
"""

import asyncio
import contextlib
import random
import re
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.deadline import Deadline
from gateway.errors import BadParameterError, BodyTooLargeError, BodyTooSlowError
from gateway.http.connection import BODY_ARRIVED, ON_CONNECTION_LOST, OUTPUT
from gateway.http.protocol_of_path import dialect_of
from gateway.http.response_output import AnswerOutput
from gateway.observability.observation import RECEIVE, Observation
from gateway.observability.observers import Observers
from gateway.settings import Settings

_SANE_ID = re.compile(rb"[!-~]{1,128}")
_MILLISECONDS = re.compile(rb"[0-9]{1,9}")
_LINGER_SECONDS = 30.0
_LINGER_IDLE_SECONDS = 2.0
_LINGER_BYTES = 128 * 1024 * 1024
_SMALL_BYTES = 1024 * 1024
_WANTED_HEADERS = frozenset(
    {
        b"content-length",
        b"expect",
        b"traceparent",
        b"tracestate",
        b"transfer-encoding",
        b"x-request-id",
        b"x-request-timeout-ms",
    }
)


class Exchanges:
    """ASGI middleware around everything else, except what answers exceptions that nobody foresaw.

    Routes find `request_id`, `deadline` and `dialect` in `request.state`, and may leave `model` and `outcome` there.
    """

    def __init__(self, app: ASGIApp, settings: Settings, observers: Observers) -> None:
        self._app = app
        self._settings = settings
        self._observers = observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back with the id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["dialect"] = dialect_of(scope["method"], scope["path"])
        started = time.perf_counter()
        exchange = _Exchange(scope, receive, send, self._settings, self._observers)
        try:
            await exchange.run(self._app)
        finally:
            self._observers.end(exchange.observation, scope, time.perf_counter() - started)


class _Exchange:
    """One request and its answer.

    An answer given before the body was read whole is followed by a lingering close: it is sent complete, then what
    still arrives is thrown away for a while. Closing at once with unread data makes the kernel send a reset, which
    destroys the answer before the caller has read it. A small body of known length is left to the server instead,
    which throws it away and keeps the connection: to connect anew would cost both sides more.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, settings: Settings, observers: Observers) -> None:
        headers = {name: value for name, value in scope["headers"] if name in _WANTED_HEADERS}
        self._scope = scope
        self._state = scope["state"]
        self._receive_raw = receive
        self._send_raw = send
        self._output: AnswerOutput | None = scope["state"].get(OUTPUT)  # the second port's connections have none
        self._settings = settings
        self._max_bytes = settings.max_body_bytes
        self._declared = int(headers.get(b"content-length", 0))  # the server refused anything but digits
        self._complete = self._declared == 0 and b"transfer-encoding" not in headers
        self._is_small = 0 < self._declared <= _SMALL_BYTES and b"expect" not in headers
        self._received = 0
        self._received_whole = False
        self._body_until = 0.0
        self._wanted = headers.get(b"x-request-timeout-ms")
        self._started = time.monotonic()
        self._task: asyncio.Task[object] | None = None
        self._gone = False
        self._state["request_id"] = _request_id(headers.get(b"x-request-id"))
        self.observation: Observation = observers.begin(
            self._state["request_id"], scope["method"], headers.get(b"traceparent"), headers.get(b"tracestate")
        )
        self._state["deadline"] = self._deadline()  # again once the body is there; but not every route reads it

    async def run(self, app: ASGIApp) -> None:
        """Run the application; nobody is answered who has left."""
        try:
            await app(self._scope, self._receive, self._send)
        except asyncio.CancelledError:
            if not self._gone or self._task is None:
                raise
            self._task.uncancel()
            self._state["outcome"] = "client_gone"
        finally:
            self._state[ON_CONNECTION_LOST] = None

    def _deadline(self) -> Deadline:
        """Return ours, counted from now, or the caller's, counted from the head of the request."""
        at = time.monotonic() + self._settings.request_timeout_seconds
        if self._wanted is None or not _MILLISECONDS.fullmatch(self._wanted):
            return Deadline(at)
        wanted = self._started + int(self._wanted) / 1000
        return Deadline(wanted, own=False) if wanted < at else Deadline(at)

    async def _receive(self) -> Message:
        if self._wanted is not None and not _MILLISECONDS.fullmatch(self._wanted):
            seen = self._wanted[:50].decode("latin-1")
            raise BadParameterError(f"X-Request-Timeout-Ms cannot be {seen!r}; send whole milliseconds.")
        if self._declared > self._max_bytes:
            raise BodyTooLargeError(f"The body has {self._declared} bytes; at most {self._max_bytes} are accepted.")
        # nothing is to be waited for where all of it is there already, and a timer costs 15 microseconds
        is_there = BODY_ARRIVED in self._state and not self._complete
        message = await (self._receive_next() if is_there else self._receive_in_time())
        if self._received > self._max_bytes:
            raise BodyTooLargeError(f"The body has more than the {self._max_bytes} bytes that are accepted.")
        if self._complete:
            self._state["deadline"] = self._deadline()
            self._task = asyncio.current_task()
            self._state[ON_CONNECTION_LOST] = self._end_early
        return message

    async def _receive_in_time(self) -> Message:
        if not self._body_until:
            self._body_until = time.monotonic() + self._settings.body_timeout_seconds
        try:
            async with asyncio.timeout(self._body_until - time.monotonic()):
                return await self._receive_next()
        except TimeoutError:
            self._is_small = False  # the server would wait for the rest of it
            raise BodyTooSlowError(
                f"The body did not arrive within {self._settings.body_timeout_seconds:g} seconds; "
                f"{self._received} bytes of it did."
            ) from None

    async def _receive_next(self) -> Message:
        message = await self._receive_raw()
        self._received += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)  # so it is when the caller disconnected
        self.observation.bytes_in = self._received
        if self._complete and not self._received_whole and message["type"] == "http.request" and self._received:
            self._received_whole = True
            self.observation.add_stage(RECEIVE, time.monotonic() - self._started)
        return message

    def _end_early(self) -> None:
        """Cancel the request when its caller leaves before the answer: nobody would read it."""
        if self._task is not None and self._state.get("outcome") is None:
            self._gone = True
            self._task.cancel()

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begin_answer(message)
            if self._output is not None:
                self._output.hold()
            await self._send_raw(message)
            return
        self.observation.bytes_out += len(message.get("body", b""))
        is_early = not self._complete and not self._is_small and not message.get("more_body", False)
        await self._send_raw({**message, "more_body": True} if is_early else message)
        if self._output is not None:
            self._output.release()
        if is_early:
            await self._linger()
            await self._send_raw({"type": "http.response.body", "body": b""})

    def _begin_answer(self, message: Message) -> None:
        self._state.setdefault("outcome", "ok")
        self.observation.status = message["status"]
        own = [(b"x-request-id", self._state["request_id"].encode("ascii"))]
        if not (self._complete or self._is_small) or self._scope["app"].state.stopping:
            own.append((b"connection", b"close"))
        message["headers"] = [*message["headers"], *own]

    async def _linger(self) -> None:
        limit = self._received + _LINGER_BYTES
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while not self._complete and self._received < limit:
                    await asyncio.wait_for(self._receive_next(), _LINGER_IDLE_SECONDS)


def _request_id(given: bytes | None) -> str:
    """Return the caller's id if it is sane, else a new one."""
    if given is not None and _SANE_ID.fullmatch(given):
        return given.decode("ascii")
    return f"{random.getrandbits(128):032x}"  # no secret, and the system's own randomness is a call of the system
