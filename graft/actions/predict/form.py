"""The body of a request with many images."""

import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

_PIECE_BYTES = 256 * 1024


class ImagesForm:
    """A multipart form with a file for each image.

    It is sent in a few large pieces. httpx's own form has four for each image, and handing on those of 500 images took
    0.17 s of a processor instead of 0.09 s. The images' names stay with the caller: the order says which is which, and
    a file's name may be anything.
    """

    def __init__(self, images: Sequence[bytes]) -> None:
        self._images = images
        self._boundary = secrets.token_hex(16).encode()

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that belong to the body."""
        length = sum(len(part) for parts in self._parts() for part in parts)
        return {
            "content-type": f"multipart/form-data; boundary={self._boundary.decode()}",
            "content-length": str(length),
        }

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body once more."""
        held: list[bytes] = []
        size = 0
        for parts in self._parts():
            held += parts
            size += sum(map(len, parts))
            if size >= _PIECE_BYTES:
                yield b"".join(held)
                held, size = [], 0
        if held:
            yield b"".join(held)

    def _parts(self) -> Iterator[tuple[bytes, ...]]:
        for number, image in enumerate(self._images):
            disposition = b'Content-Disposition: form-data; name="file"; filename="%d"' % number
            head = b"--%s\r\n%s\r\nContent-Type: application/octet-stream\r\n\r\n" % (self._boundary, disposition)
            yield head, image, b"\r\n"
        yield (b"--%s--\r\n" % self._boundary,)
