"""What `graft bench` cannot do is one sentence, before minutes are spent."""

import asyncio
import os
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from benchmarks.serving.systems import free_port
from tests.fakes.loop_thread import LoopThread
from tests.fakes.marked_images import marked_image
from tests.gateway.security.certificates import Authority
from tests.graft.places import Place

_SHORT = ("--clients", "1", "--seconds", "0.2", "--warm-up", "0")


class _Responds(BaseHTTPRequestHandler):
    """Responds to every POST with the status that its path begins with, and what follows, up to a protocol's path."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        status, _, said = self.path.lstrip("/").partition("/")
        body = unquote(re.split("/v[12]/", said)[0]).encode()
        self.send_response(int(status))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@contextmanager
def responding(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve on a port, with TLS if there is a context."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Responds)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A service without TLS."""
    with responding() as found:
        yield found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A folder with an image."""
    (tmp_path / "photo.png").write_bytes(marked_image())
    return Place(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["127.0.0.1:8000", "photo.png"], "127.0.0.1:8000 is not the URL of a service; write one such as http://"),
        (["ftp://host", "photo.png"], "ftp://host is not the URL of a service"),
        (["http://a..b", "photo.png"], "http://a..b is not the URL of a service"),
        (["http://h:0", "photo.png"], "http://h:0 is not the URL of a service"),
        (["http://h", "photo.png", "--clients", "0"], "--clients takes numbers from 1 to 10000, such as 1,8,32; not"),
        (["http://h", "photo.png", "--clients", "1,,8"], "not ''"),
        (["http://h", "photo.png", "--clients", "8 clients"], "not '8 clients'"),
        (["http://h", "photo.png", "--rate", "fast"], "--rate takes requests a second"),
        (["http://h", "photo.png", "--rate", "nan"], "not 'nan'"),
        (["http://h", "photo.png", "--rate", "0"], "not '0'"),
        (
            ["http://h", "photo.png", "--rate", "100000", "--seconds", "86400"],
            "is more than 10000000 requests",
        ),
        (["http://h", "photo.png", "--seconds", "nan"], "--seconds takes seconds from 0.1 to 86400, not nan."),
        (["http://h", "photo.png", "--seconds", "0"], "--seconds takes seconds from 0.1"),
        (["http://h", "photo.png", "--warm-up", "-1"], "--warm-up takes seconds from 0 "),
        (["http://h", "photo.png", "--timeout", "inf"], "--timeout takes seconds from 0.001"),
        (["http://h", "photo.png", "--protocol", "grpc"], "takes native, tensorflow, open-inference, raw, not grpc"),
        (["http://h", "photo.png", "--protocol", "tensorflow"], "has the name of the model: add --model NAME."),
        (["http://h", "photo.png", "--protocol", "raw", "--model", "m"], "leave --model and --version out"),
        (["http://h", "photo.png", "--ca", "photo.png"], "--ca is for URLs with https://"),
        (["https://h", "photo.png", "--ca", "photo.png"], "photo.png holds no certificates to trust"),
        (["https://h", "photo.png", "--ca", "gone.pem"], "gone.pem holds no certificates to trust"),
        (["http://h", "gone.png"], "gone.png: It cannot be read: No such file or directory."),
        (["http://h", "*.gif"], "No file fits the pattern *.gif"),
        (["http://h", "photo.png", "--pid", "999999999"], "There is no process 999999999; --pid takes the id of"),
        (["http://h", "photo.png", "--pid", str(os.getpid())], "is this command; --pid takes a process of the service"),
    ],
)
def test_bad_options_are_one_sentence(place: Place, arguments: list[str], sentence: str) -> None:
    """It says what was given and what to give."""
    assert sentence in place.refused("bench", *arguments)


@pytest.mark.parametrize(
    ("path", "options", "sentence"),
    [
        ("404/", (), "cannot predict: v1/predict (POST /v1/predict below the URL; is it --protocol native that is"),
        ("404/gone", ("--protocol", "raw"), "cannot predict: gone (--protocol raw sends to the URL as it is.)"),
        ("403/no", ("--protocol", "raw"), "cannot predict: no"),
        ("301/", ("--protocol", "raw"), "cannot predict: status 301"),
        ("500/it%20broke", ("--protocol", "raw"), "none of the first images, such as photo.png: 500, it broke"),
        ("415/no", ("--protocol", "raw"), "predicts none of the first images, such as photo.png: 415, no"),
    ],
)
def test_a_service_that_does_not_predict_is_one_sentence(
    place: Place, port: int, path: str, options: tuple[str, ...], sentence: str
) -> None:
    """Whatever its reason is, with its own words."""
    url = f"http://127.0.0.1:{port}/{path}"
    assert sentence in place.refused("bench", url, "photo.png", *options)


@pytest.mark.parametrize("protocol", ["native", "tensorflow", "open-inference"])
@pytest.mark.parametrize("said", ["<html>", "[1]", '{"status":"ok"}'])
def test_another_service_that_takes_everything_is_not_measured(
    place: Place, port: int, protocol: str, said: str
) -> None:
    """A page with status 200 is not a prediction, and its rate would be a fine number."""
    url = f"http://127.0.0.1:{port}/200/{said}"
    options = ("--protocol", protocol, *(("--model", "m") if protocol != "native" else ()))
    refused = place.refused("bench", url, "photo.png", *options)
    assert f"has no predictions as --protocol {protocol} has them" in refused


def test_nothing_at_the_address_is_one_sentence(place: Place) -> None:
    """A closed port and an unknown host are told from a service that predicts nothing."""
    said = place.refused("bench", f"http://127.0.0.1:{free_port()}", "photo.png")
    assert "No service responds at http://127.0.0.1:" in said
    assert "(no connection: " in said
    assert "refused" in said
    assert "start one with `graft up`" in said
    assert "(no connection: " in place.refused("bench", "http://nowhere.invalid", "photo.png")


def test_what_is_not_http_is_one_sentence(place: Place) -> None:
    """Such as the gRPC port of a model server, or a service that hangs up."""
    greetings = {
        b"\0\0\x12\x04\0\0\0\0\0\0\0\0": "what responds there is not HTTP/1.1",
        b"": "ended before the response",
    }
    for greeting, sentence in greetings.items():

        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(greeting)  # noqa: B023 - it is called before the next turn
            writer.close()

        loop = LoopThread()
        server = loop.run(asyncio.start_server(greet, "127.0.0.1", 0))
        try:
            found = server.sockets[0].getsockname()[1]
            assert sentence in place.refused("bench", f"http://127.0.0.1:{found}", "photo.png")
        finally:
            loop.call_soon(server.close)
            loop.run(server.wait_closed())
            loop.close()


def test_tls_is_used_and_checked(place: Place) -> None:
    """A certificate of an authority that is not trusted is refused; with --ca it is trusted, for its own name."""
    authority = Authority(place.root)
    pair = authority.vouch("server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with responding(context) as secure:
        url = f"https://127.0.0.1:{secure}/200/"
        raw = ("--protocol", "raw", *_SHORT)
        assert "the certificate is not trusted" in place.refused("bench", url, "photo.png", *raw)
        ca = ("--ca", str(authority.certificate))
        shown = place.must("bench", url, "photo.png", *raw, *ca)
        assert "1 client" in shown
    with responding() as open_port:
        said = place.refused("bench", f"https://127.0.0.1:{open_port}/200/", "photo.png", *raw, *ca)
        assert "(no TLS: " in said
