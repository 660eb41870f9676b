"""What a picture's first bytes say: whether the served graph would look at it at all.

The graph decides for itself (it must: others may ask it directly), but it can only say yes or no. Here the same
kinds are refused in words, and before they cost a call. Offsets are those of the formats' specifications: WebP
(RFC 9649), BMP (BITMAPINFOHEADER).
"""

import codecs
from collections.abc import Collection

import filetype

from contract.image_input import Encoding
from gateway.errors import NotAnImageError, UnsupportedImageError

_ENCODINGS: dict[str, Encoding] = {
    "image/jpeg": "jpeg",
    "image/png": "png",
    "image/apng": "png",  # decoded as the still picture that every PNG reader sees
    "image/bmp": "bmp",
    "image/webp": "webp",
}
_NAMES: dict[Encoding, str] = {"jpeg": "JPEG", "png": "PNG", "bmp": "BMP", "webp": "WebP"}
_TEXT_SAMPLE_BYTES = 512
_BMP_BIT_FIELDS = 3
_BMP_USUAL_FIELDS = bytes.fromhex("0000ff00 00ff0000 ff000000")  # red, green, blue; others are decoded as if these
_WEBP_ANIMATION_FLAG = 0x02


def check_picture(content: bytes, accepted: Collection[Encoding]) -> Encoding:
    """Return how an encoded picture is encoded, one of `accepted`. Nothing is decoded.

    Raises:
        NotAnImageError: the bytes are no picture.
        UnsupportedImageError: they are one of a kind that is not accepted.
    """
    kind = filetype.guess(content)
    mime = kind.mime if kind else _describe_unknown(content)
    wanted = _enumerate(accepted)
    if not mime.startswith("image/"):
        raise NotAnImageError(f"A picture is expected ({wanted}); seen: {mime}.")
    encoding = _ENCODINGS.get(mime)
    if mime == "image/gif":
        raise UnsupportedImageError(
            "This is a GIF, which is not accepted because its header does not tell how large its frames are; "
            f"send {wanted}."
        )
    if encoding is None or encoding not in accepted:
        raise UnsupportedImageError(f"This is {mime}, which the model does not decode; send {wanted}.")
    if encoding == "bmp" and not _is_plain_bmp(content):
        raise UnsupportedImageError(
            "This is a BMP with a palette, compression or unusual bit fields, which is not accepted because its "
            "colours would be read wrongly; send one of 24 or 32 bits."
        )
    if encoding == "webp" and _is_animated_webp(content):
        raise UnsupportedImageError("This is an animated WebP, which is not accepted; send a still picture.")
    return encoding


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
        return "data of no known kind"
    return "data of no known kind" if 0 in sample else "text"


def _is_plain_bmp(content: bytes) -> bool:
    depth = int.from_bytes(content[28:30], "little")
    compression = int.from_bytes(content[30:34], "little")
    if compression == _BMP_BIT_FIELDS:
        return depth == 32 and content[54:66] == _BMP_USUAL_FIELDS
    return compression == 0 and depth in {24, 32}


def _is_animated_webp(content: bytes) -> bool:
    return content[12:16] == b"VP8X" and bool(content[20:21]) and bool(content[20] & _WEBP_ANIMATION_FLAG)
