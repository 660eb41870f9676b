"""Offers to change to another protocol are ignored, and the body is read (RFC 9110, 7.8)."""

import json
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.fakes.made_up_predictions import label_for
from tests.fakes.marked_images import marked_image
from tests.gateway.raw_requests import connect, exchange, read_response

IMAGE = marked_image(number=7)
CHUNKED = b"5\r\n" + IMAGE[:5] + b"\r\n%x\r\n" % len(IMAGE[5:]) + IMAGE[5:] + b"\r\n0\r\n\r\n"
LENGTH = b"Content-Length: %d" % len(IMAGE)
OFFERS = [
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAA",
    b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==",
    b"Connection: keep-alive, Upgrade\r\nUpgrade: TLS/1.0, HTTP/2.0",
    b"Connection: upgrade\r\nUpgrade: nobody-knows/7",
    b"Connection: upgrade\r\nUpgrade: ",
]


def request(offer: bytes, framing: bytes, body: bytes) -> bytes:
    """Return a native predict request with an offer."""
    return b"POST /v1/predict HTTP/1.1\r\nHost: x\r\n" + offer + b"\r\n" + framing + b"\r\n\r\n" + body


@pytest.mark.parametrize("offer", OFFERS)
@pytest.mark.parametrize(("framing", "body"), [(LENGTH, IMAGE), (b"Transfer-Encoding: chunked", CHUNKED)])
@pytest.mark.parametrize("cut", [0, 1, 40])
def test_the_body_beside_an_offer_is_read(
    gateway: httpx.Client, offer: bytes, framing: bytes, body: bytes, cut: int
) -> None:
    """A body is read whatever protocol is offered beside it, in one piece or several, and the connection goes on."""
    whole = request(offer, framing, body)
    head = len(whole) - len(body)
    pieces = [whole] if not cut else [whole[:head], whole[head : head + cut], whole[head + cut :]]
    with connect(gateway) as connection:
        for _ in range(2):
            for piece in pieces:
                connection.sendall(piece)
            status, content = read_response(connection)
            assert (status, content["predictions"][0]["label"]) == (200, label_for(IMAGE))  # type: ignore[index]


def test_offers_may_follow_each_other_at_once(gateway: httpx.Client) -> None:
    """Requests with and without offers that arrive together are all answered, in order."""
    some = request(OFFERS[0], LENGTH, IMAGE) * 5 + b"GET /livez HTTP/1.1\r\nHost: x\r\n" + OFFERS[1] + b"\r\n\r\n"
    received = exchange(gateway, some + b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert received.count(b"HTTP/1.1 200 OK\r\n") == 7
    assert received.count(b'"predictions"') == 5
    assert received.index(b'"alive"') < received.index(b'"models"')


def test_the_preface_of_http_2_is_refused(gateway: httpx.Client) -> None:
    """A client that speaks HTTP/2 without an offer is refused in a sentence."""
    received = exchange(gateway, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 400 ")
    assert b"not valid HTTP/1.1" in received


@pytest.mark.skipif(shutil.which("java") is None, reason="there is no Java on this machine")
def test_the_client_of_java_is_answered(gateway: httpx.Client, tmp_path: Path) -> None:
    """Java's HttpClient, whose default is HTTP/2, posts an image with its length and chunked, and reads both labels."""
    (tmp_path / "image.png").write_bytes(IMAGE)
    source = Path(__file__).with_name("PostImage.java")
    result = subprocess.run(
        ["java", str(source), f"{gateway.base_url}/v1/predict", str(tmp_path / "image.png")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    for line in result.stdout.splitlines():
        status, _, body = line.partition(" ")
        assert (status, json.loads(body)["predictions"][0]["label"]) == ("200", label_for(IMAGE))
    assert len(result.stdout.splitlines()) == 2


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")
@pytest.mark.parametrize("options", [[], ["--header", "Transfer-Encoding: chunked"]])
def test_curl_that_offers_http_2_is_answered(gateway: httpx.Client, tmp_path: Path, options: list[str]) -> None:
    """`curl --http2` posts an image twice on one connection, and reads both labels."""
    (tmp_path / "image.png").write_bytes(IMAGE)
    url = f"{gateway.base_url}/v1/predict"
    sent = ["--noproxy", "*", "--data-binary", f"@{tmp_path / 'image.png'}", "--header", "Content-Type: image/png"]
    result = subprocess.run(
        ["curl", "--silent", "--http2", "--write-out", "\n", *options, *sent, url, url],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    labels = [json.loads(line)["predictions"][0]["label"] for line in result.stdout.splitlines() if line]
    assert labels == [label_for(IMAGE)] * 2
