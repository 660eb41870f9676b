"""Middleware for every request, whatever its route.

It rejects a request with a bad head, gives it its id and deadline, observes it, limits the size of its body, the time
the body may take and the memory of all bodies, and cancels the request when its caller disconnects.
"""

import asyncio
import contextlib
import random
import re
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.admission.held_bytes import HeldBytes
from gateway.deadline import Deadline
from gateway.errors import BadParameterError, BodyTooLargeError, BodyTooSlowError, NotReadyError
from gateway.http.connection import take_received
from gateway.http.problems import respond_to_error
from gateway.http.protocol_of_path import protocol_of
from gateway.http.wire.body_cost import BodyCost
from gateway.http.wire.heads import problem_of
from gateway.observability.observation import RECEIVE
from gateway.observability.observers import Observers
from gateway.predict.request_context import RequestContext
from gateway.settings import Settings

_SANE_ID = re.compile(rb"[!-~]{1,128}")
_MILLISECONDS = re.compile(rb"[0-9]{1,9}")
_LINGER_SECONDS = 30.0
_LINGER_IDLE_SECONDS = 2.0
_LINGER_BYTES = 128 * 1024 * 1024
_SMALL_BYTES = 1024 * 1024
_FIRST_CHUNKED_BYTES = 256 * 1024
_WANTED_HEADERS = frozenset(
    {
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"inference-header-content-length",
        b"traceparent",
        b"tracestate",
        b"transfer-encoding",
        b"x-request-id",
        b"x-request-timeout-ms",
    }
)


class RequestMiddleware:
    """The outermost ASGI middleware, except for Starlette's handler of unexpected exceptions.

    Creates the `RequestContext` of each request; other code gets it with `context_of`.
    """

    def __init__(self, app: ASGIApp, settings: Settings, observers: Observers) -> None:
        self._app = app
        self._settings = settings
        self._observers = observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and send its response; no response is sent to a caller that has disconnected."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        handler = _RequestHandler(scope, receive, send, self._settings, self._observers)
        problem = problem_of(scope)
        app = self._app if problem is None else respond_to_error(scope, problem)
        try:
            await app(scope, handler.receive, handler.send)
        except asyncio.CancelledError:
            if not handler.was_ended_early() and not await handler.respond_as_stopping():
                raise
        finally:
            handler.close()
            self._observers.end(handler.context, scope, time.perf_counter() - started)


