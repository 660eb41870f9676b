"""Callers that send or read slowly, or hold connections, on both ports: each has an end, and nobody else waits."""

import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import httpx
import psutil
import pytest

from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.gateway_process import RunningGateway, gateway_process
from tests.gateway.raw_requests import connect, read_response, read_to_the_end, request_bytes, sent
from tests.gateway.waiting import wait_until, wait_until_ready

LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
SHORT = {"header_timeout_seconds": 0.5, "body_timeout_seconds": 1.0, "write_timeout_seconds": 1.0}
PATIENCE_SECONDS = 30
LARGE = {"first": b"/openapi.json", "operations": b"/metrics"}
"""A large response of each port."""
UNREAD = (
    b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
    b"GET /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n",
    b"DELETE /livez HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 90\r\n\r\n",
)
"""Heads of requests with a body, which no route reads."""
_LITTLE = 4096


@pytest.fixture(scope="module")
def impatient() -> Iterator[RunningGateway]:
    """A gateway with short time limits and two ports."""
    server = FakeModelServer()
    server.publish("flowers", 1)
    server.start()
    with gateway_process(server.address, **SHORT, operations_port=0, shutdown_delay_seconds=0) as gateway:
        yield gateway
    server.stop()


@pytest.fixture(params=["first", "operations"])
def port(impatient: RunningGateway, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A client of either port."""
    url = impatient.client.base_url if request.param == "first" else impatient.operations
    with httpx.Client(base_url=url, trust_env=False, verify=False, timeout=30) as client:
        yield client


@contextmanager
def not_reading(gateway: httpx.Client) -> Iterator[socket.socket]:
    """Open a connection whose receiving side takes hardly any bytes; a response of `LARGE` does not fit into it."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _LITTLE)
        connection.settimeout(10)
        connection.connect((gateway.base_url.host, gateway.base_url.port))
        yield connection


def is_connected(process: int, connection: socket.socket) -> bool:
    """Return whether a process still has the other side of a connection."""
    own = connection.getsockname()
    return any(one.raddr == own for one in psutil.Process(process).net_connections("tcp"))


def drip(drops: Sequence[tuple[socket.socket, bytes]]) -> None:
    """Send each connection its bytes ten times a second until the other side has closed them all; fail if it does not.

    They are dripped on together, so that a time limit passes once for all of them. Counted in turns, since a machine
    that stands still for as long as the patience lasts says nothing about the other side.
    """
    still_open = list(drops)
    for _ in range(10 * PATIENCE_SECONDS):
        for connection, _ in still_open:
            connection.settimeout(0.1 / len(still_open))
        still_open = [(connection, drop) for connection, drop in still_open if takes(connection, drop)]
        if not still_open:
            return
    pytest.fail(f"{len(still_open)} of the connections are still open")


def takes(connection: socket.socket, drop: bytes) -> bool:
    """Send bytes and wait a moment for the end; return whether the other side has not closed the connection."""
    try:
        connection.sendall(drop)
        return connection.recv(65536) != b""
    except TimeoutError:
        return True
    except ConnectionError:
        return False


def test_drops_do_not_keep_a_connection(port: httpx.Client) -> None:
    """Line ends or letters that come one by one, on a new connection or after a request, are no request in the end."""
    with ExitStack() as stack:
        drops = [(stack.enter_context(connect(port)), drop) for drop in (b"\r\n", b"\r", b"G") for _ in range(2)]
        for connection, _ in drops[::2]:
            connection.sendall(LIVE)
        drip(drops)


@pytest.mark.parametrize("drop", [b"", b"x"])
def test_a_body_that_no_route_reads_has_an_end(port: httpx.Client, drop: bytes) -> None:
    """The response comes at once; the connection ends if the body does not come in time, drop by drop or not at all."""
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(port)) for _ in UNREAD]
        for connection, head in zip(connections, UNREAD, strict=True):
            connection.sendall(head)
            assert connection.recv(65536).startswith(b"HTTP/1.1 ")
        drip([(connection, drop) for connection in connections])


def test_a_chunked_body_that_no_route_reads_has_an_end(port: httpx.Client) -> None:
    """Neither does a body without a length, whose chunks never end, keep the connection."""
    with connect(port) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        drip([(connection, b"1\r\nx\r\n")])


def test_a_body_that_drips_is_refused_in_words(impatient: RunningGateway) -> None:
    """A body that a route reads, and that comes byte by byte, gets a 408."""
    with connect(impatient.client) as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        started = time.monotonic()
        connection.settimeout(0.1)
        received = b""
        while not received and time.monotonic() - started < PATIENCE_SECONDS:
            connection.sendall(b"x")
            try:
                received = connection.recv(65536)
            except TimeoutError:
                continue
        connection.settimeout(10)
        while b"request_id" not in received:
            received += connection.recv(65536)
        assert received.startswith(b"HTTP/1.1 408 ")
        assert b"did not arrive within 1 seconds" in received


