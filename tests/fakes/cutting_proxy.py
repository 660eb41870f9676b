"""A TCP proxy before a model server that does to connections what networks and dying servers do.

It reads the frames of HTTP/2 (RFC 9113, section 4.1) on their way back, so that it can strike exactly at an answer.
"""

import asyncio
import contextlib
import struct
from enum import Enum, auto

from tests.fakes.loop_thread import LoopThread

_HEAD_BYTES = 9
_DATA, _HEADERS, _RST_STREAM, _GOAWAY = 0, 1, 3, 7
_ALL_STREAMS = 2**31 - 1
REFUSED_STREAM, INTERNAL_ERROR, ENHANCE_YOUR_CALM = 7, 2, 11


class Fate(Enum):
    """What happens to an answer on its way back."""

    CUT_BEFORE = auto()
    """The connection is reset in place of the answer."""
    CUT_WITHIN = auto()
    """The connection ends after half of the answer's message."""
    GOAWAY = auto()
    """The server says that it ends and never saw any of the connection's calls, and closes."""
    REFUSED = auto()
    """The stream is reset with REFUSED_STREAM: the call was not processed."""
    INTERNAL = auto()
    """The stream is reset with INTERNAL_ERROR."""


_RESETS = {Fate.REFUSED: REFUSED_STREAM, Fate.INTERNAL: INTERNAL_ERROR}


class CuttingProxy:
    """Listens on a loopback port, from `start` to `stop`, and passes connections on to another one.

    `connect_seconds` is how long a new connection waits before anything is passed on.
    """

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.connect_seconds = 0.0
        self.connections = 0
        self._target_port = target_port
        self._fates: list[Fate] = []
        self._open = asyncio.Event()
        self._open.set()
        self._clients: set[asyncio.StreamWriter] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self._loop = LoopThread()
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """HOST:PORT to connect to."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen on a free port."""
        self._loop.run(self._listen())

    def stop(self) -> None:
        """Close the port and every connection."""
        self._loop.run(self._close())
        self._loop.close()

    def strike(self, *fates: Fate) -> None:
        """Let the next answers have these fates, one each."""
        self._loop.call_soon(lambda: self._fates.extend(fates))

    def freeze(self) -> None:
        """Pass on nothing in either direction from now on; connections stay open."""
        self._loop.call_soon(self._open.clear)

    def thaw(self) -> None:
        """Pass on again, also what came in the meantime."""
        self._loop.call_soon(self._open.set)

    def say_goaway(self) -> None:
        """Tell every client that the server ends; calls that run on these connections are still answered."""
        self._loop.call_soon(self._say_goaway)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        self._open.set()
        for client in self._clients:
            client.transport.abort()
        await asyncio.gather(*self._handlers)

    def _say_goaway(self) -> None:
        for client in self._clients:
            client.write(_frame(_GOAWAY, 0, struct.pack(">II", _ALL_STREAMS, 0)))

    def _take(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        handler = asyncio.create_task(self._pass_on(from_client, to_client))
        self._handlers.add(handler)
        handler.add_done_callback(self._handlers.discard)

    async def _pass_on(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._clients.add(to_client)
        await asyncio.sleep(self.connect_seconds)
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            to_client.transport.abort()
            return
        there = asyncio.create_task(self._copy(from_client, to_server))
        back = asyncio.create_task(self._copy_frames(from_server, to_client))
        try:
            await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._clients.discard(to_client)
            for task, writer in ((there, to_server), (back, to_client)):
                task.cancel()
                writer.close()
            await asyncio.gather(there, back, return_exceptions=True)

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await source.read(65536):
                await self._open.wait()
                sink.write(piece)
                await sink.drain()

    async def _copy_frames(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await source.readexactly(_HEAD_BYTES)
                payload = await source.readexactly(int.from_bytes(head[:3]))
                await self._open.wait()
                if self._meets_fate(head, payload, sink):
                    return
                await sink.drain()

    def _meets_fate(self, head: bytes, payload: bytes, sink: asyncio.StreamWriter) -> bool:
        """Write a frame, or what its fate makes of it; return whether the connection ends."""
        kind, stream = head[3], int.from_bytes(head[5:])
        fate = self._fates[0] if self._fates else None
        if fate is None or kind != (_DATA if fate is Fate.CUT_WITHIN else _HEADERS):
            sink.write(head + payload)
            return False
        del self._fates[0]
        if fate in _RESETS:
            sink.write(_frame(_RST_STREAM, stream, struct.pack(">I", _RESETS[fate])))
            return False
        if fate is Fate.GOAWAY:
            sink.write(_frame(_GOAWAY, 0, struct.pack(">II", 0, 0)))
            return True
        if fate is Fate.CUT_WITHIN:
            sink.write(head + payload[: len(payload) // 2])
            return True
        sink.transport.abort()
        return True


def _frame(kind: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, 0]) + stream.to_bytes(4) + payload
