"""Requests whose HTTP is odd: offers to upgrade, two hosts, trailers, paths with control characters."""

from collections.abc import Iterator
from functools import partial

from benchmarks.attack.attack import REFUSED, Attack, http_attack
from benchmarks.attack.exchange import CLOSED, Target

MB = 1_000_000
_REFUSED_OR_CLOSED = (*REFUSED, CLOSED)


def framing_attacks(image: bytes) -> Iterator[Attack]:
    """Yield attacks on the reader of HTTP; where `image` is sent whole, it has to be predicted."""
    jpeg = {"content-type": "image/jpeg"}
    upgrade = {**jpeg, "connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAABkAAQAAP__"}
    yield http_attack(
        "offers h2c", "framing", lambda target: target.request("/v1/predict", image, headers=upgrade), ("200",)
    )
    for name, path in {
        "a line end in the path": "/metrics%0A",
        "a NUL in the path": "/v1/models/%00/card",
        "a lone surrogate in the path": "/v1/models/%ED%A0%80/card",
        "a path of 30 KB": "/v1/models/" + "x" * 30_000,
        "a version that is not served": "/v1/models/{model}/versions/987654",
    }.items():
        yield http_attack(name, "framing", partial(_get, path), _REFUSED_OR_CLOSED)
    yield http_attack("a surrogate in JSON", "framing", _surrogate)
    yield http_attack(
        "two hosts", "framing", lambda target: _raw(target, b"Host: a\r\nHost: b\r\n"), _REFUSED_OR_CLOSED
    )
    yield http_attack("no host", "framing", lambda target: _raw(target, b""), _REFUSED_OR_CLOSED)
    yield http_attack("two lengths", "framing", _two_lengths, _REFUSED_OR_CLOSED)
    yield http_attack(
        "headers of 3 MB",
        "framing",
        lambda target: _raw(target, b"Host: a\r\nX: " + b"x" * (3 * MB)),
        _REFUSED_OR_CLOSED,
    )
    yield http_attack(
        "twenty thousand headers",
        "framing",
        lambda target: _raw(target, b"Host: a\r\n" + b"x:\r\n" * 20_000),
        _REFUSED_OR_CLOSED,
    )
    yield http_attack("chunks of one byte, 2 MB", "framing", _small_chunks, _REFUSED_OR_CLOSED)


def _get(path: str, target: Target) -> bytes:
    return target.request(path.replace("{model}", target.model), method="GET")


def _raw(target: Target, headers: bytes) -> bytes:
    return b"GET /v1/models HTTP/1.1\r\n" + headers + b"\r\n"


def _two_lengths(target: Target) -> bytes:
    return target.request("/v1/predict", b"x" * 10, headers={"Content-Length": 3, "content-type": "image/jpeg"})


def _small_chunks(target: Target) -> bytes:
    head = f"POST /v1/predict HTTP/1.1\r\nhost: {target.host}:{target.port}\r\ncontent-type: image/jpeg\r\n"
    return head.encode() + b"transfer-encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 2 * MB + b"0\r\n\r\n"


def _surrogate(target: Target) -> bytes:
    body = b'{"inputs": [{"name": "\\ud800", "datatype": "BYTES", "shape": [1], "data": ["x"]}]}'
    return target.request(f"/v2/models/{target.model}/infer", body, headers={"content-type": "application/json"})
