"""The bodies of all requests share a budget of bytes, and nobody holds room in it by sending slowly."""

import asyncio
import base64
import gzip
import json
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import psutil
import pytest
from pydantic import ValidationError

from gateway.admission.held_bytes import ByteBudget, HeldBytes
from gateway.errors import OverloadedError
from gateway.observability.metrics import Metrics
from tests.fakes.marked_images import marked_image
from tests.fakes.model_server_process import ModelServerProcess
from tests.gateway.conftest import StartGateway
from tests.gateway.gateway_process import RunningGateway, gateway_process
from tests.gateway.raw_requests import connect, read_response
from tests.gateway.running import settings_for
from tests.gateway.waiting import wait_until, wait_until_ready
from tests.peak_memory import peak_mb_of

MEGABYTE = 1024 * 1024
CLIENTS = 40
MOST_MB = 400


def budget(most: int = 100, wait_seconds: float = 30.0, max_waiting: int = 5) -> ByteBudget:
    """Return a budget of so many bytes."""
    return ByteBudget(most, max_waiting, wait_seconds, Metrics(("flowers",)))


async def taken(whole: ByteBudget, size: int, give_up: Callable[[], None] = lambda: None) -> HeldBytes:
    """Take a share of a budget."""
    share = HeldBytes(whole)
    await share.take(size, give_up)
    return share


def test_the_smallest_goes_first() -> None:
    """Those that find no room wait until there is some, the smallest first, and equals in order of arrival."""

    async def run() -> list[str]:
        whole, order = budget(), list[str]()
        first = await taken(whole, 100)

        async def wait(name: str, size: int) -> None:
            share = await taken(whole, size)
            order.append(name)
            share.release()

        async with asyncio.TaskGroup() as tasks:
            for name, size in (("large", 90), ("small", 10), ("medium", 50), ("another small", 10)):
                tasks.create_task(wait(name, size))
            await asyncio.sleep(0)
            first.release()
        return order

    assert asyncio.run(run()) == ["small", "another small", "medium", "large"]


def test_who_waits_in_vain_is_sent_away() -> None:
    """Without room in time there is a sentence; if too many wait, the largest is sent away, not the newest."""

    async def run() -> None:
        hasty, whole = budget(wait_seconds=0.01), budget(max_waiting=2)
        await taken(hasty, 100)
        with pytest.raises(OverloadedError, match="Too many bytes"):
            await taken(hasty, 1)
        first = await taken(whole, 100)
        large, medium = (asyncio.create_task(taken(whole, size)) for size in (90, 50))
        await asyncio.sleep(0)
        small = asyncio.create_task(taken(whole, 10))
        with pytest.raises(OverloadedError):
            await large
        with pytest.raises(OverloadedError):
            await taken(whole, 60)
        medium.cancel()
        first.release()
        (await small).release()
        (await taken(whole, 100)).release()  # nothing was lost

    asyncio.run(run())


def test_large_bodies_leave_room() -> None:
    """A quarter of the budget is for bodies of up to a megabyte, however many large ones there are."""

    async def run() -> None:
        whole = budget(40 * MEGABYTE, wait_seconds=0.01)
        await taken(whole, 30 * MEGABYTE)
        with pytest.raises(OverloadedError):
            await taken(whole, 2 * MEGABYTE)
        for _ in range(10):
            await taken(whole, MEGABYTE)

    asyncio.run(run())


def test_who_sends_slowly_gives_up_the_room_when_others_wait() -> None:
    """A body that hardly arrives is given up once another one waits; one that arrives, or is complete, is not."""

    async def run() -> None:
        whole, given_up = budget(), list[str]()
        slow = HeldBytes(whole)

        def give_up_slow() -> None:
            given_up.append("slow")
            slow.release()

        await slow.take(40, give_up_slow)
        moving = await taken(whole, 30, lambda: given_up.append("moving"))
        complete = await taken(whole, 30, lambda: given_up.append("complete"))
        complete.complete(30)
        for _ in range(10):
            slow.arrived(1)
            await asyncio.sleep(0.1)
        assert given_up == []  # nobody waits
        waiting = asyncio.create_task(taken(whole, 10))
        while not waiting.done():
            moving.arrived(MEGABYTE)
            await asyncio.sleep(0.01)
        assert given_up == ["slow"]

    asyncio.run(run())


def test_a_budget_that_takes_no_body_is_refused() -> None:
    """Settings under which the largest permitted body would never find room are refused with both names."""
    with pytest.raises(ValidationError, match=r"max_held_bytes is 20971520.*max_body_bytes"):
        settings_for(max_held_bytes=20 * MEGABYTE)


def test_small_requests_pass_slow_large_ones(start_gateway: StartGateway) -> None:
    """While large bodies drip and fill the budget, small images are answered, and a large one soon after."""
    gateway = start_gateway(max_held_bytes=28 * MEGABYTE)
    wait_until_ready(gateway)
    with ExitStack() as stack:
        slow = [stack.enter_context(connect(gateway)) for _ in range(8)]
        for connection in slow:
            connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n" + bytes(99))
        for number in range(20):
            assert gateway.post("/v1/predict", content=marked_image(number=number)).status_code == 200
        assert gateway.post("/v1/predict", content=marked_image() + bytes(5 * MEGABYTE)).status_code != 503
        status, problem = first_response(slow)
        assert (status, problem["code"]) == (408, "body_too_slow")
        assert "others would have had to wait" in str(problem["detail"])


