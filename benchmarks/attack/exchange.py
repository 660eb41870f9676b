"""One HTTP exchange as an attacker makes it: any bytes, and a response that is read while they are sent."""

import asyncio
import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

PATIENCE_SECONDS = 60.0
CLOSED, SILENT = "closed", "silent"
"""What came instead of a response: the connection's end, or nothing within the patience."""

_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_MOST_BYTES = 1 << 16


@dataclass(frozen=True)
class Target:
    """A running service. `model_server` is HOST:PORT of its gRPC API where that can be reached, else empty."""

    host: str
    port: int
    model: str
    model_server: str = ""
    key: str = ""

    def request(
        self, path: str, body: bytes = b"", method: str = "POST", headers: Mapping[str, str | int] | None = None
    ) -> bytes:
        """Return a whole HTTP/1.1 request; `headers` are added to, or replace, Host, Content-Length and the key."""
        own = {"host": f"{self.host}:{self.port}", "content-length": len(body)}
        sent = {**own, **({"x-api-key": self.key} if self.key else {}), **(headers or {})}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
        return "\r\n".join(lines).encode("latin-1") + _HEAD_END + body


async def exchange(target: Target, request: bytes, patience: float = PATIENCE_SECONDS) -> str:
    """Send bytes on a new connection; return the response's status and error code, such as `415 not_an_image`.

    Returns CLOSED where the connection ended without a response, and SILENT where nothing came within `patience`
    seconds.
    """
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection(target.host, target.port)
            return await _send_and_read(reader, writer, request)
    except TimeoutError:
        return SILENT
    except OSError:
        return CLOSED


async def _send_and_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> str:
    sending = asyncio.create_task(_send(writer, request))
    try:
        return await read_response(reader)
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.transport.abort()


async def _send(writer: asyncio.StreamWriter, request: bytes) -> None:
    writer.write(request)
    with contextlib.suppress(OSError):  # refused before all of it was read; the response tells
        await writer.drain()


async def read_response(reader: asyncio.StreamReader) -> str:
    """Read one response, as `exchange` describes."""
    try:
        head = await reader.readuntil(_HEAD_END)
        length = _LENGTH.search(head)
        body = await reader.readexactly(min(int(length[1]), _MOST_BYTES)) if length else b""
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        return CLOSED
    return f"{head[9:12].decode('latin-1')} {_code_in(body)}".strip()


def _code_in(body: bytes) -> str:
    """Return the code of a problem document, or the beginning of another protocol's error."""
    try:
        content = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(content, dict):
        return ""
    return str(content.get("code") or content.get("error") or "")[:60]
