"""Where load is sent: a URL, a protocol, and what belongs to every request."""

import base64
from dataclasses import dataclass
from pathlib import Path

import httpx

from graft.actions.bench.protocols import NEEDS_MODEL, BenchProtocol, RequestForm
from graft.actions.given.authorities import trust_of
from graft.errors import CommandError
from graft.traffic.connection import Endpoint

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class BenchTarget:
    """A service: where it listens, what is sent to it, and the head of each request up to its length."""

    url: str
    form: RequestForm
    endpoint: Endpoint
    head: bytes
    has_key: bool

    def request(self, image: bytes) -> bytes:
        """Return the whole request for an encoded image."""
        body = self.form.body(image)
        return b"%scontent-length: %d\r\n\r\n%s" % (self.head, len(body), body)


def target_of(url: str, form: RequestForm, api_key: str | None, ca: Path | None, patience: float) -> BenchTarget:
    """Return the target that a URL and the options stand for.

    Raises:
        CommandError: the URL is not one, the protocol needs a model's name, or `ca` has no certificates.
    """
    parsed = _parsed(url)
    if form.protocol in NEEDS_MODEL and not form.model:
        raise CommandError(f"The path of --protocol {form.protocol} has the name of the model: add --model NAME.")
    if form.protocol is BenchProtocol.RAW and (form.model or form.version):
        raise CommandError("With --protocol raw the URL says everything; leave --model and --version out.")
    if form.protocol in NEEDS_MODEL and form.model in {".", ".."}:
        raise CommandError(f"{form.model} is not a model's name; give that of a model of the service with --model.")
    if ca is not None and parsed.scheme != "https":
        raise CommandError(f"--ca is for URLs with https://; {url} has none.")
    trust = trust_of(ca) if parsed.scheme == "https" else None
    host = parsed.raw_host.decode("ascii").strip("[]")
    endpoint = Endpoint(parsed.port or _PORTS[parsed.scheme], host, trust, patience)
    return BenchTarget(url, form, endpoint, _head(parsed, form, api_key), bool(api_key))


def _parsed(url: str) -> httpx.URL:
    refused = f"{url} is not the URL of a service; write one such as http://127.0.0.1:8000."
    try:
        parsed = httpx.URL(url)
        parsed.raw_host.decode("ascii").encode("idna")  # as the system will look it up
    except (httpx.InvalidURL, UnicodeError) as error:
        raise CommandError(refused) from error
    if parsed.scheme not in _PORTS or not parsed.host or parsed.port == 0:
        raise CommandError(refused)
    return parsed


def _head(url: httpx.URL, form: RequestForm, api_key: str | None) -> bytes:
    before = url.raw_path.partition(b"?")[0].rstrip(b"/").decode("ascii")
    path = url.raw_path.decode("ascii") if form.protocol is BenchProtocol.RAW else before + form.path
    lines = [
        f"POST {path} HTTP/1.1",
        f"host: {url.netloc.decode('ascii')}",
        f"content-type: {form.content_type}",
        "accept: application/json",
        "user-agent: graft-bench",
    ]
    if api_key:
        lines.append(f"x-api-key: {api_key}")
    if url.userinfo:
        user = f"{url.username}:{url.password}".encode()
        lines.append(f"authorization: Basic {base64.b64encode(user).decode()}")
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")
