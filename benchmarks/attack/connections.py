"""Attacks of many connections, or of slow ones: each holds something that others need."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from benchmarks.attack.attack import REFUSED, Attack, Send
from benchmarks.attack.exchange import CLOSED, SILENT, Target, exchange, read_response

MB = 1_000_000
_HELD_SECONDS = 3.0
_DRIP_SECONDS = 0.05
_ALL = (*REFUSED, "200", CLOSED, SILENT)
"""Of connections that are only held, any end is right: what counts is what they cost meanwhile."""


def connection_attacks(image: bytes) -> Iterator[Attack]:
    """Yield attacks that hold connections, bodies or responses."""
    yield _attack("40 bodies of 19 MB at once", lambda target: _bodies(target, 40), (*REFUSED, CLOSED))
    yield _attack("500 idle connections", lambda target: _hold(target, 500, b""), _ALL)
    yield _attack("100 slow heads", lambda target: _drip(target, 100, b"GET /v1/models HTTP/1.1\r\nX: "), _ALL)
    yield _attack("100 drips of line ends", lambda target: _drip(target, 100, b"", b"\r\n"), _ALL)
    slow_body = b"POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\nContent-Length: 19000000\r\n\r\n"
    yield _attack("100 slow bodies of 19 MB", lambda target: _drip(target, 100, slow_body), _ALL)
    yield _attack("requests that nobody waits for", lambda target: _leave(target, image, 50), _ALL)
    yield _attack("pipelined requests that nobody reads", _unread, _ALL)


def _attack(name: str, run: Callable[[Target], Awaitable[list[str]]], expected: tuple[str, ...]) -> Attack:
    def prepare(target: Target) -> Send:
        return lambda: run(target)

    return Attack(name, "connections", prepare, expected)


async def _bodies(target: Target, count: int) -> list[str]:
    request = target.request(
        "/v1/predict", b"\xff\xd8\xff\xe0" + bytes(19 * MB), headers={"content-type": "image/jpeg"}
    )
    return await asyncio.gather(*(exchange(target, request) for _ in range(count)))


@contextlib.asynccontextmanager
async def _connected(target: Target) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(target.host, target.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def _together(count: int, one: Callable[[], Awaitable[str]]) -> list[str]:
    responses = await asyncio.gather(*(one() for _ in range(count)), return_exceptions=True)
    unforeseen = [each for each in responses if isinstance(each, BaseException) and not isinstance(each, OSError)]
    if unforeseen:
        raise unforeseen[0]
    return [each if isinstance(each, str) else CLOSED for each in responses]


async def _hold(target: Target, count: int, start: bytes) -> list[str]:
    async def one() -> str:
        async with _connected(target) as (_, writer):
            writer.write(start)
            await asyncio.sleep(_HELD_SECONDS)
            return SILENT

    return await _together(count, one)


async def _drip(target: Target, count: int, start: bytes, drop: bytes = b"x") -> list[str]:
    async def one() -> str:
        async with _connected(target) as (reader, writer):
            writer.write(start)
            for _ in range(int(_HELD_SECONDS / _DRIP_SECONDS)):
                writer.write(drop)
                await asyncio.sleep(_DRIP_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRIP_SECONDS):
                    return await read_response(reader)
            return SILENT

    return await _together(count, one)


async def _leave(target: Target, image: bytes, count: int) -> list[str]:
    request = target.request("/v1/predict", image, headers={"content-type": "image/jpeg"})

    async def one() -> str:
        async with _connected(target) as (_, writer):
            writer.write(request)
            await writer.drain()
            await asyncio.sleep(_DRIP_SECONDS)
            return SILENT

    return await _together(count, one)


async def _unread(target: Target) -> list[str]:
    """Send requests on a few connections for a while, whose responses asyncio leaves unread, as nobody takes them."""
    requests = target.request("/openapi.json", method="GET") * 2000

    async def one() -> str:
        async with _connected(target) as (_, writer):
            writer.write(requests)
            await asyncio.sleep(_HELD_SECONDS)
            return SILENT

    return await _together(8, one)
