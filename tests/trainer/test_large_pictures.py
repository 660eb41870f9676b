"""Pictures that declare too much: refused from their first bytes, before anything is decoded."""

import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from contract.image_input import ImageInput
from tests.pictures import encoded, gradient, solid
from tests.trainer.tracing import decoded

SIDE = 8000
DECODED_MB = SIDE * SIDE * 3 / 2**20
LIMITED = ImageInput(height=32, width=32)


def png_bomb(width: int = SIDE, height: int = SIDE) -> bytes:
    """Return a PNG of 1 bit per pixel; a few kilobytes, whatever it declares."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = zlib.compress((b"\0" + bytes((width + 7) // 8)) * height, 9)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg_bomb() -> bytes:
    return encoded(Image.new("L", (SIDE, SIDE)), "JPEG", quality=10)


def peak_mb_above_now(call: Callable[[], object]) -> float:
    """Return by how many megabytes the process's memory rose at most while `call` ran."""
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to what is used now
    before = peak_mb()
    call()
    return peak_mb() - before


def peak_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read and set back as Linux offers it")
@pytest.mark.parametrize("bomb", [png_bomb, jpeg_bomb])
def test_bomb_is_refused_without_the_memory_to_decode_it(bomb: Callable[[], bytes]) -> None:
    """A small file that declares 64 million pixels is refused in a fraction of the memory of its pixels."""
    contents = [bomb(), encoded(gradient(), "PNG")]
    assert decoded(contents, LIMITED).valid.numpy().tolist() == [False, True]
    assert peak_mb_above_now(lambda: decoded(contents, LIMITED)) < DECODED_MB / 4


def claiming(kind: str, width: int, height: int) -> bytes:
    """Return a small picture whose header was changed to declare another size."""
    content = bytearray(encoded(solid((9, 9, 9)), kind, **({"lossless": True} if kind == "WEBP" else {})))
    if kind == "PNG":
        content[16:24] = struct.pack(">II", width & 0xFFFFFFFF, height & 0xFFFFFFFF)
    elif kind == "BMP":
        content[18:26] = struct.pack("<ii", width, height)
    return bytes(content)


@pytest.mark.parametrize(
    ("kind", "width", "height"),
    [
        ("PNG", 0, 30),
        ("PNG", 40, 0),
        ("PNG", 2**31 - 1, 2**31 - 1),
        ("PNG", 0xFFFFFFFF, 0xFFFFFFFF),
        ("PNG", 2**16, 2**16),
        ("BMP", 0, 30),
        ("BMP", -40, 30),
        ("BMP", 2**31 - 1, 2**31 - 1),
        ("BMP", 40, -(2**31)),
        ("BMP", 2**16, 2**16),
    ],
)
def test_impossible_size_is_refused(kind: str, width: int, height: int) -> None:
    """A header that declares nothing, a negative width or a size whose product overflows is refused."""
    assert decoded([claiming(kind, width, height)], LIMITED).valid.numpy().tolist() == [False]
