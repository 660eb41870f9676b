"""A service that looks at an image's end alone, to be measured: `python -m tests.fakes.image_service PORT`.

It works for two milliseconds on what ends as a JPEG does, one request at a time, and answers 200 with a label; anything
else is refused with 422 at once.
"""

import asyncio
import sys
import time

_WORK_SECONDS = 0.002
_END = b"\xff\xd9"
_WORKING = asyncio.Lock()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    while head := await _head(reader):
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        good = (await reader.readexactly(length)).endswith(_END)
        if good:
            async with _WORKING:
                _work()
                await asyncio.sleep(0)  # for those who are refused
        body = b'{"label": "rose"}' if good else b""
        status = b"200 OK" if good else b"422 No"
        writer.write(b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body))
    writer.close()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def _work() -> None:
    end = time.process_time() + _WORK_SECONDS
    while time.process_time() < end:
        pass


async def main() -> None:
    """Serve until killed."""
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
