"""Bodies of TensorFlow Serving's REST API: JSON, optionally compressed with gzip, whatever the content type says."""

import zlib

from fastapi import Request

from gateway.errors import BadJsonError, BodyTooLargeError, UnsupportedContentTypeError
from gateway.http.bodies import read_whole
from gateway.http.json_bodies import off_loop
from gateway.http.wire.body_cost import ALWAYS_UNPACKED_BYTES, UNPACKED_TIMES

_GZIP = 16 + zlib.MAX_WBITS
_INFLATION = 8  # a usual one; unpacking 128 KiB takes a millisecond
_SHOWN_CHARACTERS = 50


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the body of a request, at most `max_bytes` after decompression.

    Raises:
        UnsupportedContentTypeError: it is compressed with something other than gzip.
        BodyTooLargeError: it is larger after decompression, or many times larger than before.
        BadJsonError: it is not gzip data, or incomplete.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    body = await read_whole(request)
    if encoding in {"", "identity"}:
        return body
    if encoding != "gzip":
        raise UnsupportedContentTypeError(
            f"A body compressed with {encoding[:_SHOWN_CHARACTERS]!r} is not accepted; send it as it is or with gzip."
        )
    allowed = max(len(body) * UNPACKED_TIMES, ALWAYS_UNPACKED_BYTES)
    if allowed >= max_bytes:
        return await off_loop(_INFLATION * len(body), unpack, body, max_bytes)
    try:
        return await off_loop(_INFLATION * len(body), unpack, body, allowed)
    except BodyTooLargeError:
        raise BodyTooLargeError(
            f"The compressed body has {len(body)} bytes, and unpacks to more than {UNPACKED_TIMES} times as many; "
            "send it as it is."
        ) from None


def unpack(packed: bytes, max_bytes: int) -> bytes:
    """Return decompressed gzip data, without decompressing more than `max_bytes` and one.

    Raises:
        BodyTooLargeError: it is larger than `max_bytes`.
        BadJsonError: it is not gzip data, or incomplete.
    """
    unpacker = zlib.decompressobj(_GZIP)
    try:
        body = unpacker.decompress(packed, max_bytes + 1)
    except zlib.error as error:
        raise BadJsonError("The body is not valid gzip data.") from error
    if len(body) > max_bytes:
        raise BodyTooLargeError(f"The decompressed body has more than the {max_bytes} bytes that are accepted.")
    if not unpacker.eof:
        raise BadJsonError("The gzip data in the body is incomplete.")
    return body
