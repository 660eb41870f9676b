"""Images that declare too much: refused from their first bytes, before anything is decoded."""

import struct
import sys
from collections.abc import Callable

import pytest

from contract.image_input import ImageInput
from tests.drawn.bombs import jpeg_bomb, png_bomb
from tests.drawn.images import encoded, gradient, solid
from tests.peak_memory import peak_mb_above_now
from tests.trainer.tracing import decoded

SIDE = 8000
DECODED_MB = SIDE * SIDE * 3 / 2**20
LIMITED = ImageInput(height=32, width=32)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read and set back as Linux offers it")
@pytest.mark.parametrize("bomb", [png_bomb, jpeg_bomb])
def test_bomb_is_refused_without_the_memory_to_decode_it(bomb: Callable[[int, int], bytes]) -> None:
    """A small file that declares 64 million pixels is refused in a fraction of the memory of its pixels."""
    contents = [bomb(SIDE, SIDE), encoded(gradient(), "PNG")]
    assert decoded(contents, LIMITED).valid.numpy().tolist() == [False, True]
    assert peak_mb_above_now(lambda: decoded(contents, LIMITED)) < DECODED_MB / 4


def claiming(kind: str, width: int, height: int) -> bytes:
    """Return a small PNG or BMP whose header was changed to declare another size."""
    content = bytearray(encoded(solid((9, 9, 9)), kind))
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
