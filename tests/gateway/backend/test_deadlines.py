"""Nobody waits longer than agreed: not the caller, not the model server for a caller who left, not for slow bodies."""

import re
import time

import httpx
import pytest

from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.protocol_requests import PROTOCOLS, send, sentence_in
from tests.gateway.raw_requests import connect, read_response, sent
from tests.gateway.waiting import wait_until, wait_until_ready


@pytest.fixture
def quiet(start_gateway: StartGateway) -> httpx.Client:
    """A client of a gateway that gives requests five seconds, and does not look at versions again."""
    gateway = start_gateway(poll_interval_seconds=3600, request_timeout_seconds=5)
    wait_until_ready(gateway)
    return gateway


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_callers_deadline_is_the_backends(quiet: httpx.Client, model_server: FakeModelServer, protocol: str) -> None:
    """X-Request-Timeout-Ms, if smaller than ours, reaches the model server as the call's deadline."""
    assert send(quiet, marked_image(), protocol, **{"X-Request-Timeout-Ms": "4000"}).status_code == 200
    [call] = model_server.calls.of()
    assert 0 < (call.seconds_left or 0) < 4.05


@pytest.mark.parametrize("headers", [{}, {"X-Request-Timeout-Ms": "999999999"}])
def test_our_deadline_is_the_longest(
    quiet: httpx.Client, model_server: FakeModelServer, headers: dict[str, str]
) -> None:
    """Without the header, or with more than ours in it, a call has request_timeout_seconds."""
    assert send(quiet, marked_image(), **headers).status_code == 200
    [call] = model_server.calls.of()
    assert 4.05 < (call.seconds_left or 0) < 5.05


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_call_that_is_too_slow_is_given_up(quiet: httpx.Client, model_server: FakeModelServer, protocol: str) -> None:
    """A hanging call is a 504 when its caller's time is over, and the model server is told to stop."""
    started = time.monotonic()
    response = send(quiet, marked_image("HANG"), protocol, **{"X-Request-Timeout-Ms": "300"})
    assert response.status_code == 504
    assert sentence_in(response, protocol)
    assert 0.25 < time.monotonic() - started < 4, "our own deadline is five seconds"
    wait_until(lambda: model_server.calls.count("Predict", "cancelled") == 1)


@pytest.mark.parametrize("value", ["soon", "-5", "1.5", "9" * 30])
def test_a_deadline_that_is_no_number_is_refused(
    quiet: httpx.Client, model_server: FakeModelServer, value: str
) -> None:
    """A header that cannot be read is a 400 that shows it, and no call."""
    response = send(quiet, marked_image(), **{"X-Request-Timeout-Ms": value})
    assert response.status_code == 400
    assert value[:10] in sentence_in(response)
    assert model_server.calls.count() == 0


def test_no_time_at_all_is_no_call(quiet: httpx.Client, model_server: FakeModelServer) -> None:
    """A deadline of 0 ms is over before anything was asked."""
    response = send(quiet, marked_image(), **{"X-Request-Timeout-Ms": "0"})
    assert response.status_code in {503, 504}
    assert model_server.calls.count() == 0


def test_a_description_that_hangs_does_not_outlast_the_request(
    quiet: httpx.Client, model_server: FakeModelServer
) -> None:
    """A request that needs a manifest which does not come is a 504 at its own deadline."""
    model_server.publish("flowers", 2)
    with model_server.holding("describe"):
        started = time.monotonic()
        response = send(quiet, marked_image(), **{"X-Request-Timeout-Ms": "300"})
        assert time.monotonic() - started < 4, "our own deadline is five seconds"
        assert response.status_code == 504


def test_a_caller_who_leaves_cancels_the_call(quiet: httpx.Client, model_server: FakeModelServer) -> None:
    """When the caller's connection ends, the model server sees the call cancelled long before its deadline."""
    with sent(quiet, marked_image("HANG")):
        wait_until(lambda: model_server.calls.running == 1)
    started = time.monotonic()
    wait_until(lambda: model_server.calls.count("Predict", "cancelled") == 1)
    assert time.monotonic() - started < 4, "its deadline is five seconds"
    wait_until(lambda: re.search(r'outcome="client_gone".* 1\.0', quiet.get("/metrics").text) is not None)
    assert send(quiet, marked_image()).status_code == 200


def test_only_the_caller_who_left_is_cancelled(quiet: httpx.Client, model_server: FakeModelServer) -> None:
    """Of two calls that run at once, the one whose caller stays is answered."""
    with model_server.holding(), sent(quiet, marked_image(number=1)) as [stays]:
        with sent(quiet, marked_image(number=2)):
            wait_until(lambda: model_server.calls.running == 2)
        wait_until(lambda: model_server.calls.count("Predict", "cancelled") == 1)
        model_server.release()
        assert read_response(stays)[0] == 200


def test_a_slow_sender_is_cut_off(start_gateway: StartGateway, model_server: FakeModelServer) -> None:
    """A body that drips in is refused with 408 when its time is over, and the connection ends."""
    gateway = start_gateway(body_timeout_seconds=0.5)
    wait_until_ready(gateway)
    with connect(gateway) as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        started = time.monotonic()
        connection.settimeout(0.05)
        replied = b""
        while not replied:
            connection.sendall(b"x")
            try:
                replied = connection.recv(1, 2)  # MSG_PEEK
            except TimeoutError:
                assert time.monotonic() - started < 20
        assert time.monotonic() - started > 0.4
        connection.settimeout(10)
        status, problem = read_response(connection)
        assert (status, problem["code"]) == (408, "body_too_slow")
        assert connection.recv(1) == b""
    assert model_server.calls.count() == 0


def test_a_slow_head_is_cut_off(start_gateway: StartGateway) -> None:
    """A connection on which no complete head arrives in time is closed, whether it sends or not."""
    gateway = start_gateway(header_timeout_seconds=0.5)
    for beginning in (b"", b"POST /v1/predict HTTP/1.1\r\nHost: x\r\n"):
        with connect(gateway) as connection:
            started = time.monotonic()
            connection.sendall(beginning)
            connection.recv(65536)
            assert 0.4 < time.monotonic() - started < 20


def test_slow_senders_hold_up_nobody(start_gateway: StartGateway) -> None:
    """Bodies that never arrive take no slot before the model server: others are answered meanwhile."""
    gateway = start_gateway(max_in_flight=1, max_queued=0)
    wait_until_ready(gateway)
    head = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nxx"
    connections = [connect(gateway) for _ in range(20)]
    for connection in connections:
        connection.sendall(head)
    assert [send(gateway, marked_image(number=number)).status_code for number in range(5)] == [200] * 5
    for connection in connections:
        connection.close()
