"""The parser by itself: it stops where its receiver has had enough."""

import httptools
import pytest

from gateway.http.wire.parser import EnoughError, RequestParser

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Listener:
    """Hears requests, and has enough of them after `most`, or of headers after `most_headers`."""

    def __init__(self, most: int, most_headers: int = 1000) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.requests = 0
        self._most = most
        self._most_headers = most_headers

    def on_message_begin(self) -> None:
        """Count a request."""
        if self.requests == self._most:
            raise EnoughError
        self.requests += 1

    def on_url(self, url: bytes) -> None:
        """Ignore the target."""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        if len(self.headers) == self._most_headers:
            raise EnoughError
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Ignore the end of a head."""

    def on_body(self, body: bytes) -> None:
        """Ignore a body."""

    def on_message_complete(self) -> None:
        """Ignore the end of a request."""


def test_nothing_is_parsed_after_enough_requests() -> None:
    """Thousands of requests in one piece cost no more than those before the connection was ended."""
    listener = Listener(most=3)
    RequestParser(listener).feed_data(REQUEST * 10_000)
    assert listener.requests == len(listener.headers) == 3


def test_nothing_is_parsed_after_enough_headers() -> None:
    """Thousands of headers in one piece cost no more than those before the connection was ended."""
    listener = Listener(most=1, most_headers=5)
    RequestParser(listener).feed_data(b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 10_000)
    assert len(listener.headers) == 5


def test_what_is_not_http_is_an_error_all_the_same() -> None:
    """Only a receiver that has enough ends the parsing in silence."""
    parser = RequestParser(Listener(most=1))
    with pytest.raises(httptools.HttpParserError):
        parser.feed_data(b"nonsense\r\n\r\n")
    assert parser.failure
