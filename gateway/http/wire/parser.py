"""httptools' parser of requests, for a server that speaks HTTP/1 only and reads no trailers."""

from typing import Protocol

import httptools

_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class EnoughError(Exception):
    """Raised by a receiver that has ended the connection: the rest of what was received is not parsed."""


class Receiver(Protocol):
    """Who hears of the parts of a request; `headers` are those of the latest request, names in lower case.

    Each may raise EnoughError.
    """

    headers: list[tuple[bytes, bytes]]

    def on_message_begin(self) -> None:
        """Hear that a request begins."""

    def on_url(self, url: bytes) -> None:
        """Hear a part of the target."""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Hear one header."""

    def on_headers_complete(self) -> None:
        """Hear that the head is complete."""

    def on_body(self, body: bytes) -> None:
        """Hear a part of the body."""

    def on_message_complete(self) -> None:
        """Hear that the request is complete."""


class RequestParser:
    """Parses the requests of one connection.

    An offer to change to another protocol (`Upgrade: h2c`, which Java's HttpClient and `curl --http2` send) is ignored,
    as RFC 9110, 7.8 allows. httptools takes what follows such a head for the other protocol, so a fresh parser, which
    hears of the request's framing only, reads it on. Trailers are counted as received bytes, and dropped.

    `body_bytes` counts the content of bodies; all other bytes that were fed are heads and framing. `failure` is what is
    wrong with the request after `feed_data` raised, in httptools' words, which are its own and never the caller's.
    """

    def __init__(self, receiver: Receiver) -> None:
        self.body_bytes = 0
        self.failure = ""
        self._receiver = receiver
        self._is_in_head = False
        self._is_offer = False
        self._is_restarting = False
        self._parser = self._fresh()

    def feed_data(self, data: bytes) -> None:
        """Parse received bytes.

        Raises:
            httptools.HttpParserError: they are not HTTP/1.
        """
        rest = memoryview(data)
        try:
            while True:
                try:
                    self._parser.feed_data(rest)
                except httptools.HttpParserUpgrade as offer:
                    rest = rest[offer.args[0] :]
                    self._read_on()
                    continue
                return
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, EnoughError):
                return
            self.failure = str(error)
            raise

    def get_http_version(self) -> str:
        """Return the version of the request line, such as `1.1`."""
        return str(self._parser.get_http_version())

    def get_method(self) -> bytes:
        """Return the method of the request line."""
        return bytes(self._parser.get_method())

    def should_keep_alive(self) -> bool:
        """Return whether the connection may take another request."""
        return bool(self._parser.should_keep_alive())

    def should_upgrade(self) -> bool:
        """Return False: an offer is never accepted."""
        return False

    def _fresh(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn: a pipelined request may end it
        return parser

    def _read_on(self) -> None:
        """Continue after the head of a request that offered another protocol."""
        framing = [name + b": " + value for name, value in self._receiver.headers if name in _FRAMING]
        self._parser = self._fresh()
        self._is_offer = False
        self._is_restarting = True
        self._parser.feed_data(b"\r\n".join((b"POST / HTTP/1.1", *framing, b"", b"")))
        self._is_restarting = False

    # what httptools calls

    def on_message_begin(self) -> None:
        """Begin a request."""
        if not self._is_restarting:
            self._is_in_head = True
            self._receiver.on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Pass a part of the target on."""
        if self._is_in_head:
            self._receiver.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Pass one header on, and drop a trailer."""
        if self._is_in_head:
            self._receiver.on_header(name, value)

    def on_headers_complete(self) -> None:
        """End the head."""
        if not self._is_restarting:
            self._is_in_head = False
            self._is_offer = bool(self._parser.should_upgrade())
            self._receiver.on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Pass a part of the body on."""
        self.body_bytes += len(body)
        self._receiver.on_body(body)

    def on_message_complete(self) -> None:
        """End a request, unless it is one with an offer, whose body is still to come."""
        if not self._is_offer:
            self._receiver.on_message_complete()
