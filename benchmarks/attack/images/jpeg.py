"""JPEG bombs: thousands of scans, thousands of segments, and scans that end late or never, or without end marker.

Markers and segments are those of ITU T.81. A flat image is encoded by Pillow; its segments are then repeated.
"""

import io
import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

_END = b"\xff\xd9"
_FRAME_MARKERS = (0xC0, 0xC1, 0xC2, 0xC9)
_SCAN = 0xDA
_SMALL_FILE = 183_000
_SIDE = 7000  # 49 megapixels, just below the usual limit
_MIDDLE_SIDE = 4000


def jpeg_bombs(most: int) -> dict[str, bytes]:
    """Return JPEGs of at most `most` bytes, by name."""
    return {**_with_many_scans(most), **_with_many_segments(most), **_large(most)}


def _with_many_scans(most: int) -> dict[str, bytes]:
    start, scan = _flat(_MIDDLE_SIDE, progressive=True)
    large_start, large_scan = _flat(_SIDE, progressive=True)
    coloured_start, coloured_scans = _coloured_in_separate_scans(_MIDDLE_SIDE)
    tiny_start, tiny_scan = _flat(8, progressive=True)
    table = _segment(0xC4, b"\x10" + bytes([1, *[0] * 15]) + b"\x00")
    return {
        "jpeg_183_kb_of_scans": _repeat(start, scan, _SMALL_FILE),
        "jpeg_444_kb_of_scans": _repeat(start, scan, 444_000),
        "jpeg_20_mb_of_scans": _repeat(start, scan, most),
        "jpeg_20_mb_of_scans_of_8_pixels": _repeat(tiny_start, tiny_scan, most),
        "jpeg_90_scans_of_49_megapixels": large_start + large_scan * 90 + _END,
        "jpeg_490_scans_of_49_megapixels": large_start + large_scan * 490 + _END,
        "jpeg_sequential_scans": _repeat(coloured_start, coloured_scans, most),
        "jpeg_scans_and_tables": _repeat(start, table + scan, most),
        "jpeg_scans_behind_fill_bytes": _repeat(start, b"\xff" * 40 + scan, most),
        "jpeg_scans_of_arithmetic_coding": _repeat(start.replace(b"\xff\xc2", b"\xff\xca", 1), scan, most),
        "jpeg_scans_in_a_thumbnail": _with_thumbnail(_repeat(start, scan, 60_000)),
    }


