"""Heads and framing that HTTP/1.1 does not permit are refused in a sentence, and trailers are not headers."""

import json
from pathlib import Path

import httpx
import pytest

from tests.fakes.made_up_predictions import label_for
from tests.fakes.marked_images import marked_image
from tests.gateway.raw_requests import exchange
from tests.gateway.running import running_gateway
from tests.gateway.security.api_keys import Keys

IMAGE = marked_image(number=3)
CHUNKED = b"%x\r\n" % len(IMAGE) + IMAGE + b"\r\n0\r\n"


def head_of(received: bytes) -> bytes:
    """Return the first line of a response."""
    return received.partition(b"\r\n")[0]


@pytest.mark.parametrize(
    ("lines", "part"),
    [
        (b"", "no Host header"),
        (b"Host: a\r\nHost: b\r\n", "2 Host headers"),
        (b"Host: a\r\nHost: a\r\nHost: a\r\n", "3 Host headers"),
        (b"Host: a b\r\n", "'a b'"),
        (b"Host: a/b\r\n", "'a/b'"),
        (b"Host: a,b\r\nhost:\r\n", "2 Host headers"),
        (b"Host: user@a\r\n", "'user@a'"),
        (b"Host: a:b\r\n", "'a:b'"),
        (b"Host: [::1\r\n", "'[::1'"),
        (b"Host: \xff\r\n", "'\xff'"),
        (b"Host: x\r\nX-API-Key: a\r\nX-API-Key: b\r\n", "2 X-API-Key headers"),
        (b"Host: x\r\nAuthorization: Bearer a\r\nauthorization: Bearer b\r\n", "2 Authorization headers"),
        (b"Host: x\r\nContent-Type: a/b\r\nContent-Type: image/png\r\n", "2 Content-Type headers"),
    ],
)
@pytest.mark.parametrize("path", [b"/livez", b"/v1/models", b"/v2", b"/v1/models/flowers", b"/metrics", b"/nothing"])
def test_a_head_that_could_be_read_in_two_ways_is_refused(
    gateway: httpx.Client, path: bytes, lines: bytes, part: str
) -> None:
    """No Host, several, or one that is none, and other headers that are given twice, are 400 with what was seen."""
    received = exchange(gateway, b"GET " + path + b" HTTP/1.1\r\n" + lines + b"Connection: close\r\n\r\n")
    assert head_of(received) == b"HTTP/1.1 400 Bad Request"
    body = json.loads(received.partition(b"\r\n\r\n")[2])
    assert part in body.get("detail", body.get("error"))


@pytest.mark.parametrize(
    "host", [b"x", b"", b"a.b-c_d:80", b"127.0.0.1:8000", b"[::1]:8000", b"[fe80::1]", b"x:", b"%41"]
)
def test_a_host_is_a_name_or_an_address(gateway: httpx.Client, host: bytes) -> None:
    """Whatever RFC 3986 has for a host, with a port or not, is accepted."""
    received = exchange(gateway, b"GET /livez HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
    assert head_of(received) == b"HTTP/1.1 200 OK"


def test_http_1_0_needs_no_host(gateway: httpx.Client) -> None:
    """A request of HTTP/1.0 without a Host is answered, and its connection ends."""
    assert head_of(exchange(gateway, b"GET /livez HTTP/1.0\r\n\r\n")) == b"HTTP/1.1 200 OK"


@pytest.mark.parametrize(
    "head",
    [
        b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc",
        b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
        b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\nabc",
        b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST /v1/predict HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nFolded: a\r\n b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n Host: x\r\n\r\n",
        b"GET /livez HTTP/1.1\nHost: x\n\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nZero: a\0b\r\n\r\n",
        b"GET /livez HTTP/1.2\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /livez HTTP/2.0\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /livez HTTP/0.9\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /livez\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_bad_framing_is_refused_in_a_sentence(gateway: httpx.Client, head: bytes) -> None:
    """Lengths that contradict each other, folded headers, other versions and what is no HTTP at all are 400."""
    received = exchange(gateway, head)
    assert head_of(received) == b"HTTP/1.1 400 Bad Request"
    sentence = received.partition(b"\r\n\r\n")[2].decode()
    assert "HTTP" in sentence
    assert "Traceback" not in sentence


def test_another_transfer_coding_is_not_supported(gateway: httpx.Client) -> None:
    """A body that is compressed for the transfer is refused with 501, since what would be read is not an image."""
    head = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
    received = exchange(gateway, head + CHUNKED + b"\r\n")
    assert received.startswith(b"HTTP/1.1 501 ")
    assert b"'gzip, chunked'" in received


@pytest.mark.parametrize(
    "trailer",
    [
        b"Host: y\r\n",
        b"Content-Type: text/plain\r\n",
        b"Expect: 100-continue\r\n",
        b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
        b"X-Request-Timeout-Ms: 0\r\nX-Request-ID: late\r\n",
        b"Connection: upgrade\r\nUpgrade: h2c\r\n",
    ],
)
def test_trailers_mean_nothing(gateway: httpx.Client, trailer: bytes) -> None:
    """What follows a chunked body is dropped: the image is answered, and so is the next request."""
    head = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    following = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    received = exchange(gateway, head + CHUNKED + trailer + b"\r\n" + following)
    assert received.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert label_for(IMAGE).encode() in received
    assert b"late" not in received
    assert b"100 Continue" not in received


@pytest.mark.parametrize("header", ["X-API-Key: {}", "Authorization: Bearer {}"])
def test_a_key_in_a_trailer_is_none(tmp_path: Path, header: str) -> None:
    """A key after the body opens nothing, neither for its own request nor for the next one on the connection."""
    keys = Keys(tmp_path / "keys.json")
    key = header.format(keys.add()).encode()
    with running_gateway(api_keys_file=keys.path) as gateway:
        head = b"POST /v1/models HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        following = b"GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        received = exchange(gateway, head + CHUNKED + key + b"\r\n\r\n" + following + b"\r\n")
        assert received.count(b"HTTP/1.1 401 ") >= 1
        assert b"HTTP/1.1 405" not in received
        assert b"HTTP/1.1 200" not in received
        assert exchange(gateway, following + key + b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")  # the key is a good one


@pytest.mark.parametrize(
    "rest",
    [
        b"3;" + b"x" * 300_000,
        b"0\r\n" + b"a: b\r\n" * 50_000,
        b"0\r\na: " + b"b" * 300_000,
        b"1\r\nx\r\n" * 60_000,
    ],
)
def test_the_framing_of_a_body_is_bounded(gateway: httpx.Client, rest: bytes) -> None:
    """Extensions and trailers without end, and a chunk for each byte, are refused before they take time and memory."""
    head = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    received = exchange(gateway, head + rest)
    assert received == b"" or received.startswith(b"HTTP/1.1 400 ")


def test_chunks_of_a_line_each_are_read(gateway: httpx.Client) -> None:
    """A client that sends a chunk for every 76 bytes, as one that encodes base64 might, is answered."""
    image = IMAGE + bytes(2_000_000)
    lines = [image[at : at + 76] for at in range(0, len(image), 76)]
    body = b"".join(b"%x\r\n" % len(line) + line + b"\r\n" for line in lines)
    head = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert b"HTTP/1.1 400" not in exchange(gateway, head + body + b"0\r\n\r\n")


def test_few_requests_wait_on_a_connection(gateway: httpx.Client) -> None:
    """Thousands of requests that are sent before the response to the first are refused."""
    received = exchange(gateway, b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n" * 5000)
    assert b"More than 64 requests" in received
    assert received.count(b"HTTP/1.1 200") <= 64
