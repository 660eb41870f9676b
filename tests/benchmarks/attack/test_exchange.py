"""What an attacker reads from a server that is not to be trusted either."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from benchmarks.attack.exchange import CLOSED, SILENT, Target, exchange

PROBLEM = b'{"code": "not_an_image", "status": 415}'
Respond = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def exchanged(respond: Respond, request: bytes = b"GET / HTTP/1.1\r\n\r\n", patience: float = 20.0) -> str:
    """Return what came of a request to a server that responds in this way."""

    async def run() -> str:
        server = await asyncio.start_server(respond, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await exchange(Target("127.0.0.1", port, "m"), request, patience)

    return asyncio.run(run())


async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Respond before the request was read."""
    writer.write(b"HTTP/1.1 415 x\r\nContent-Length: %d\r\n\r\n" % len(PROBLEM) + PROBLEM)
    await writer.drain()
    writer.close()


async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close without a word."""
    writer.close()


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take everything, and never respond."""
    with contextlib.closing(writer):
        await reader.read()


@pytest.mark.parametrize("length", [10, 20_000_000])
def test_a_refusal_is_its_status_and_code(length: int) -> None:
    """A response that comes before all was sent is read all the same."""
    assert exchanged(refuse, b"x" * length) == "415 not_an_image"


def test_a_connection_without_a_response_is_closed() -> None:
    """The end of the connection is not taken for a response."""
    assert exchanged(hang_up) == CLOSED


def test_a_server_that_says_nothing_is_silent() -> None:
    """Patience ends."""
    assert exchanged(say_nothing, patience=0.1) == SILENT


def test_a_port_where_nobody_listens_is_closed() -> None:
    """A refused connection is not an error of the attacker's."""

    async def run() -> str:
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        return await exchange(Target("127.0.0.1", port, "m"), b"GET / HTTP/1.1\r\n\r\n")

    assert asyncio.run(run()) == CLOSED