def test_a_head_of_three_megabytes_is_refused(port: httpx.Client) -> None:
    """Both ports refuse a head that is too large."""
    with connect(port) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nLong: " + b"x" * 40_000)
        assert read_to_the_end(connection).startswith(b"HTTP/1.1 431 ")


def request_without_reading(connection: socket.socket, path: bytes, is_enough: Callable[[], bool]) -> None:
    """Send requests for a large response, one by one, until it is enough or the other side has closed."""
    until = time.monotonic() + PATIENCE_SECONDS
    connection.settimeout(0.2)
    while not is_enough():
        assert time.monotonic() < until, "the connection is still open"
        try:
            connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        except TimeoutError:
            continue
        except ConnectionError:
            return
        time.sleep(0.01)


def test_who_does_not_read_is_cut_off(impatient: RunningGateway, port: httpx.Client) -> None:
    """A caller that asks and does not read loses its connection."""
    is_second = str(port.base_url).rstrip("/") == impatient.operations
    with not_reading(port) as connection:
        connection.sendall(LIVE)
        wait_until(lambda: is_connected(impatient.process.pid, connection))
        path = LARGE["operations" if is_second else "first"]
        request_without_reading(connection, path, is_enough=lambda: not is_connected(impatient.process.pid, connection))


def test_who_does_not_read_does_not_hinder_the_end(model_server: FakeModelServer) -> None:
    """SIGTERM ends the process although responses on both ports are unread."""
    settings = {"operations_port": 0, "shutdown_delay_seconds": 0, "request_timeout_seconds": 1}
    with gateway_process(model_server.address, **settings) as gateway, ExitStack() as stack:
        for name, url in (("first", str(gateway.client.base_url)), ("operations", gateway.operations)):
            client = stack.enter_context(httpx.Client(base_url=url, trust_env=False))
            connection = stack.enter_context(not_reading(client))
            connection.sendall((b"GET " + LARGE[name] + b" HTTP/1.1\r\nHost: x\r\n\r\n") * 64)
            connection.recv(1)  # the responses have begun
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(20) == 0


def is_open(connection: socket.socket) -> bool:
    """Return whether the other side has not closed an idle connection."""
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    finally:
        connection.settimeout(10)


def test_idle_connections_make_room(start_gateway: StartGateway) -> None:
    """At the limit the connection that has been idle for longest ends, and the new one is served."""
    gateway = start_gateway(max_connections=5)
    gateway.close()
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(gateway)) for _ in range(5)]
        for connection in connections:
            connection.sendall(LIVE)
            assert read_response(connection)[0] == 200
        for number in range(3):
            newest = stack.enter_context(connect(gateway))
            newest.sendall(LIVE)
            assert read_response(newest)[0] == 200
            wait_until(lambda number=number: not is_open(connections[number]))  # type: ignore[misc]
        assert [is_open(connection) for connection in connections] == [False] * 3 + [True] * 2


@pytest.mark.parametrize(
    "beginning", [b"", b"GET /livez HT", b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"]
)
def test_slow_connections_make_room(start_gateway: StartGateway, beginning: bytes) -> None:
    """Connections that began a head or a body and go on slowly do not keep others out."""
    gateway = start_gateway(max_connections=5)
    gateway.close()
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(connect(gateway)).sendall(beginning)

        def is_served() -> bool:
            with connect(gateway) as connection:
                connection.sendall(LIVE)
                return read_to_first_line(connection).startswith(b"HTTP/1.1 200")

        wait_until(is_served)  # the others are not slow before they have had half a second


def read_to_first_line(connection: socket.socket) -> bytes:
    """Return the beginning of a response, nothing if the connection was reset."""
    try:
        return connection.recv(65536)
    except ConnectionError:
        return b""


def test_what_the_gateway_works_on_is_never_ended(model_server: FakeModelServer, start_gateway: StartGateway) -> None:
    """If every connection waits for its response, one more is refused in words, and all the others are answered."""
    gateway = start_gateway(max_connections=6)
    wait_until_ready(gateway)
    with model_server.holding(), sent(gateway, *[marked_image(number=number) for number in range(5)]) as connections:
        wait_until(lambda: model_server.calls.running == 5)
        with connect(gateway) as sixth:  # in the place of the idle client's own
            sixth.sendall(request_bytes(marked_image(number=9)))
            wait_until(lambda: model_server.calls.running == 6)
            with connect(gateway) as seventh:
                refused = read_to_the_end(seventh)
                assert refused.startswith(b"HTTP/1.1 503 ")
                assert b"retry-after: 1" in refused
                assert b"as many connections as it takes" in refused
            model_server.release()
            assert [read_response(connection)[0] for connection in (*connections, sixth)] == [200] * 6
