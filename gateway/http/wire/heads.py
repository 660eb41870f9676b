"""Checks of a request's head that the parser does not make: RFC 9112, 3.2 (Host) and 6.1, and control characters."""

import re
from collections.abc import Sequence

from starlette.types import Scope

from gateway.errors import BadHeaderError, MalformedTargetError, RequestError, UnsupportedError

_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\]|\[v[0-9A-Fa-f]+\.[!-Z^-~]+\])(?::[0-9]*)?")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_SINGLE = {
    b"authorization": "Authorization",
    b"content-type": "Content-Type",
    b"inference-header-content-length": "Inference-Header-Content-Length",
    b"x-api-key": "X-API-Key",
}
_VERSIONS = frozenset({"1.0", "1.1"})
_SHOWN_CHARACTERS = 100


def problem_of(scope: Scope) -> RequestError | None:
    """Return why a request cannot be served whatever its route, None if nothing is wrong with its head."""
    headers: Sequence[tuple[bytes, bytes]] = scope["headers"]
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) != 1 or _HOST.fullmatch(hosts[0]) is None:
        problem = _host_problem(hosts, scope["http_version"])
        if problem is not None:
            return problem
    if (found := _CONTROL.search(scope["path"])) is not None:
        return MalformedTargetError(
            f"The path has the control character U+{ord(found[0]):04X} at position {found.start()}; send it without."
        )
    return _framing_problem(headers, scope["http_version"]) or _repetition(headers)


def _host_problem(hosts: Sequence[bytes], version: str) -> RequestError | None:
    if not hosts:
        if version == "1.0":
            return None
        return BadHeaderError("The request has no Host header; HTTP/1.1 needs one.")
    if len(hosts) > 1:
        return BadHeaderError(f"The request has {len(hosts)} Host headers; send one.")
    shown = hosts[0][:_SHOWN_CHARACTERS].decode("latin-1")
    return BadHeaderError(f"The Host header cannot be {shown!r}; send a name or an address, and perhaps a port.")


def _framing_problem(headers: Sequence[tuple[bytes, bytes]], version: str) -> RequestError | None:
    if version not in _VERSIONS:
        return RequestError(f"The request is HTTP/{version}; send HTTP/1.1.")
    coding = next((value for name, value in headers if name == b"transfer-encoding"), None)
    if coding is None:
        return None
    if version == "1.0":
        return BadHeaderError("The request is HTTP/1.0 and has a Transfer-Encoding, which that version does not have.")
    if coding.strip().lower() != b"chunked":
        shown = coding[:_SHOWN_CHARACTERS].decode("latin-1")
        return UnsupportedError(
            f"The Transfer-Encoding {shown!r} is not supported; send the body as it is, or chunked."
        )
    return None


def _repetition(headers: Sequence[tuple[bytes, bytes]]) -> RequestError | None:
    """Return the error for a header whose meaning would depend on which of several is read."""
    seen = [name for name, _ in headers if name in _SINGLE]
    if len(seen) == len(set(seen)):
        return None
    repeated = next(name for name in seen if seen.count(name) > 1)
    return BadHeaderError(f"The request has {seen.count(repeated)} {_SINGLE[repeated]} headers; send one.")
