"""Bodies that come in pieces, and responses that end early."""

from collections.abc import AsyncIterator

import httpx
from fastapi import FastAPI, Request
from starlette.responses import StreamingResponse

from gateway.http.routing import PlainRoute
from tests.fakes.model_server import FakeModelServer
from tests.gateway.conftest import StartGateway
from tests.gateway.images import draw
from tests.gateway.raw_requests import connect, read_to_the_end, request_bytes, settle

BIG = draw(mark=bytes(range(256)) * 2000)


def add_broken_response(app: FastAPI) -> None:
    """Add a path whose answer fails after its head."""

    async def fail() -> AsyncIterator[bytes]:
        for part in (0,):
            yield bytes(1 // part)

    async def respond(_: Request) -> StreamingResponse:
        return StreamingResponse(fail())

    app.router.routes.append(PlainRoute("/broken", respond))


def content_of(model_server: FakeModelServer) -> bytes:
    """Return the image that the model server was asked about last."""
    [content] = model_server.predict_requests[-1].inputs["image_bytes"].string_val
    return bytes(content)


def test_a_body_in_many_pieces_arrives_whole(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """Chunks of a byte each, sent at once with the head, are the image that the model server gets."""
    image = draw(mark=bytes(range(256)) * 4)
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in image)
    head = b"POST /v1/predict HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    with connect(own_gateway) as connection:
        connection.sendall(head + chunks + b"0\r\n\r\n")
        assert b" 200 OK" in read_to_the_end(connection)
    assert content_of(model_server) == image


def test_a_body_after_its_head_arrives_whole(own_gateway: httpx.Client, model_server: FakeModelServer) -> None:
    """A body that comes in two parts, the first some time after the head, is taken together."""
    request, image = request_bytes(BIG, Connection="close"), len(BIG)
    with connect(own_gateway) as connection:
        for part in (request[:-image], request[-image:-1000], request[-1000:]):
            connection.sendall(part)
            settle(own_gateway)
        assert b" 200 OK" in read_to_the_end(connection)
    assert content_of(model_server) == BIG


def test_the_head_of_a_broken_answer_is_sent(start_gateway: StartGateway) -> None:
    """An answer that fails after its head is that head and the end of the connection: nobody takes it as whole."""
    gateway = start_gateway(add_broken_response)
    with connect(gateway) as connection:
        connection.sendall(b"GET /broken HTTP/1.1\r\nhost: x\r\n\r\n")
        received = read_to_the_end(connection)
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert received.endswith(b"\r\n\r\n")
    assert gateway.get("/livez").status_code == 200
