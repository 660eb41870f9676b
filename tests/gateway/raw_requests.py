"""Predictions asked for over plain connections, where it matters what was sent when, and who is still there."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx

_ROUND_TRIPS = 3


def request_bytes(image: bytes, **headers: str) -> bytes:
    """Return a native request about an image as it goes over the wire."""
    shown = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(image)}\r\n{shown}\r\n".encode() + image


@contextmanager
def sent(gateway: httpx.Client, *images: bytes, in_order: bool = False) -> Iterator[list[socket.socket]]:
    """Ask about each image on a connection of its own, and close the connections at the end.

    The gateway has begun with all of them, if `in_order` one after the other.
    """
    with ExitStack() as stack:
        connections = []
        for image in images:
            connections.append(stack.enter_context(connect(gateway)))
            connections[-1].sendall(request_bytes(image))
            if in_order:
                settle(gateway)
        settle(gateway)
        yield connections


def settle(gateway: httpx.Client) -> None:
    """Return when the gateway has taken up what was sent before: its one loop has answered several times since."""
    for _ in range(_ROUND_TRIPS):
        gateway.get("/livez")


def connect(gateway: httpx.Client) -> socket.socket:
    """Return a plain connection to the gateway behind a client."""
    return socket.create_connection((gateway.base_url.host, gateway.base_url.port or 80), timeout=10)


def read_response(connection: socket.socket) -> tuple[int, dict[str, object]]:
    """Read an HTTP answer up to the length it declares; return its status and JSON."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    [length] = [int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    while len(body) < length:
        body += connection.recv(65536)
    return int(head.split()[1]), json.loads(body)


def exchange(gateway: httpx.Client, *sent: bytes) -> bytes:
    """Send bytes on a connection of their own; return all that comes back until the gateway closes it.

    The last request says `Connection: close`, or is one that the gateway ends the connection for.
    """
    with connect(gateway) as connection:
        connection.settimeout(30)
        with suppress(ConnectionError):  # refused before everything was sent
            for piece in sent:
                connection.sendall(piece)
        return read_to_the_end(connection)


def read_to_the_end(connection: socket.socket) -> bytes:
    """Return what arrives until the other side closes."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:  # closed with bytes of ours still unread
        pass
    return received
