"""A gateway that is told to end: who is in gets an answer, who comes is sent elsewhere, and it does end."""

import signal
import socket
import time
from typing import Any

import httpx
import psutil
import pytest

from tests.fakes.made_up_predictions import label_for
from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import FakeModelServer
from tests.gateway.gateway_process import gateway_process
from tests.gateway.raw_requests import connect, read_response, sent, settle
from tests.gateway.waiting import wait_until

HUNDRED = [marked_image(number=number) for number in range(100)]


def label_of(body: Any) -> str:
    """Return the label in a native answer."""
    return str(body["predictions"][0]["label"])


def accepted_connections(process: int) -> int:
    """Return how many connections a process has taken; those that still wait for it in the kernel do not count."""
    return sum(one.status == psutil.CONN_ESTABLISHED for one in psutil.Process(process).net_connections("tcp"))


def is_closed(gateway: httpx.Client) -> bool:
    """Return whether new connections are refused; one that is cut off came while the port was being closed."""
    try:
        socket.create_connection((gateway.base_url.host, gateway.base_url.port)).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        return False
    return False


def is_ready(gateway: httpx.Client) -> bool:
    """Return whether the worker that takes a new connection is ready."""
    return httpx.get(f"{gateway.base_url}/readyz", trust_env=False).status_code == 200


def test_a_hundred_in_flight_get_a_hundred_answers(model_server: FakeModelServer) -> None:
    """At SIGTERM it is not ready at once, still takes what comes, then ends with 0 when all hundred are answered."""
    with gateway_process(model_server.address, max_in_flight=100, shutdown_delay_seconds=2) as gateway:
        with model_server.holding(), sent(gateway.client, *HUNDRED) as connections:
            wait_until(lambda: model_server.calls.running == 100)
            gateway.process.send_signal(signal.SIGTERM)
            wait_until(lambda: gateway.client.get("/readyz").status_code == 503, seconds=1)
            late = gateway.client.get("/livez")
            assert (late.status_code, late.headers["connection"]) == (200, "close")
            wait_until(lambda: is_closed(gateway.client))
            assert gateway.process.poll() is None
            model_server.release()
            responses = [read_response(connection) for connection in connections]
        assert [status for status, _ in responses] == [200] * 100
        assert [label_of(body) for _, body in responses] == [label_for(image) for image in HUNDRED]
        assert gateway.process.wait(10) == 0


def test_those_who_wait_are_answered_too(model_server: FakeModelServer) -> None:
    """At SIGTERM the queue is worked off: of a hundred, ten run and ninety wait, and all are answered."""
    settings = {"max_in_flight": 10, "max_queued": 90, "queue_timeout_seconds": 10, "shutdown_delay_seconds": 0}
    with gateway_process(model_server.address, **settings) as gateway:
        with model_server.holding(), sent(gateway.client, *HUNDRED) as connections:
            wait_until(
                lambda: accepted_connections(gateway.process.pid) == len(HUNDRED) + 2
            )  # the client, the model server
            settle(gateway.client)
            gateway.process.send_signal(signal.SIGTERM)
            wait_until(lambda: is_closed(gateway.client))
            model_server.release()
            responses = [read_response(connection) for connection in connections]
        assert [status for status, _ in responses] == [200] * 100
        assert [label_of(body) for _, body in responses] == [label_for(image) for image in HUNDRED]
        assert gateway.process.wait(10) == 0
    assert model_server.calls.most_running == 10


def test_a_hanging_call_does_not_keep_it(model_server: FakeModelServer) -> None:
    """What does not end by its deadline is a 504, and then the process ends all the same."""
    with gateway_process(model_server.address, request_timeout_seconds=1, shutdown_delay_seconds=0) as gateway:
        with sent(gateway.client, marked_image("HANG")) as [connection]:
            wait_until(lambda: model_server.calls.running == 1)
            gateway.process.send_signal(signal.SIGTERM)
            assert read_response(connection)[0] == 504
        assert gateway.process.wait(10) == 0


@pytest.mark.parametrize("settings", [{}, {"workers": 2}, {"operations_port": 0}], ids=str)
def test_a_second_signal_answers_what_is_in_flight(model_server: FakeModelServer, settings: dict[str, float]) -> None:
    """After a second SIGTERM calls, waiting requests and bodies in arrival get a 503 in words, and the process ends."""
    settings = {"max_in_flight": 2, "queue_timeout_seconds": 60, **settings}
    with gateway_process(
        model_server.address, request_timeout_seconds=60, shutdown_delay_seconds=0, **settings
    ) as gateway:
        wait_until(lambda: all(is_ready(gateway.client) for _ in range(20)))  # all workers are
        images = [marked_image("HANG", number) for number in range(6)]
        with sent(gateway.client, *images) as connections, connect(gateway.client) as uploading:
            uploading.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n" + bytes(9))
            wait_until(lambda: model_server.calls.running >= 2)
            settle(gateway.client)
            gateway.process.send_signal(signal.SIGTERM)
            wait_until(lambda: is_closed(gateway.client))
            assert gateway.process.poll() is None
            gateway.process.send_signal(signal.SIGTERM)
            for connection in (*connections, uploading):
                status, problem = read_response(connection)
                assert (status, problem["code"]) == (503, "not_ready")
                assert "send it again" in str(problem["detail"])
        assert gateway.process.wait(20) == 0


def test_what_does_not_end_in_time_is_answered_in_words(model_server: FakeModelServer) -> None:
    """A body that is still arriving when the time for stopping is over gets a 503 in words after one signal, too."""
    with (
        gateway_process(model_server.address, request_timeout_seconds=1, shutdown_delay_seconds=0) as gateway,
        connect(gateway.client) as uploading,
    ):
        uploading.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n" + bytes(9))
        settle(gateway.client)
        gateway.process.send_signal(signal.SIGTERM)
        assert read_response(uploading)[0] == 503
        assert gateway.process.wait(20) == 0


def test_a_second_signal_ends_it_at_once(model_server: FakeModelServer) -> None:
    """A second SIGTERM does not wait for calls that run."""
    with (
        gateway_process(model_server.address, request_timeout_seconds=60, shutdown_delay_seconds=30) as gateway,
        sent(gateway.client, marked_image("HANG")),
    ):
        wait_until(lambda: model_server.calls.running == 1)
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: gateway.client.get("/readyz").status_code == 503)
        started = time.monotonic()
        gateway.process.send_signal(signal.SIGTERM)
        gateway.process.wait(25)
        assert time.monotonic() - started < 20, "it would have waited for thirty seconds"
