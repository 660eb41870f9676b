"""Many requests over kept connections, with as little of the client in the way as Python allows."""

import asyncio
import time
from dataclasses import dataclass

_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Load:
    """What one round of requests took; `latencies` in seconds, in no order."""

    seconds: float
    latencies: list[float]
    statuses: dict[int, int]


def request_bytes(path: str, body: bytes, port: int) -> bytes:
    """Return a whole POST request with an image as its body."""
    headers = {"host": f"127.0.0.1:{port}", "content-type": "image/jpeg", "content-length": len(body)}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + _HEAD_END + body


async def send(port: int, request: bytes, connections: int, count: int) -> Load:
    """Send `request` `count` times over `connections` connections, on each one after another."""
    left = iter(range(count))
    latencies: list[float] = []
    statuses: dict[int, int] = {}

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in left:
            started = time.perf_counter()
            writer.write(request)
            status = await _read_response(reader)
            latencies.append(time.perf_counter() - started)
            statuses[status] = statuses.get(status, 0) + 1
        writer.close()
        await writer.wait_closed()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    return Load(time.perf_counter() - started, latencies, statuses)


async def _read_response(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(_HEAD_END)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head[9:12])
