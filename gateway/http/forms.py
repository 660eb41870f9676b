"""The files of a multipart/form-data body.

The body is divided by searching for its boundary (RFC 2046, 5.1.1), so that nothing in it costs more than its parts do,
and their number is limited. A parser that looks at each byte in Python takes seconds for a form that is made for that.
"""

import re
from urllib.parse import unquote_to_bytes

from python_multipart.multipart import parse_options_header

from contract.process.interpreter_turns import find_in_pieces
from gateway.errors import BadFormError, NoImageError, TooManyImagesError
from gateway.predict.prediction import EncodedImage

_MAX_FIELDS = 100
_MAX_HEAD_BYTES = 8 * 1024
_MAX_BOUNDARY_CHARACTERS = 70  # RFC 2046, 5.1.1
_MAX_PADDING_CHARACTERS = 100
_MAX_SEMICOLONS = 300
"""In a part's Content-Disposition: each takes a microsecond. A browser may write a name's letters as `&#27721;`."""

_LINE_END, _HEAD_END = b"\r\n", b"\r\n\r\n"
_PARAMETER = re.compile(rb';\s*([^=;\s]+)\s*=\s*("(?:[^"\\]|\\.)*+"?|[^;]*)', re.DOTALL)
_UTF_8 = frozenset({b"", b"utf-8", b"utf8"})
_PIECE_OF_NAME = re.compile(rb"filename\*(?:([0-9]{1,3})(\*?))?", re.IGNORECASE)


def read_files(content_type: str, body: bytes, max_files: int) -> list[EncodedImage]:
    """Return the files in the order sent, at least one; fields that are not files are skipped.

    Raises:
        BadFormError: the body is not a valid form, ends too early, or has too many fields that are not files.
        TooManyImagesError: there are more than `max_files`.
        NoImageError: the form has no file.
    """
    delimiter = b"--" + _boundary(content_type)
    files: list[EncodedImage] = []
    fields = 0
    at = _after_preamble(body, delimiter)
    while not body.startswith(b"--", at):
        start = _end_of_line(body, at)
        head_end = body.find(_HEAD_END, start - len(_LINE_END), start + _MAX_HEAD_BYTES)
        if head_end < 0:
            raise BadFormError(f"A part of the form has no end of its headers within {_MAX_HEAD_BYTES} bytes.")
        end = find_in_pieces(body, _LINE_END + delimiter, head_end + len(_LINE_END))
        if end < 0:
            raise BadFormError("The multipart form ends before its last boundary.")
        name = _file_name(body[start:head_end])
        if name is None:
            fields += 1
            if fields > _MAX_FIELDS:
                raise BadFormError(f"The form has more than {_MAX_FIELDS} fields that are not files.")
        elif len(files) == max_files:
            raise TooManyImagesError(f"At most {max_files} images are accepted in one request.")
        else:
            files.append(EncodedImage(body[head_end + len(_HEAD_END) : end], name))
        at = end + len(_LINE_END) + len(delimiter)
    if not files:
        raise NoImageError("The form has no file; send each image as a part with a file name.")
    return files


def _boundary(content_type: str) -> bytes:
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise BadFormError("The content type multipart/form-data must name a boundary.")
    if len(boundary) > _MAX_BOUNDARY_CHARACTERS:
        raise BadFormError(f"The boundary of the form is longer than {_MAX_BOUNDARY_CHARACTERS} characters.")
    return boundary


def _after_preamble(body: bytes, delimiter: bytes) -> int:
    """Return where the first delimiter ends."""
    if body.startswith(delimiter):
        return len(delimiter)
    found = find_in_pieces(body, _LINE_END + delimiter)
    if found < 0:
        raise BadFormError("The multipart form does not have the boundary that its content type names.")
    return found + len(_LINE_END) + len(delimiter)


def _end_of_line(body: bytes, at: int) -> int:
    """Return where the line after a delimiter ends; it may have white space only."""
    end = body.find(_LINE_END, at, at + _MAX_PADDING_CHARACTERS)
    if end < 0 or body[at:end].strip(b" \t"):
        raise BadFormError("The multipart form has a line that begins with its boundary and is not one.")
    return end + len(_LINE_END)


def _file_name(head: bytes) -> str | None:
    """Return the file name in a part's headers; a part without one is a field."""
    for line in head.split(_LINE_END):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-disposition":
            if value.count(b";") > _MAX_SEMICOLONS:
                raise BadFormError(
                    f"A part of the form has a Content-Disposition of over {_MAX_SEMICOLONS} semicolons."
                )
            found = parse_options_header(value.strip())[1].get(b"filename")
            return _extended_file_name(value) if found is None else found.decode("utf-8", errors="replace")
    return None


def _extended_file_name(disposition: bytes) -> str | None:
    """Return the name of `filename*=` (RFC 8187), which RFC 7578, 4.2, forbids and some clients write.

    Its character set is never looked up: Python would import a module, and remember each name that it does not know.
    """
    pieces: dict[int, bytes] = {}
    charset = b"utf-8"
    for key, value in _PARAMETER.findall(disposition):
        piece = _PIECE_OF_NAME.fullmatch(key)
        if not piece:
            continue
        number, text = int(piece[1] or 0), value.strip(b" \t").strip(b'"')
        if piece[1] and not piece[2]:
            pieces.setdefault(number, text)
            continue
        if number == 0 and text.count(b"'") > 1:
            charset, _, text = text.split(b"'", 2)
        pieces.setdefault(number, unquote_to_bytes(text))
    if not pieces:
        return None
    name = b"".join(pieces[number] for number in sorted(pieces))
    return name.decode("utf-8" if charset.lower() in _UTF_8 else "latin-1", errors="replace")
