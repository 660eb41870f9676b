"""A model server with fewer threads than the gateway has requests: it refuses calls, and no request is lost by that."""

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import httpx
import pytest

from contract import serving_messages as messages
from gateway.backend.server_threads import ServerThreads
from gateway.deadline import Deadline
from gateway.predict.images_request import ImagesRequest
from graft.traffic.connection import Endpoint, KeptConnection
from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.metric_values import value
from tests.gateway.protocol_requests import PROTOCOLS, send
from tests.gateway.raw_requests import request_bytes
from tests.gateway.waiting import wait_until, wait_until_ready

IMAGE = marked_image("SLEEP:0.004")
REFUSED = "RESOURCE_EXHAUSTED"


async def load(gateway: httpx.Client, clients: int, requests: int) -> Counter[int]:
    """Send so many requests from so many clients, each with one after another; return the statuses."""
    statuses: Counter[int] = Counter()
    left = iter(range(requests))

    async def work() -> None:
        connection = await KeptConnection(Endpoint(gateway.base_url.port or 80)).open()
        for _ in left:
            statuses[await connection.send(request_bytes(IMAGE))] += 1
        connection.close()

    await asyncio.gather(*(work() for _ in range(clients)))
    await asyncio.sleep(0)  # the connections close in the loop's next round
    return statuses


def refused(model_server: FakeModelServer) -> int:
    """Return how many Predict calls were refused for lack of a thread."""
    return model_server.calls.count(outcome=REFUSED)


def check_that_none_is_lost(
    start_gateway: StartGateway, model_server: FakeModelServer, threads: int, clients: int, requests: int
) -> None:
    gateway = start_gateway(circuit_failures=1, circuit_open_seconds=60)
    wait_until_ready(gateway)
    model_server.threads = threads
    model_server.calls.forget()
    assert asyncio.run(load(gateway, clients, requests)) == {200: requests}
    assert model_server.calls.most_running <= max(clients, threads) + 1
    if clients > threads:
        assert 0 < refused(model_server) < clients + requests / 4, "the gateway keeps below what the server takes"
    assert value(gateway, "circuit_state") == 0


@pytest.mark.parametrize(("threads", "clients"), [(2, 8), (2, 64), (3, 16), (6, 8), (6, 64), (8, 16)])
def test_no_request_is_lost(
    start_gateway: StartGateway, model_server: FakeModelServer, threads: int, clients: int
) -> None:
    """With fewer threads than clients everyone gets a prediction, few calls are refused, and no circuit opens."""
    check_that_none_is_lost(start_gateway, model_server, threads, clients, 300)


@pytest.mark.slow
@pytest.mark.parametrize("clients", [8, 16, 64])
@pytest.mark.parametrize("threads", [2, 3, 4, 6, 8, 16])
def test_of_two_thousand_none_is_lost(
    start_gateway: StartGateway, model_server: FakeModelServer, threads: int, clients: int
) -> None:
    """The same with 2,000 requests for each number of threads and clients."""
    check_that_none_is_lost(start_gateway, model_server, threads, clients, 2000)


@contextlib.contextmanager
def other_callers(model_server: FakeModelServer, number: int) -> Iterator[Counter[str]]:
    """Call the model server directly all the time, as other gateways do; yield the counts of how their calls ended."""
    ended: Counter[str] = Counter()
    stop = threading.Event()
    request = ImagesRequest([IMAGE])
    request.model_spec.name = "flowers"

    def call() -> None:
        with grpc.insecure_channel(model_server.address) as channel:
            predict = channel.unary_unary(
                f"/{messages.PREDICTION_SERVICE}/Predict",
                ImagesRequest.SerializeToString,
                messages.PredictResponse.FromString,
            )
            while not stop.is_set():
                try:
                    predict(request, timeout=10)
                    ended["OK"] += 1
                except grpc.RpcError as error:
                    ended[error.code().name] += 1
                    stop.wait(0.005)

    callers = [threading.Thread(target=call) for _ in range(number)]
    for caller in callers:
        caller.start()
    try:
        yield ended
    finally:
        stop.set()
        for caller in callers:
            caller.join()


