"""A body over the limit is refused before it is read, and the caller receives the refusal."""

from collections.abc import Iterator

import httpx
import pytest

from tests.gateway.conftest import StartGateway
from tests.gateway.images import draw
from tests.gateway.raw_requests import connect, read_response
from tests.gateway.waiting import wait_until, wait_until_ready

MEGABYTE = 1024 * 1024
IMAGE = {"Content-Type": "image/jpeg"}


def test_a_declared_length_is_refused_at_once(gateway: httpx.Client) -> None:
    """A Content-Length over the limit is answered with 413 while nearly all of the body is never sent."""
    with connect(gateway) as connection:
        head = (
            f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: {30 * MEGABYTE}\r\n"
        )
        connection.sendall(head.encode() + b"\r\n" + bytes(100_000))
        status, problem = read_response(connection)
    assert (status, problem["code"]) == (413, "body_too_large")
    assert str(30 * MEGABYTE) in str(problem["detail"])


def test_a_caller_who_asks_first_need_not_send(gateway: httpx.Client) -> None:
    """With Expect: 100-continue the refusal comes in place of the permission."""
    with connect(gateway) as connection:
        head = (
            f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: {30 * MEGABYTE}\r\nExpect: 100-continue\r\n\r\n"
        )
        connection.sendall(head.encode())
        assert read_response(connection)[0] == 413


def test_a_caller_who_sends_everything_receives_the_refusal(gateway: httpx.Client) -> None:
    """A client that posts 30 MB before it reads gets the 413, not a broken connection."""
    response = gateway.post("/v1/predict", content=bytes(30 * MEGABYTE), headers=IMAGE)
    assert response.status_code == 413
    assert response.headers["connection"] == "close"
    assert response.json()["code"] == "body_too_large"


@pytest.mark.parametrize("chunked", [False, True])
def test_the_rest_of_the_body_is_taken_before_the_end(gateway: httpx.Client, chunked: bool) -> None:
    """After a refusal what still comes is taken and thrown away, and the connection ends without a reset.

    A reset makes some systems forget the answer that came before it.
    """
    length = b"Transfer-Encoding: chunked" if chunked else f"Content-Length: {30 * MEGABYTE}".encode()
    piece = b"100000\r\n" + bytes(MEGABYTE) + b"\r\n" if chunked else bytes(MEGABYTE)
    with connect(gateway) as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\n" + length + b"\r\n\r\n")
        for _ in range(30):
            connection.sendall(piece)
        connection.sendall(b"0\r\n\r\n" if chunked else b"")
        assert read_response(connection)[0] == 413
        assert connection.recv(1) == b""


def test_a_body_without_a_length_is_counted(gateway: httpx.Client) -> None:
    """A chunked upload is refused as soon as it exceeds the limit, and the client receives it."""

    def chunks() -> Iterator[bytes]:
        for _ in range(30):
            yield bytes(MEGABYTE)

    response = gateway.post("/v1/predict", content=chunks(), headers=IMAGE)
    assert response.status_code == 413
    assert str(20 * MEGABYTE) in response.json()["detail"]


def test_a_chunked_upload_is_refused_before_its_end(start_gateway: StartGateway) -> None:
    """The refusal of a chunked upload does not wait for the last chunk."""
    gateway = start_gateway(max_body_bytes=1000)
    with connect(gateway) as connection:
        head = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head + b"7d0\r\n" + bytes(0x7D0) + b"\r\n")
        assert read_response(connection)[0] == 413


@pytest.mark.parametrize("as_form", [False, True])
def test_the_limit_is_exact(start_gateway: StartGateway, as_form: bool) -> None:
    """A body of exactly max_body_bytes is read; one byte more is refused, raw or as a form."""
    content = httpx.Request("POST", "http://x", files={"file": draw()}) if as_form else None
    body = content.read() if content else draw()
    headers = {"Content-Type": content.headers["Content-Type"]} if content else IMAGE
    for limit, status in ((len(body), 200), (len(body) - 1, 413)):
        gateway = start_gateway(max_body_bytes=limit)
        wait_until_ready(gateway)
        assert gateway.post("/v1/predict", content=body, headers=headers).status_code == status


def test_other_early_refusals_arrive_as_well(gateway: httpx.Client) -> None:
    """A large body that nobody reads, for a path that is not there, does not destroy the answer either."""
    response = gateway.post("/nothing", content=bytes(10 * MEGABYTE), headers={**IMAGE, "Connection": "close"})
    assert response.status_code == 404


def test_the_connection_survives_small_answers(gateway: httpx.Client) -> None:
    """A request that was read whole leaves its connection open for the next one."""
    response = gateway.post("/v1/predict", content=b"no image", headers=IMAGE)
    assert response.status_code == 415
    assert "connection" not in response.headers


def test_a_caller_who_leaves_disturbs_nobody(start_gateway: StartGateway) -> None:
    """A connection cut off within its body is counted as such, and the next request is answered."""
    gateway = start_gateway()
    wait_until_ready(gateway)
    with connect(gateway) as connection:
        connection.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nonly this")
    wait_until(lambda: 'outcome="client_gone"' in gateway.get("/metrics").text)
    assert gateway.post("/v1/predict", content=draw()).status_code == 200


def test_an_early_refusal_of_a_small_body_keeps_the_connection(gateway: httpx.Client) -> None:
    """A refusal that needs no body is answered before it has arrived, and the connection takes the next request."""
    with connect(gateway) as connection:
        connection.sendall(b"POST /v1/predict?top_k=x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + bytes(400))
        refused = connection.recv(65536)
        assert refused.startswith(b"HTTP/1.1 400 ")
        assert b"connection: close" not in refused.lower()
        connection.sendall(bytes(600) + b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_who_waits_for_a_go_ahead_is_not_left_in_doubt(gateway: httpx.Client) -> None:
    """After a refusal instead of `100 Continue`, whether the body follows is unknown, so the connection ends."""
    with connect(gateway) as connection:
        head = b"POST /v1/predict?top_k=x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n"
        connection.sendall(head)
        assert b"connection: close" in connection.recv(65536).lower()
