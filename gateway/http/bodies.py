"""Request bodies, for all protocols."""

from starlette.requests import ClientDisconnect, Request


async def read_whole(request: Request) -> bytes:
    """Return the body of a request, which can be read once; the middleware limits its size.

    Starlette's `Request.body`, which goes through two generators, takes 15 microseconds more.

    Raises:
        ClientDisconnect: the caller left before it was complete.
    """
    pieces: list[bytes] = []
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces) if len(pieces) > 1 else pieces[0]