def test_other_callers_take_threads_too(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """While others fill the same server no request is lost, and the others are served as well."""
    gateway = start_gateway(circuit_failures=1, circuit_open_seconds=60)
    wait_until_ready(gateway)
    model_server.threads = 4
    with other_callers(model_server, 4) as ended:
        assert asyncio.run(load(gateway, 16, 300)) == {200: 300}
    assert ended["OK"] > 20
    assert ended.keys() <= {"OK", REFUSED}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_that_stays_full(start_gateway: StartGateway, model_server: FakeModelServer, protocol: str) -> None:
    """Where there is no thread until the deadline it is a 503 that asks to come back, after few attempts."""
    gateway = start_gateway(request_timeout_seconds=1, circuit_failures=1, poll_interval_seconds=3600)
    wait_until_ready(gateway)
    send(gateway, IMAGE, protocol)  # whose signature is known then
    model_server.threads = 0
    model_server.calls.forget()
    started = time.monotonic()
    response = send(gateway, IMAGE, protocol)
    assert time.monotonic() - started > 0.9
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert "no room" in response.text
    assert 5 < refused(model_server) < 40
    model_server.threads = None
    assert send(gateway, IMAGE, protocol).status_code == 200


def test_time_spent_waiting_is_no_timeout(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """A request that got its thread only near its deadline is a 503, and does not count as a failure of the server."""
    gateway = start_gateway(request_timeout_seconds=2, circuit_failures=1, poll_interval_seconds=3600)
    wait_until_ready(gateway)
    model_server.threads = 1
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(send, gateway, marked_image("SLEEP:1.5"))
        wait_until(lambda: model_server.calls.running == 1)
        response = send(gateway, marked_image("HANG"))
        assert (response.status_code, response.json()["code"]) == (503, "model_server_busy")
        assert first.result().status_code == 200
    assert value(gateway, "circuit_state") == 0


def test_a_full_queue_passes_too(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """A full batching queue is the same kind of refusal: it is waited for, and opens no circuit."""
    gateway = start_gateway(circuit_failures=1, circuit_open_seconds=60)
    wait_until_ready(gateway)
    model_server.threads = 3
    model_server.full_queue = True
    assert asyncio.run(load(gateway, 16, 200)) == {200: 200}


def test_what_is_served_is_learnt_from_a_full_server(
    start_gateway: StartGateway, model_server: FakeModelServer
) -> None:
    """The gateway's own calls for versions and manifests wait for a thread as well."""
    model_server.threads = 0
    gateway = start_gateway()
    assert gateway.get("/readyz").status_code == 503
    model_server.threads = 2
    wait_until_ready(gateway)
    assert gateway.get("/v1/models").json()["models"][0]["available"] is True


async def refuse(threads: ServerThreads) -> None:
    """Have one call be refused."""
    no_thread = grpc.aio.AioRpcError(
        grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.aio.Metadata(), grpc.aio.Metadata(), "Server Threadpool Exhausted", ""
    )
    with contextlib.suppress(grpc.aio.AioRpcError):
        async with threads.thread(Deadline.after(10), ahead=False):
            raise no_thread


def test_the_limit_goes_up_again() -> None:
    """After a refusal fewer calls run than before; after enough answered ones more do, faster and faster."""

    async def most_at_once(threads: ServerThreads, calls: int) -> int:
        running = most = 0

        async def call() -> None:
            nonlocal running, most
            async with threads.thread(Deadline.after(10), ahead=False):
                running += 1
                most = max(most, running)
                await asyncio.sleep(0)
                running -= 1

        await asyncio.gather(*(call() for _ in range(calls)))
        return most

    async def play() -> None:
        threads = ServerThreads()
        assert await most_at_once(threads, 50) == 50
        async with threads.thread(Deadline.after(10), ahead=False):
            await refuse(threads)
        assert await most_at_once(threads, 7) == 1
        assert await most_at_once(threads, 2000) > 30

    asyncio.run(play())


def test_a_waiter_that_leaves_as_its_turn_comes() -> None:
    """A call that is cancelled as it may run, or whose deadline passes, keeps no place from the others."""

    async def hold(threads: ServerThreads, until: asyncio.Event, seconds: float = 10) -> None:
        async with threads.thread(Deadline.after(seconds), ahead=False):
            await until.wait()

    async def play() -> None:
        threads, done = ServerThreads(), asyncio.Event()
        await refuse(threads)
        holder = asyncio.create_task(hold(threads, done))
        waiters = [asyncio.create_task(hold(threads, done, seconds)) for seconds in (10, 0.001, 10)]
        await asyncio.wait([waiters[1]])
        done.set()
        waiters[0].cancel()
        results = await asyncio.gather(holder, *waiters, return_exceptions=True)
        kinds = [type(None), asyncio.CancelledError, TimeoutError, type(None)]
        assert [type(result) for result in results] == kinds
        async with threads.thread(Deadline.after(10), ahead=False):
            pass

    asyncio.run(play())