def first_response(connections: list[socket.socket]) -> tuple[int, dict[str, object]]:
    """Return the first response that comes on one of the connections."""
    ready: list[socket.socket] = []

    def is_there() -> bool:
        for connection in connections:
            connection.setblocking(False)
            try:
                connection.recv(1, socket.MSG_PEEK)
                ready.append(connection)
            except BlockingIOError:
                continue
        return bool(ready)

    wait_until(is_there)
    ready[0].settimeout(10)
    return read_response(ready[0])


LARGE_IMAGE = marked_image(number=1) + bytes(19 * MEGABYTE)
IN_JSON = base64.b64encode(marked_image(number=2) + bytes(6 * MEGABYTE - 100_000)).decode()
FORM = httpx.Request("POST", "http://x", files={"file": ("a.png", LARGE_IMAGE)})
TENSOR = struct.pack("<I", len(LARGE_IMAGE)) + LARGE_IMAGE
HEAD = json.dumps(
    {
        "inputs": [
            {
                "name": "image_bytes",
                "shape": [1],
                "datatype": "BYTES",
                "parameters": {"binary_data_size": len(TENSOR)},
            }
        ]
    }
).encode()
ROWS = "/v1/models/flowers:predict"


def pieces() -> Iterator[bytes]:
    """Yield the large image in pieces, so that its length is not declared."""
    for at in range(0, len(LARGE_IMAGE), 65536):
        yield LARGE_IMAGE[at : at + 65536]


BODIES: dict[str, Callable[[httpx.Client], httpx.Response]] = {
    "raw": lambda client: client.post("/v1/predict", content=LARGE_IMAGE),
    "cut short": lambda client: client.post("/v1/predict", content=b"\xff\xd8\xff\xe0" + bytes(19 * MEGABYTE)),
    "chunked": lambda client: client.post("/v1/predict", content=pieces()),
    "form": lambda client: client.post(
        "/v1/predict", content=FORM.read(), headers={"Content-Type": FORM.headers["Content-Type"]}
    ),
    "json": lambda client: client.post("/v1/predict", json={"images": [{"b64": IN_JSON}]}),
    "tensorflow": lambda client: client.post(ROWS, json={"instances": [{"b64": IN_JSON}]}),
    "open inference": lambda client: client.post(
        "/v2/models/flowers/infer",
        content=HEAD + TENSOR,
        headers={"Inference-Header-Content-Length": str(len(HEAD))},
    ),
    "gzip": lambda client: client.post(
        ROWS,
        content=gzip.compress(b'{"instances":[' + b"0," * 4_000_000 + b"0]}"),
        headers={"Content-Encoding": "gzip"},
    ),
    "lists": lambda client: client.post(ROWS, content=b'{"instances":[' + b"[]," * 2_700_000 + b"[]]}"),
    "objects": lambda client: client.post(ROWS, content=b'{"instances":[' + b'{"a":0},' * 1_000_000 + b"0]}"),
    "texts": lambda client: client.post(ROWS, content=b'{"instances":[' + b'"ab",' * 1_600_000 + b"0]}"),
    "numbers": lambda client: client.post(ROWS, content=b'{"instances":[' + b"0.1," * 2_000_000 + b"0]}"),
}


@pytest.fixture(scope="module")
def separate() -> Iterator[RunningGateway]:
    """A gateway in a process of its own, with a model server in another one."""
    server = ModelServerProcess()
    server.start()
    try:
        with gateway_process(server.address, request_timeout_seconds=4) as gateway:
            yield gateway
    finally:
        server.kill()


# the others differ from these in how they are read, and take a minute together
USUAL = ("raw", "cut short", "tensorflow", "gzip", "lists")


@pytest.mark.parametrize(
    "kind", [each if each in USUAL else pytest.param(each, marks=pytest.mark.slow) for each in BODIES]
)
def test_forty_large_bodies_at_once_fit_into_the_memory(separate: RunningGateway, kind: str) -> None:
    """Forty of the largest bodies at once, of any kind, leave the gateway under 400 MB; each is answered in words."""

    def send(_: int) -> int:
        with httpx.Client(base_url=separate.client.base_url, trust_env=False, timeout=120) as client:
            response = BODIES[kind](client)
            assert response.json()
            return response.status_code

    peak = peak_mb_of(separate.process.pid)
    with ThreadPoolExecutor(CLIENTS) as threads:
        statuses = Counter(threads.map(send, range(CLIENTS)))
    assert peak() < MOST_MB
    assert set(statuses) <= {200, 400, 408, 413, 415, 422, 503, 504}, statuses
    assert separate.client.get("/livez").status_code == 200
    assert psutil.Process(separate.process.pid).is_running()
