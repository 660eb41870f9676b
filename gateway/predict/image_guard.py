"""Checks an image's header, its end and what it costs to decode, before it is sent to the model server.

The served graph checks images too, since it can be called directly, but it only reports valid or not. This check
rejects the same images with a message, and without the cost of a call. Truncated means what TensorFlow's decoders
reject: a missing end marker, or fewer bytes than declared. Offsets are from the formats' specifications: JPEG
(ITU T.81), PNG (RFC 2083), WebP (RFC 9649), BMP (BITMAPINFOHEADER).
"""

import codecs
import io
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import filetype
import imagesize

from contract.image_cost.check import why_costly
from contract.image_cost.jpeg import needs_end, read_frame, scan_start, too_many_scans, too_many_segments
from contract.image_cost.png import too_much_data
from contract.image_cost.size import declared_pixels
from contract.image_input import Encoding
from contract.process.interpreter_turns import find_in_pieces
from gateway.errors import (
    CostlyImageError,
    NotAnImageError,
    TooManyPixelsError,
    TruncatedImageError,
    UnsupportedImageError,
)

_ENCODINGS: dict[str, Encoding] = {
    "image/jpeg": "jpeg",
    "image/png": "png",
    "image/apng": "png",  # decoded as the still image that every PNG decoder sees
    "image/bmp": "bmp",
    "image/webp": "webp",
}
_NAMES: dict[Encoding, str] = {"jpeg": "JPEG", "png": "PNG", "bmp": "BMP", "webp": "WebP"}
_TEXT_SAMPLE_BYTES = 512
_SHOWN_CHARACTERS = 50
_BMP_BIT_FIELDS = 3
_BMP_USUAL_FIELDS = bytes.fromhex(
    "0000ff00 00ff0000 ff000000"
)  # red, green, blue; TensorFlow decodes any others as these
_WEBP_ANIMATION_FLAG = 0x02
_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_PNG_END = b"IEND\xaeB`\x82"
_HEADER_BYTES = 64  # of all kinds but JPEG, whose size may lie behind megabytes


class ImageHead(NamedTuple):
    """An image's encoding and size. `pixels` is width times height.

    `has_end` is false for a JPEG without end marker, which may be whole all the same: only a decoder can tell.
    """

    encoding: Encoding
    pixels: int
    has_end: bool = True


def check_image(
    content: bytes,
    accepted: Collection[Encoding],
    max_pixels: int,
    decoder: str = "the model",
    *,
    needs_jpeg_end: bool = True,
) -> ImageHead:
    """Return the encoding of an image, one of `accepted`, and its size. Nothing is decoded.

    `decoder` is what does not decode the others, for the message. `needs_jpeg_end` is whether a JPEG without end marker
    is taken as cut short; if not, only one that has no pixels is. A large image takes milliseconds, and a PNG of 20 MB
    up to 0.2 seconds of a processor: not for an event loop.

    Raises:
        NotAnImageError: the bytes are not an image.
        UnsupportedImageError: the image's format is not accepted.
        TooManyPixelsError: its header declares more than `max_pixels`.
        TruncatedImageError: the bytes end before the image does.
        CostlyImageError: it would take far more to decode than its pixels need.
    """
    encoding = _check_kind(content, accepted, decoder)
    if encoding == "jpeg":
        pixels = _check_jpeg(content, max_pixels)
    else:
        width, height = imagesize.get(io.BytesIO(content[:_HEADER_BYTES]), exif_rotation=False)
        pixels = _check_size(width, height, encoding, max_pixels)
    has_end = not _is_cut_short(content, encoding)
    if not has_end and (needs_jpeg_end or encoding != "jpeg" or scan_start(content) < 0):
        raise cut_short(content, encoding)
    if not has_end and (frame := read_frame(content)) and needs_end(content, frame):
        raise TruncatedImageError(
            f"This JPEG is cut short, or of {pixels} pixels and has no end marker, which is too much to find out: "
            "save it anew with any image program."
        )
    if encoding == "png":
        _refuse_costly(too_much_data(content), encoding)
    return ImageHead(encoding, pixels, has_end)


def cut_short(content: bytes, encoding: Encoding) -> TruncatedImageError:
    """Return the error for an image whose bytes end before the image does."""
    return TruncatedImageError(f"This {_NAMES[encoding]} is cut short: it ends after {len(content)} bytes.")


def refuse_costly_images(tensors: Mapping[str, Any], most_pixels: int) -> None:
    """Check the strings of TensorProto messages, which may be images, for what would take long to decode.

    Raises:
        CostlyImageError: one of them would.
        TooManyPixelsError: they declare more than `most_pixels` in all; a single one may have any number.
    """
    for name, tensor in tensors.items():
        total = 0
        for place, content in enumerate(tensor.string_val):
            if wrong := why_costly(content):
                raise CostlyImageError(
                    f"The image {place} of the input {name[:_SHOWN_CHARACTERS]} would take too long to decode: it "
                    f"{wrong}; save it anew with any image program."
                )
            total += declared_pixels(content)
            if place > 0 and total > most_pixels:
                raise TooManyPixelsError(
                    f"The images of the input {name[:_SHOWN_CHARACTERS]} have {total} pixels up to number {place}; at "
                    f"most {most_pixels} are accepted in one request. Send them in several."
                )


