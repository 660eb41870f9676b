"""Predictions asked for over plain connections, where it matters what was sent when, and who is still there."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx

from tests.gateway.http.test_body_limit import connect

_ROUND_TRIPS = 3


def request_bytes(picture: bytes, **headers: str) -> bytes:
    """Return a native request about a picture as it goes over the wire."""
    shown = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(picture)}\r\n{shown}\r\n".encode() + picture


@contextmanager
def sent(gateway: httpx.Client, *pictures: bytes, in_order: bool = False) -> Iterator[list[socket.socket]]:
    """Ask about each picture on a connection of its own, and close the connections at the end.

    The gateway has begun with all of them, if `in_order` one after the other.
    """
    with ExitStack() as stack:
        connections = []
        for picture in pictures:
            connections.append(stack.enter_context(connect(gateway)))
            connections[-1].sendall(request_bytes(picture))
            if in_order:
                settle(gateway)
        settle(gateway)
        yield connections


def settle(gateway: httpx.Client) -> None:
    """Return when the gateway has taken up what was sent before: its one loop has answered several times since."""
    for _ in range(_ROUND_TRIPS):
        gateway.get("/livez")
