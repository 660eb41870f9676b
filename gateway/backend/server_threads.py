"""Holds calls back while the model server has no thread for them.

TensorFlow Serving runs every call in a thread of its own, by default at most four for each processor
(`--grpc_max_threads`), and refuses the calls beyond that. Such a refusal means load that passes: nothing was run, so
the call may be sent again. It is not known in advance how many calls a server takes, and other callers take their
share; so each refusal limits the calls to one fewer than were running, the others wait in order, and every so many
calls that were answered the limit is raised again, at first by one.
"""

import asyncio
import contextlib
import logging
import random
from collections import deque

import grpc
import grpc.aio

from gateway.deadline import Deadline

_RAISE_AFTER = 8  # answered calls for each that may run: a limit that is right costs a refusal every nine rounds
_FIRST_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 0.1

_logger = logging.getLogger(__name__)


# Any other RESOURCE_EXHAUSTED is about the request itself, such as a tensor that the server has no memory for.
_NO_ROOM = {
    grpc.StatusCode.RESOURCE_EXHAUSTED: "server threadpool exhausted",  # gRPC's words
    grpc.StatusCode.UNAVAILABLE: "the batch scheduling queue to which this task was submitted is full",
}


def means_no_room(code: grpc.StatusCode, details: str) -> bool:
    """Return whether a status says that the server has no room for any call: nothing was run, and there will be."""
    return code in _NO_ROOM and _NO_ROOM[code] in details.lower()


def has_no_room(error: grpc.aio.AioRpcError) -> bool:
    """Return whether a call was refused because the server had no room for it."""
    return means_no_room(error.code(), error.details() or "")


def pause_seconds(attempt: int, deadline: Deadline) -> float:
    """Return how long to wait after an attempt was refused, 1 the first: other callers may have all threads."""
    longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(attempt - 1, 10))
    return min(deadline.remaining(), longest * random.uniform(0.5, 1))  # noqa: S311 - a pause is no secret


class ServerThreads:
    """The calls that run on the model server, for one event loop; unlimited until a call is refused."""

    def __init__(self) -> None:
        self._limit: int | None = None
        self._running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._responses = 0
        self._raise_by = 1

    def thread(self, deadline: Deadline, *, ahead: bool) -> "_Thread":
        """Return a context manager for one call; with `ahead` it comes before the calls that wait already.

        Raises:
            TimeoutError: on entering, the deadline has passed.
        """
        return _Thread(self, deadline, ahead=ahead)

    async def enter(self, deadline: Deadline, *, ahead: bool) -> None:
        """Wait until a call may run; `thread` calls this on entering."""
        if not deadline.remaining():  # asyncio and gRPC would still let it through
            raise TimeoutError
        if self._has_room() and (ahead or not self._waiting):
            self._running += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._waiting.appendleft if ahead else self._waiting.append)(turn)
        try:
            async with asyncio.timeout(deadline.remaining()):
                await turn
        except (TimeoutError, asyncio.CancelledError):
            self._give_up(turn)
            raise

    def leave(self, error: BaseException | None) -> None:
        """Note how a call has ended; `thread` calls this on leaving."""
        if error is None:
            self._note_response()
        elif isinstance(error, grpc.aio.AioRpcError) and has_no_room(error):
            self._note_rejection()
        self._leave()

    def _note_rejection(self) -> None:
        if self._limit is None:
            _logger.warning(
                "The model server refused a call because it had no thread for it, or no place in its queue; from now "
                "on calls wait for each other. TensorFlow Serving takes more with a larger --grpc_max_threads."
            )
        self._limit = max(1, min(self._running - 1, self._limit or self._running))
        self._responses, self._raise_by = 0, 1

    def _note_response(self) -> None:
        if self._limit is None:
            return
        self._responses += 1
        if self._responses >= _RAISE_AFTER * self._limit:
            self._limit += self._raise_by
            self._responses, self._raise_by = 0, self._raise_by * 2

    def _has_room(self) -> bool:
        return self._limit is None or self._running < self._limit

    def _leave(self) -> None:
        self._running -= 1
        while self._waiting and self._has_room():
            turn = self._waiting.popleft()
            if not turn.done():  # a cancelled one removes itself
                self._running += 1
                turn.set_result(None)

    def _give_up(self, turn: "asyncio.Future[None]") -> None:
        """Leave the queue, and pass on a turn that came at the same moment."""
        if turn.done() and not turn.cancelled():
            self._leave()
            return
        with contextlib.suppress(ValueError):  # removed already by a call that found it cancelled
            self._waiting.remove(turn)


class _Thread:
    """One call while it runs."""

    __slots__ = ("_ahead", "_deadline", "_threads")

    def __init__(self, threads: ServerThreads, deadline: Deadline, *, ahead: bool) -> None:
        self._threads = threads
        self._deadline = deadline
        self._ahead = ahead

    async def __aenter__(self) -> None:
        await self._threads.enter(self._deadline, ahead=self._ahead)

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._threads.leave(error)