def _check_kind(content: bytes, accepted: Collection[Encoding], decoder: str) -> Encoding:
    if content.startswith(_JPEG_START) and "jpeg" in accepted:  # as most are; `filetype` gives the same result
        return "jpeg"
    kind = filetype.guess(content)
    mime = kind.mime if kind else _describe_unknown(content)
    wanted = _enumerate(accepted)
    if not mime.startswith("image/"):
        raise NotAnImageError(f"Expected an image ({wanted}), got {mime}.")
    encoding = _ENCODINGS.get(mime)
    if mime == "image/gif":
        raise UnsupportedImageError(
            "This is a GIF, which is not accepted because its header does not give the size of its frames; "
            f"send {wanted}."
        )
    if encoding is None or encoding not in accepted:
        raise UnsupportedImageError(f"This is {mime}, which {decoder} does not decode; send {wanted}.")
    if encoding == "bmp" and not _is_plain_bmp(content):
        raise UnsupportedImageError(
            "This is a BMP with a palette, compression or unusual bit fields, which is not accepted because its "
            "colours would be decoded wrongly; send one with 24 or 32 bits."
        )
    if encoding == "webp" and _is_animated_webp(content):
        raise UnsupportedImageError("This is an animated WebP, which is not accepted; send a still image.")
    return encoding


def _check_jpeg(content: bytes, max_pixels: int) -> int:
    frame = read_frame(content)
    if frame is None:
        raise CostlyImageError(f"This JPEG {too_many_segments(content)}.")
    if frame.unusual_kind:
        raise UnsupportedImageError(
            f"This is {frame.unusual_kind}, which the model does not decode; save it as a usual JPEG, or as PNG."
        )
    pixels = _check_size(frame.width, frame.height, "jpeg", max_pixels)
    _refuse_costly(too_many_scans(content, frame), "jpeg")
    return pixels


def _check_size(width: int, height: int, encoding: Encoding, max_pixels: int) -> int:
    if width <= 0 or height <= 0:
        raise TruncatedImageError(f"This {_NAMES[encoding]} is cut short or damaged: its header gives no size.")
    if width * height > max_pixels:
        raise TooManyPixelsError(
            f"This {_NAMES[encoding]} has {width} x {height} pixels; at most {max_pixels} are accepted."
        )
    return int(width * height)


def _refuse_costly(wrong: str, encoding: Encoding) -> None:
    if wrong:
        raise CostlyImageError(
            f"This {_NAMES[encoding]} would take too long to decode: it {wrong}; save it anew with any image program."
        )


def _is_cut_short(content: bytes, encoding: Encoding) -> bool:
    if encoding == "jpeg":
        return not content.endswith(_JPEG_END) and not _has_jpeg_end(content)
    if encoding == "png":
        return not content.endswith(_PNG_END) and find_in_pieces(content, _PNG_END) < 0
    if encoding == "webp":
        return len(content) < 8 + int.from_bytes(content[4:8], "little")
    return len(content) < _bmp_bytes(content)


def _has_jpeg_end(content: bytes) -> bool:
    """Return whether an end marker is behind the beginning of the first scan: a thumbnail before it has its own."""
    start = scan_start(content)
    return start >= 0 and find_in_pieces(content, _JPEG_END, start) >= 0


def _bmp_bytes(content: bytes) -> int:
    """Return the length that a BMP must have; rows are padded to four bytes."""
    start, depth = int.from_bytes(content[10:14], "little"), int.from_bytes(content[28:30], "little")
    width, height = (int.from_bytes(content[at : at + 4], "little", signed=True) for at in (18, 22))
    return start + (width * depth + 31) // 32 * 4 * abs(height)


def _enumerate(encodings: Collection[Encoding]) -> str:
    *others, last = (_NAMES[encoding] for encoding in encodings)
    return f"{', '.join(others)} or {last}" if others else last


def _describe_unknown(content: bytes) -> str:
    if not content:
        return "0 bytes"
    sample = content[:_TEXT_SAMPLE_BYTES]
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)  # may end within a character
    except UnicodeDecodeError:
        return "data of an unknown type"
    return "data of an unknown type" if 0 in sample else "text"


def _is_plain_bmp(content: bytes) -> bool:
    depth = int.from_bytes(content[28:30], "little")
    compression = int.from_bytes(content[30:34], "little")
    if compression == _BMP_BIT_FIELDS:
        return depth == 32 and content[54:66] == _BMP_USUAL_FIELDS
    return compression == 0 and depth in {24, 32}


def _is_animated_webp(content: bytes) -> bool:
    return content[12:16] == b"VP8X" and bool(content[20:21]) and bool(content[20] & _WEBP_ANIMATION_FLAG)
