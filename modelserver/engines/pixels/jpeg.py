"""JPEGs, decoded by libjpeg-turbo as TensorFlow decodes them with the accurate DCT: the same bits."""

import numpy as np
import simplejpeg

from contract.image_cost.jpeg import Frame, read_frame
from contract.image_cost.limits import ARITHMETIC_COST, MAX_SCANNED_PIXELS, MAX_SCANS
from contract.image_files.end_marks import SCAN_HEAD
from contract.image_files.endings import ended
from modelserver.engines.pixels.errors import BrokenImageError, UnprovedImageError
from modelserver.model.decoded_images import Pixels

_PROVED_COMPONENTS = {1, 3}
_ROWS_AT_A_TIME = 32
_ARITHMETIC_FRAMES = (b"\xff\xc9\x00", b"\xff\xca\x00")  # wherever they stand, as in the graph


def decode(content: bytes, max_pixels: int) -> Pixels:
    """Return a JPEG's pixels, uint8 [H, W, 3] RGB, as they are stored.

    Raises:
        BrokenImageError: it is cut short, has more than `max_pixels` or takes far more work than they need.
        UnprovedImageError: it is of a kind that other decoders may decode otherwise, or has a fault.
    """
    frame = read_frame(content)
    if frame is None or not frame.width or not frame.height:
        raise UnprovedImageError("a JPEG without a size")
    _check(content, frame, max_pixels)
    try:
        contents = ended(content, frame.components)
    except ValueError as error:
        raise BrokenImageError(str(error)) from error
    if len(contents) > 1:
        return _decode_with_endings(contents)
    return _decoded(content, strict=True)


def _check(content: bytes, frame: Frame, max_pixels: int) -> None:
    """Refuse what the graph refuses before it decodes, and leave to it what is unusual."""
    pixels = frame.width * frame.height
    if pixels > max_pixels:
        raise BrokenImageError("too many pixels")
    if frame.unusual_kind:
        raise UnprovedImageError("a lossless JPEG, or one that has not 8 bits a sample")
    if frame.components not in _PROVED_COMPONENTS or frame.arithmetic:
        raise UnprovedImageError("a JPEG with arithmetic coding" if frame.arithmetic else "a CMYK JPEG")
    scans = content.count(SCAN_HEAD)
    is_large = scans * pixels * ARITHMETIC_COST > MAX_SCANNED_PIXELS
    may_be_arithmetic = is_large and any(mark in content for mark in _ARITHMETIC_FRAMES)
    if scans > MAX_SCANS or scans * pixels > MAX_SCANNED_PIXELS or may_be_arithmetic:
        raise BrokenImageError("too many scans")


def _decode_with_endings(contents: tuple[bytes, ...]) -> Pixels:
    """Return the pixels of an image whose end marker is missing, if they do not depend on what stands in for the rest.

    Anything may stand in for data, which the decoder has to put up with.
    """
    first, *others = contents
    pixels = _decoded(first, strict=False)
    again = np.empty_like(pixels)  # one for both: each may have 150 MB
    for other in others:
        _decoded(other, strict=False, into=again)
        if not _are_same(pixels, again):
            raise BrokenImageError("cut short")
    return pixels


def _are_same(pixels: Pixels, others: Pixels) -> bool:
    """Compare a few rows at a time, for NumPy makes an array of the result."""
    pieces = [slice(start, start + _ROWS_AT_A_TIME) for start in range(0, len(pixels), _ROWS_AT_A_TIME)]
    return all(np.array_equal(pixels[piece], others[piece]) for piece in pieces)


def _decoded(content: bytes, *, strict: bool, into: Pixels | None = None) -> Pixels:
    """Decode all of an image; with `strict`, a fault that libjpeg would put up with is one."""
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(
            content, "RGB", fastdct=False, fastupsample=False, strict=strict, buffer=into
        )
    except ValueError as error:
        raise UnprovedImageError("a JPEG with a fault") from error
    return pixels
