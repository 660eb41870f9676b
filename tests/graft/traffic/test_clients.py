"""The load generator: when requests are due, what counts as their time, and what is counted as failed."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from benchmarks.serving.systems import free_port, request_bytes
from graft.traffic.clients import Load, closed_loop, open_loop, poisson_arrivals
from graft.traffic.connection import LOST, Endpoint, KeptConnection

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Response = Callable[[Reader, Writer], Awaitable[None]]
Call = Callable[[int], Awaitable[Any]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BODY = b"body"


def served(response: Response, send: Call) -> Any:
    """Let a server answer while its port is asked, and wait until it has seen that all connections ended."""

    async def serve_and_call() -> Any:
        serving: list[asyncio.Task[None]] = []

        async def serve(reader: Reader, writer: Writer) -> None:
            serving.append(cast("asyncio.Task[None]", asyncio.current_task()))
            with contextlib.suppress(asyncio.IncompleteReadError):
                await response(reader, writer)
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            seen = await send(server.sockets[0].getsockname()[1])
            await asyncio.gather(*serving)
            return seen

    return asyncio.run(serve_and_call())


async def read_request(reader: Reader) -> None:
    await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(len(BODY))


def replying(seconds: float = 0.0, response: bytes = OK) -> Response:
    async def serve(reader: Reader, writer: Writer) -> None:
        while True:
            await read_request(reader)
            await asyncio.sleep(seconds)
            writer.write(response)

    return serve


def requests_to(port: int) -> "itertools.cycle[bytes]":
    return itertools.cycle([request_bytes("/", BODY, port)])


def test_arrivals_come_at_the_rate_and_the_same_for_the_same_seed() -> None:
    """Over a long time as many requests are due as the rate says, in order, and a seed gives the same ones."""
    arrivals = poisson_arrivals(50, 200, seed=3)
    assert len(arrivals) == pytest.approx(10_000, rel=0.05)
    assert arrivals == sorted(arrivals)
    assert arrivals[-1] < 200
    assert arrivals == poisson_arrivals(50, 200, seed=3)
    assert arrivals != poisson_arrivals(50, 200, seed=4)


def test_half_the_rate_has_the_same_arrivals_twice_as_far_apart() -> None:
    """What is compared at different rates meets the same pattern of arrivals."""
    fast, slow = poisson_arrivals(40, 5, seed=1), poisson_arrivals(20, 10, seed=1)
    assert slow == pytest.approx([2 * moment for moment in fast])


def test_one_request_is_due_however_low_the_rate() -> None:
    """A rate at which nothing would come in the time still gives one request to measure."""
    assert len(poisson_arrivals(1e-3, 0.1, seed=1)) == 1


def test_latency_of_an_open_loop_counts_from_when_a_request_was_due() -> None:
    """Two hundred requests due at once before a slow server that holds a lock take longer and longer."""
    lock = asyncio.Lock()

    async def one_at_a_time(reader: Reader, writer: Writer) -> None:
        while True:
            await read_request(reader)
            async with lock:
                await asyncio.sleep(0.002)
            writer.write(OK)

    load = served(one_at_a_time, lambda port: open_loop(Endpoint(port), requests_to(port), [0.0] * 200))
    assert load.statuses == {200: 200}
    assert max(load.latencies) >= 0.9 * 200 * 0.002, "those that waited for a connection waited for nothing"
    assert max(load.latencies) == pytest.approx(load.seconds, rel=0.1)


def test_an_open_loop_sends_whether_or_not_others_were_answered() -> None:
    """Requests due every 10 ms are all sent in time to a server that takes 300 ms for each."""
    due = [number / 100 for number in range(20)]
    load = served(replying(0.3), lambda port: open_loop(Endpoint(port), requests_to(port), due))
    assert load.statuses == {200: 20}
    assert load.seconds < 1.5, "a closed loop of one client would have taken six seconds"
    assert len(load.late) == 20


def test_a_closed_loop_asks_again_when_answered_and_hears_of_each_answer() -> None:
    """Clients share the time: the number of answers is what the latency allows, and each was announced."""
    heard: list[None] = []

    async def send(port: int) -> Load:
        return await closed_loop(Endpoint(port), requests_to(port), 4, 0.5, after_each=lambda: heard.append(None))

    load = served(replying(0.02), send)
    assert len(heard) == len(load.latencies) == load.statuses[200]
    assert 4 <= len(heard) <= 4 * 0.5 / 0.02 + 4
    assert load.failed == 0


def test_a_client_asks_once_however_short_the_time() -> None:
    """A load of no seconds is one request of each client."""
    load = served(replying(), lambda port: closed_loop(Endpoint(port), requests_to(port), 3, 0.0))
    assert load.statuses == {200: 3}


def test_a_refusal_is_counted_and_has_no_latency() -> None:
    """Another status than 200 is a failure, told apart by its number."""
    refusing = replying(response=b"HTTP/1.1 503 Full\r\ncontent-length: 0\r\n\r\n")
    load = served(refusing, lambda port: closed_loop(Endpoint(port), requests_to(port), 2, 0.0))
    assert load.statuses == {503: 2}
    assert (load.failed, load.latencies) == (2, [])


def test_a_lost_connection_is_a_failure_and_the_next_request_connects_again() -> None:
    """A server that hangs up is told from one that answers, and the client goes on."""
    turns = itertools.count()

    async def hang_up_first(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        if next(turns):
            writer.write(OK)

    async def send(port: int) -> list[int]:
        connection = KeptConnection(Endpoint(port))
        return [await connection.send(request_bytes("/", BODY, port)) for _ in range(2)]

    assert served(hang_up_first, send) == [LOST, 200]


def test_a_server_that_says_it_closes_is_not_written_to_again() -> None:
    """After `connection: close` the next request goes over a new connection, and is not lost with the old one."""

    async def respond_once(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        writer.write(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    seen = served(respond_once, lambda port: closed_loop(Endpoint(port), requests_to(port), 1, 0.1))
    assert seen.statuses[200] > 1
    assert seen.failed == 0


def test_a_port_where_nobody_listens_is_a_lost_request() -> None:
    """Whoever waits for a service to start can ask again and again."""
    port = free_port()
    assert asyncio.run(KeptConnection(Endpoint(port)).send(request_bytes("/", BODY, port))) == LOST


def test_an_answer_in_pieces_is_put_together() -> None:
    """Head and body may come byte by byte."""

    async def slowly(reader: Reader, writer: Writer) -> None:
        await read_request(reader)
        for index in range(len(OK)):
            writer.write(OK[index : index + 1])
            await writer.drain()
            await asyncio.sleep(0)

    async def send(port: int) -> tuple[int, bytes]:
        connection = KeptConnection(Endpoint(port))
        return await connection.send(request_bytes("/", BODY, port)), connection.body

    assert served(slowly, send) == (200, b"ok")


@pytest.mark.parametrize(("heed", "expected"), [(True, {2}), (False, set(range(3, 10_000)))])
def test_a_client_waits_as_long_as_retry_after_says(*, heed: bool, expected: set[int]) -> None:
    """Half of the time or more, if it is told to heed it; else it sends again at once. One is sent after the end."""
    response = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"

    async def send(port: int) -> int:
        seen = await closed_loop(Endpoint(port), requests_to(port), 1, 0.2, heed_retry_after=heed)
        return seen.statuses[503]

    assert served(replying(response=response), send) in expected
