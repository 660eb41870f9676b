"""The head of a request is bounded in bytes and in time, whatever it is about."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.gateway.conftest import StartGateway
from tests.gateway.raw_requests import read_to_the_end


@contextmanager
def connected(gateway: httpx.Client) -> Iterator[socket.socket]:
    """Open a connection to a gateway."""
    address = (gateway.base_url.host, gateway.base_url.port or 0)
    with socket.create_connection(address, timeout=20) as connection:
        yield connection


@pytest.mark.parametrize(
    "head",
    [
        b"GET /livez HTTP/1.1\r\nhost: x\r\nlong: " + b"x" * 5000 + b"\r\n\r\n",
        b"GET /livez?" + b"x" * 5000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n" + b"many: 1\r\n" * 1000 + b"\r\n",
    ],
)
def test_a_head_that_is_too_large_is_refused(start_gateway: StartGateway, head: bytes) -> None:
    """More bytes of target and headers than the setting allows are answered with 431, and the connection ends."""
    with connected(start_gateway(max_header_bytes=4096)) as connection:
        connection.sendall(head)
        assert read_to_the_end(connection).startswith(b"HTTP/1.1 431 ")


def test_a_head_without_end_is_cut_off(start_gateway: StartGateway) -> None:
    """A single header that never ends is refused as soon as it is too large, not kept until memory runs out."""
    with connected(start_gateway(max_header_bytes=4096)) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nendless: ")
        try:
            for _ in range(10_000):
                connection.sendall(b"x" * 1000)
        except OSError:
            return  # the other side has closed, long before ten megabytes
        pytest.fail("ten megabytes of a header were taken")


@pytest.mark.parametrize("beginning", [b"", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nhost: x\r\n"])
def test_a_head_that_does_not_come_is_not_waited_for(start_gateway: StartGateway, beginning: bytes) -> None:
    """A connection on which no whole head arrives in time is closed."""
    with connected(start_gateway(header_timeout_seconds=0.2)) as connection:
        connection.sendall(beginning)
        assert read_to_the_end(connection) == b""


def test_a_kept_connection_may_rest(start_gateway: StartGateway) -> None:
    """Between two requests a kept connection is not held to the time for a head."""
    request = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
    with connected(start_gateway(header_timeout_seconds=0.2)) as connection:
        connection.sendall(request)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(20)
        connection.sendall(request)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_second_head_that_does_not_end_is_not_waited_for(start_gateway: StartGateway) -> None:
    """A connection on which a request was answered is closed, too, when the next head has begun and does not end."""
    with connected(start_gateway(header_timeout_seconds=0.3)) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\nGET /livez HTT")
        assert read_to_the_end(connection).startswith(b"HTTP/1.1 200 OK")
