"""The files of a multipart/form-data body, parsed as it arrives and kept in memory."""

from collections.abc import AsyncIterable

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from gateway.errors import BadFormError, NoImageError, TooManyImagesError
from gateway.predict.prediction import EncodedImage


async def read_files(content_type: str, body: AsyncIterable[bytes], max_files: int) -> list[EncodedImage]:
    """Return the files in the order sent, at least one; fields that are not files are skipped.

    The middleware limits the size of the body.

    Raises:
        BadFormError: the body is not a valid form, or ends too early.
        TooManyImagesError: there are more than `max_files`; raised before the rest is read.
        NoImageError: the form has no file.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise BadFormError("The content type multipart/form-data must name a boundary.")
    form = _Form(max_files)
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": form.begin_part,
                "on_header_field": form.add_to_header_name,
                "on_header_value": form.add_to_header_value,
                "on_header_end": form.end_header,
                "on_headers_finished": form.end_headers,
                "on_part_data": form.add_data,
                "on_part_end": form.end_part,
                "on_end": form.end,
            },
        )
        async for piece in body:
            parser.write(piece)
    except FormParserError as error:
        raise BadFormError("The multipart form cannot be read.") from error
    if not form.ended:
        raise BadFormError("The multipart form ends before its last boundary.")
    if not form.files:
        raise NoImageError("The form has no file; send each image as a part with a file name.")
    return form.files


class _Form:
    """Collects the files from the parser's events. A part is a file if its Content-Disposition has a file name."""

    def __init__(self, max_files: int) -> None:
        self.files: list[EncodedImage] = []
        self.ended = False
        self._max_files = max_files
        self._header_name = b""
        self._header_value = b""
        self._disposition = b""
        self._file_name: str | None = None
        self._content = bytearray()

    def begin_part(self) -> None:
        self._disposition = b""
        self._content = bytearray()

    def add_to_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def add_to_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def end_headers(self) -> None:
        name = parse_options_header(self._disposition)[1].get(b"filename")
        self._file_name = None if name is None else name.decode("utf-8", errors="replace")
        if self._file_name is not None and len(self.files) == self._max_files:
            raise TooManyImagesError(f"At most {self._max_files} images are accepted in one request.")

    def add_data(self, data: bytes, start: int, end: int) -> None:
        if self._file_name is not None:
            self._content += data[start:end]

    def end_part(self) -> None:
        if self._file_name is not None:
            self.files.append(EncodedImage(bytes(self._content), self._file_name))

    def end(self) -> None:
        self.ended = True
