"""Files of a few KB to MB that declare huge images, and hold them: without a guard, a decoder makes all the pixels.

Each is written by hand, because to draw such an image first would take the memory that a guard must save. Their
content is as monotonous as the format allows: nearly every bit is zero.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping

SIDE = 20_000
WEBP_SIDE = 16_383
"""The largest that WebP can say."""

_MEBIBYTE = 1 << 20


def png_bomb(width: int, height: int, *, rgb: bool = False) -> bytes:
    """Return a black PNG of 1 bit a pixel, or of 24 (ISO/IEC 15948)."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    row_bytes = 1 + (3 * width if rgb else (width + 7) // 8)  # the first says that the row is not filtered
    header = struct.pack(">IIBBBBB", width, height, 8 if rgb else 1, 2 if rgb else 0, 0, 0, 0)
    pixels = _deflated_zeros(row_bytes * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def jpeg_bomb(width: int, height: int) -> bytes:
    """Return a gray baseline JPEG (ITU-T T.81): in each block two bits, "as bright as before" and "nothing else"."""

    def segment(mark: int, content: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, mark, 2 + len(content)) + content

    one_code = bytes([1]) + bytes(15) + bytes([0])  # a single code, of one bit, for the symbol 0
    blocks = -(-width // 8) * -(-height // 8)
    return b"".join(
        [
            b"\xff\xd8",
            segment(0xDB, b"\0" + 64 * b"\1"),
            segment(0xC0, struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0)),
            segment(0xC4, b"\x00" + one_code),
            segment(0xC4, b"\x10" + one_code),
            segment(0xDA, bytes([1, 1, 0, 0, 63, 0])),
            bytes(-(-2 * blocks // 8)),
            b"\xff\xd9",
        ]
    )


def lossy_webp_bomb(width: int, height: int) -> bytes:
    """Return a WebP whose VP8 frame has only zero bits behind its header (RFC 6386).

    A zero takes the left branch of each tree: 4x4 prediction by the neighbours' mean in all 16 blocks of a macroblock,
    and no coefficients. At the format's own probabilities that takes 4.11 bits of modes and 5.7 of coefficients.
    """
    macroblocks = -(-width // 16) * -(-height // 16)
    modes, coefficients = bytes(100 + int(macroblocks * 4.11 / 8)), bytes(100 + int(macroblocks * 5.7 / 8))
    shown_key_frame = 1 << 4 | len(modes) << 5
    frame = struct.pack("<I", shown_key_frame)[:3] + b"\x9d\x01\x2a" + struct.pack("<HH", width, height)
    return _riff((b"VP8 ", frame + modes + coefficients))


def lossless_webp_bomb(width: int, height: int) -> bytes:
    """Return a WebP whose five codes have one symbol each, so that a pixel takes no bit at all (RFC 9649, 3.7)."""
    return _riff((b"VP8L", _lossless_frame(width, height)))


def extended_webp_bomb(width: int, height: int) -> bytes:
    """Return a still WebP whose VP8X header declares a canvas of any size, around a frame of at most 16383 a side."""
    canvas = bytes(4) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    frame = _lossless_frame(min(width, WEBP_SIDE), min(height, WEBP_SIDE))
    return _riff((b"VP8X", canvas), (b"VP8L", frame))


def gif_bomb(width: int, height: int) -> bytes:
    """Return a black GIF (GIF89a, appendix F), whose LZW codes each stand for one pixel more than the last."""
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    data = _lzw_zeros(width * height)
    blocks = b"".join(bytes([len(block)]) + block for block in (data[at : at + 255] for at in range(0, len(data), 255)))
    image = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + bytes([2])
    return b"GIF89a" + screen + image + blocks + b"\0;"


BOMBS: Mapping[str, Callable[[int, int], bytes]] = {
    "1-bit PNG": png_bomb,
    "RGB PNG": lambda width, height: png_bomb(width, height, rgb=True),
    "JPEG": jpeg_bomb,
    "lossy WebP": lossy_webp_bomb,
    "lossless WebP": lossless_webp_bomb,
    "extended WebP": extended_webp_bomb,
}
"""By format, of those that are answered where they are small."""


def huge(kind: str) -> bytes:
    """Return a bomb of 20000 x 20000 pixels, or of as many as WebP's own limits allow."""
    if kind == "lossy WebP":
        return lossy_webp_bomb(WEBP_SIDE, 15_900)  # more rows, and the modes would not fit into their 2**19 bytes
    side = WEBP_SIDE if kind == "lossless WebP" else SIDE
    return BOMBS[kind](side, side)


def _deflated_zeros(size: int) -> bytes:
    """Deflate zeros, of which a MiB is compressed once and then repeated."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    whole = compressor.compress(bytes(_MEBIBYTE)) + compressor.flush(zlib.Z_FULL_FLUSH)
    rest = compressor.compress(bytes(size % _MEBIBYTE)) + compressor.flush()
    adler32 = (size % 65521) << 16 | 1  # of zeros
    return b"\x78\xda" + whole * (size // _MEBIBYTE) + rest + struct.pack(">I", adler32)


def _lossless_frame(width: int, height: int) -> bytes:
    size = width - 1 | height - 1 << 14
    no_transform_cache_or_meta_codes, simple_code_of_symbol_zero = 3, 0b0001
    codes = sum(simple_code_of_symbol_zero << no_transform_cache_or_meta_codes + 4 * code for code in range(5))
    return b"\x2f" + struct.pack("<II", size, codes) + bytes(8)


def _riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def _lzw_zeros(pixels: int) -> bytes:
    bits = "".join(f"{code:0{width}b}"[::-1] for code, width in _lzw_codes(pixels))  # the lowest bit goes first
    return int(bits[::-1], 2).to_bytes(-(-len(bits) // 8), "little")


def _lzw_codes(pixels: int) -> Iterator[tuple[int, int]]:
    """Yield codes and their widths in bits; each is the one that the decoder is about to make, one pixel longer."""
    clear, end, free, full = 4, 5, 6, 4096
    width = 3
    while pixels > 0:
        yield clear, width
        yield 0, 3
        pixels, run, width = pixels - 1, 1, 3
        for code in range(free, full):
            run += 1
            if pixels < run:
                break
            yield code, width
            pixels, width = pixels - run, min(12, (code + 1).bit_length())
    yield end, width