def _with_many_segments(most: int) -> dict[str, bytes]:
    start, scan = _flat(64, progressive=False)
    head, frame = start[:2], start[2:]

    def with_segments(segment: bytes) -> bytes:
        room = most - len(start) - len(scan) - len(_END)
        return head + segment * (room // len(segment)) + frame + scan + _END

    room = most - len(start) - len(scan) - len(_END)
    exif = _many_exif(room)
    huffman = b"\x00" + bytes([0, 2, 3, 4, 4, 4, 4, 4, 4, 4, 0, 0, 0, 0, 0, 0])
    return {
        "jpeg_empty_comments": with_segments(_segment(0xFE, b"")),
        "jpeg_empty_application_segments": with_segments(_segment(0xE1, b"")),
        "jpeg_long_application_segments": with_segments(_segment(0xE2, bytes(65_533))),
        "jpeg_huffman_tables": with_segments(_segment(0xC4, huffman + bytes(range(sum(huffman[1:]))))),
        "jpeg_quantization_tables": with_segments(_segment(0xDB, b"\x00" + bytes([16] * 64))),
        "jpeg_restart_intervals": with_segments(_segment(0xDD, b"\x00\x01")),
        "jpeg_fill_bytes": head + b"\xff" * room + frame + scan + _END,
        "jpeg_zeros_between_segments": head + frame + bytes(room) + scan + _END,
        "jpeg_zeros_in_the_scan": start + scan + bytes(room) + _END,
        "jpeg_zeros_behind_the_end": start + scan + _END + bytes(room),
        "jpeg_many_segments_of_exif": with_segments(_segment(0xE1, b"Exif\0\0" + b"II*\0" * 16_000)),
        "jpeg_many_allowed_segments_of_exif": head + exif + frame + scan + bytes(room - len(exif)) + _END,
        "jpeg_looping_exif": head + _looping_exif() + frame + scan + _END,
    }


def _large(most: int) -> dict[str, bytes]:
    start, scan = _flat(_SIDE, progressive=False)
    noise, progressive_noise = (_tiled_noise(most, progressive=progressive) for progressive in (False, True))
    return {
        "jpeg_49_megapixels_without_data": start + scan[: _scan_header_end(scan)] + _END,
        "jpeg_49_megapixels_of_restarts": _with_restarts(start, scan),
        "jpeg_49_megapixels_of_noise": noise,
        "jpeg_49_megapixels_of_progressive_noise": progressive_noise,
        "jpeg_49_megapixels_of_noise_without_end": noise.removesuffix(_END),
        "jpeg_49_megapixels_of_progressive_noise_without_end": progressive_noise.removesuffix(_END),
        "jpeg_49_megapixels_of_noise_without_end_behind_other_bytes": noise.removesuffix(_END)
        + b"\xff\x01 other"
        + _END,
    }


def _flat(side: int, *, progressive: bool) -> tuple[bytes, bytes]:
    """Return a gray image up to its last scan, which begins with its table if it has one; and that scan."""
    file = io.BytesIO()
    Image.new("L", (16, 16)).save(file, "JPEG", progressive=progressive, optimize=True)
    content = _of_size(file.getvalue(), side, side)
    last = content.rindex(b"\xff\xda")
    if not progressive:
        return content[:last], content[last : _scan_header_end(content[last:]) + last] + _flat_blocks(side)
    # a scan that refines nothing: runs of 32,767 blocks without a change, then the rest
    blocks = ((side + 7) // 8) ** 2
    table = _segment(0xC4, b"\x10" + bytes([1, 1, *[0] * 14]) + b"\x00\xe0")
    header = _segment(_SCAN, b"\x01\x01\x00\x01\x3f\x10")
    runs = "".join("10" + f"{32767 - (1 << 14):014b}" for _ in range(blocks // 32767 + 1))
    return content[:last], table + header + _to_bytes(runs)


def _of_size(content: bytes, width: int, height: int) -> bytes:
    """Return a JPEG whose frame declares another size."""
    at = next(place for marker, place in _segments(content) if marker in _FRAME_MARKERS)
    return content[: at + 5] + struct.pack(">HH", height, width) + content[at + 9 :]


def _segments(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield the marker and place of each segment up to the first scan, which is the last one."""
    at, marker = 2, 0
    while marker != _SCAN:
        marker = content[at + 1]
        yield marker, at
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")


def _flat_blocks(side: int) -> bytes:
    # with its own table, each of the two symbols of a flat block has one bit: a zero
    return bytes((((side + 7) // 8) ** 2 * 2 + 7) // 8)


def _scan_header_end(scan: bytes) -> int:
    at = scan.index(b"\xff\xda")
    return at + 2 + int.from_bytes(scan[at + 2 : at + 4], "big")


def _coloured_in_separate_scans(side: int) -> tuple[bytes, bytes]:
    """Return a sequential image up to its scans, and one scan for each of its three components."""
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG", subsampling=0, optimize=True)
    content = _of_size(file.getvalue(), side, side)
    tables = [(0, 0), (1, 0x11), (2, 0x11)]
    scans = (_segment(_SCAN, bytes([1, number + 1, table, 0, 63, 0])) + _flat_blocks(side) for number, table in tables)
    return content[: content.index(b"\xff\xda")], b"".join(scans)


def _with_restarts(start: bytes, scan: bytes) -> bytes:
    """Return a flat image with a restart marker behind each block."""
    blocks = ((_SIDE + 7) // 8) ** 2
    data = np.zeros((blocks, 3), np.uint8)
    data[:, 1], data[:, 2] = 0xFF, 0xD0 + np.arange(blocks) % 8
    header = scan[: _scan_header_end(scan)]
    return start + _segment(0xDD, b"\x00\x01") + header + data.tobytes()[:-2] + _END


def _tiled_noise(most: int, *, progressive: bool) -> bytes:
    """Return a colour image of 49 megapixels and about `most` bytes: one row of blocks, repeated in each scan."""
    noise = np.random.default_rng(1).integers(0, 256, (16, _SIDE, 3), np.uint8)
    for quality in range(60, 0, -4):
        file = io.BytesIO()
        Image.fromarray(noise).save(
            file, "JPEG", progressive=progressive, quality=quality, subsampling=0, restart_marker_rows=1
        )
        content = _repeat_rows(file.getvalue())
        if len(content) <= most:
            return content
    raise AssertionError("no quality is low enough")


def _repeat_rows(content: bytes) -> bytes:
    """Return an image of two rows of blocks with a restart marker between them as one of many rows."""
    rows = (_SIDE + 7) // 8
    pieces = [_of_size(content[: content.index(b"\xff\xda")], _SIDE, _SIDE)]
    for piece in content[len(pieces[0]) : -2].split(b"\xff\xda")[1:]:
        scan = b"\xff\xda" + piece
        header = _scan_header_end(scan)
        first, rest = scan[header:].split(b"\xff\xd0", 1)
        table = rest.find(b"\xff\xc4")
        pieces.append(scan[:header] + first)
        pieces += [bytes([0xFF, 0xD0 + number % 8]) + first for number in range(rows - 1)]
        pieces.append(rest[table:] if table >= 0 else b"")
    return b"".join(pieces) + _END


def _with_thumbnail(thumbnail: bytes) -> bytes:
    """Return a small image with a bomb as its EXIF thumbnail, which no decoder of images looks at."""
    start, scan = _flat(64, progressive=False)
    entries = struct.pack("<HHLL", 0x0201, 4, 1, 44) + struct.pack("<HHLL", 0x0202, 4, 1, len(thumbnail))
    tiff = b"II*\0" + struct.pack("<LHLH", 8, 0, 14, 2) + entries + bytes(4)
    return start[:2] + _segment(0xE1, b"Exif\0\0" + tiff + thumbnail) + start[2:] + scan + _END


def _looping_exif() -> bytes:
    """Return EXIF directories that point to themselves and to each other."""
    loops = [struct.pack("<HHLL", tag, 4, 1, 8) for tag in (0x8769, 0x8825, 0xA005, 0x014A)]
    directory = struct.pack("<H", 0xFFFF) + b"".join(loops * 1300) + struct.pack("<L", 8)
    return _segment(0xE1, b"Exif\0\0II*\0" + struct.pack("<L", 8) + directory[:65_000])


def _many_exif(most: int) -> bytes:
    """Return nearly as many EXIF segments as an image of so many bytes may have: a megabyte, and then empty ones."""
    prefix = b"Exif\0\0"
    return _segment(0xE1, prefix + bytes(65_527)) * 15 + _segment(0xE1, prefix) * (most // 4096)


def _segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def _to_bytes(bits: str) -> bytes:
    padded = bits + "1" * (-len(bits) % 8)
    return int(padded, 2).to_bytes(len(padded) // 8, "big").replace(b"\xff", b"\xff\0")


def _repeat(start: bytes, scan: bytes, most: int) -> bytes:
    return start + scan * ((most - len(start) - len(_END)) // len(scan)) + _END