class _RequestHandler:
    """One request and its response.

    A response sent before the whole body was read is followed by a lingering close: what still arrives is discarded for
    a while. Closing at once with unread data makes the kernel send a reset, which can destroy the response before the
    caller has read it. A small body of known length is left to the server instead, which discards it and keeps the
    connection: a new connection would cost both sides more.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, settings: Settings, observers: Observers) -> None:
        headers = {name: value for name, value in scope["headers"] if name in _WANTED_HEADERS}
        protocol = protocol_of(scope["method"], scope["path"])
        self._scope = scope
        self._receive_raw = receive
        self._send_raw = send
        self._connection = take_received(scope)
        self._settings = settings
        self._max_bytes = settings.max_body_bytes
        self._declared = int(headers.get(b"content-length", 0))  # the server rejects anything but digits
        self._complete = self._declared == 0 and b"transfer-encoding" not in headers
        self._is_small = 0 < self._declared <= _SMALL_BYTES and b"expect" not in headers
        self._cost = BodyCost(protocol, headers, settings.max_json_bytes)
        self._received = 0
        self._received_whole = False
        self._body_until = 0.0
        self._held_for = 0
        self._held = HeldBytes(scope["app"].state.services.held_bytes)
        self._waiting_for_body: asyncio.Timeout | None = None
        self._is_too_slow_for_others = False
        self._wanted = headers.get(b"x-request-timeout-ms")
        self._started = time.monotonic()
        self._task: asyncio.Task[object] | None = None
        self._gone = False
        self.context = RequestContext(
            _request_id(headers.get(b"x-request-id")),
            protocol,
            scope["app"].state.services,
            self._deadline(),  # set again once the body has arrived, but not every route reads it
            self._connection.target,
        )
        self.context.put_into(scope)
        observers.begin(self.context, scope, headers.get(b"traceparent"), headers.get(b"tracestate"))

    def was_ended_early(self) -> bool:
        """Return whether the request was cancelled because its caller disconnected; if so, uncancel its task."""
        if not self._gone or self._task is None:
            return False
        self._task.uncancel()
        self.context.outcome = "client_gone"
        return True

    async def respond_as_stopping(self) -> bool:
        """Respond 503 to a request that was cancelled because the gateway stops; return whether there was a response.

        The task is uncancelled. A response that has begun is left as it is.
        """
        task = asyncio.current_task()
        if task is None or self.context.status or not self._scope["app"].state.stopping:
            return False
        task.uncancel()
        self._connection.on_connection_lost = None
        error = NotReadyError("The gateway is stopping, and could not complete the request; send it again.")
        await respond_to_error(self._scope, error)(self._scope, self.receive, self._send_last)
        return True

    async def _send_last(self, message: Message) -> None:
        """Send a part of a response after which the connection is closed, whatever is still to come of the body."""
        if message["type"] == "http.response.start":
            self._begin_response(message, is_last=True)
        await self._send_raw(message)

    def close(self) -> None:
        """Stop listening for the end of the connection, and release the memory of the body."""
        self._connection.on_connection_lost = None
        self._held.release()

    def _deadline(self) -> Deadline:
        """Return the earlier of our deadline, counted from now, and the caller's, counted from the request's head."""
        at = time.monotonic() + self._settings.request_timeout_seconds
        if self._wanted is None or not _MILLISECONDS.fullmatch(self._wanted):
            return Deadline(at)
        wanted = self._started + int(self._wanted) / 1000
        return Deadline(wanted, own=False) if wanted < at else Deadline(at)

    async def receive(self) -> Message:
        """Return the next part of the body.

        Raises:
            BadParameterError: the header with the caller's deadline is invalid.
            BodyTooLargeError: the body is too large.
            BodyTooSlowError: it did not arrive in time.
        """
        if self._wanted is not None and not _MILLISECONDS.fullmatch(self._wanted):
            seen = self._wanted[:50].decode("latin-1")
            raise BadParameterError(f"X-Request-Timeout-Ms cannot be {seen!r}; send whole milliseconds.")
        if self._declared > self._max_bytes:
            raise BodyTooLargeError(f"The body has {self._declared} bytes; at most {self._max_bytes} are accepted.")
        if not self._complete and self._received <= self._max_bytes:
            await self._hold()
        message = await self._receive_in_time()
        if self._received > self._max_bytes:
            raise BodyTooLargeError(f"The body has more than the {self._max_bytes} bytes that are accepted.")
        if self._complete:
            self._held.complete(self._cost.of(self._received))
            self.context.deadline = self._deadline()
            self._task = asyncio.current_task()
            self._connection.on_connection_lost = self._end_early
        return message

    async def _hold(self) -> None:
        """Take the memory for the body, or for more of it if its length is unknown, before it is read.

        Raises:
            OverloadedError: there is none.
        """
        if self._held_for > self._received:
            return
        most = self._max_bytes if self._held_for else min(_FIRST_CHUNKED_BYTES, self._max_bytes)
        wanted = self._declared or most
        await self._held.take(self._cost.of(wanted), self._give_up)
        self._held_for = wanted

    def _give_up(self) -> None:
        """Stop waiting for the body, because others wait for the memory it holds."""
        self._is_too_slow_for_others = True
        if self._waiting_for_body is not None:
            self._waiting_for_body.reschedule(0.0)

    async def _receive_in_time(self) -> Message:
        now = time.monotonic()
        if not self._body_until:
            self._body_until = now + self._settings.body_timeout_seconds
        try:
            async with asyncio.timeout(0.0 if self._is_too_slow_for_others else self._body_until - now) as waiting:
                self._waiting_for_body = waiting
                return await self._receive_next()
        except TimeoutError:
            self._is_small = False  # the server would wait for the rest of it
            if self._is_too_slow_for_others:
                raise BodyTooSlowError(
                    f"The body arrived so slowly that others would have had to wait; {self._received} bytes of it did."
                ) from None
            raise BodyTooSlowError(
                f"The body did not arrive within {self._settings.body_timeout_seconds:g} seconds; "
                f"{self._received} bytes of it did."
            ) from None
        finally:
            self._waiting_for_body = None

    async def _receive_next(self) -> Message:
        message = await self._receive_raw()
        count = len(message.get("body", b""))
        self._received += count
        self._held.arrived(count)
        self._complete = not message.get("more_body", False)  # also when the caller disconnected
        self.context.bytes_in = self._received
        if self._complete and not self._received_whole and message["type"] == "http.request" and self._received:
            self._received_whole = True
            self.context.add_stage(RECEIVE, time.monotonic() - self._started)
        return message

    def _end_early(self) -> None:
        """Cancel the request if its caller disconnects before the response."""
        if self._task is not None and self.context.outcome is None:
            self._gone = True
            self._task.cancel()

    async def send(self, message: Message) -> None:
        """Send a part of the response."""
        if message["type"] == "http.response.start":
            self._begin_response(message)
            await self._send_raw(message)
            return
        self.context.bytes_out += len(message.get("body", b""))
        is_early = not self._complete and not self._is_small and not message.get("more_body", False)
        await self._send_raw({**message, "more_body": True} if is_early else message)
        if is_early:
            await self._linger()
            await self._send_raw({"type": "http.response.body", "body": b""})

    def _begin_response(self, message: Message, *, is_last: bool = False) -> None:
        if self.context.outcome is None:
            self.context.outcome = "ok"
        self.context.status = message["status"]
        own = [(b"x-request-id", self.context.request_id.encode("ascii"))]
        if is_last or not (self._complete or self._is_small) or self._scope["app"].state.stopping:
            own.append((b"connection", b"close"))
        message["headers"] = [*message["headers"], *own]

    async def _linger(self) -> None:
        limit = self._received + _LINGER_BYTES
        until = time.monotonic() + min(_LINGER_SECONDS, self._settings.body_timeout_seconds)
        with contextlib.suppress(TimeoutError):
            while not self._complete and self._received < limit:
                async with asyncio.timeout(min(_LINGER_IDLE_SECONDS, until - time.monotonic())):
                    await self._receive_next()


def _request_id(given: bytes | None) -> str:
    """Return the caller's id if it is valid, else a new one."""
    if given is not None and _SANE_ID.fullmatch(given):
        return given.decode("ascii")
    return f"{random.getrandbits(128):032x}"  # not a secret, and the system's randomness would cost a system call
