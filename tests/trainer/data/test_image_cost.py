"""The limits on work, at their edges: the graph, the gateway and the model server refuse the same images."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from contract.image_cost.check import why_costly
from contract.image_cost.limits import ALWAYS_CHEAP_PNG_BYTES, MAX_PNG_CHUNKS, MAX_SCANS, png_data_allowed
from contract.image_input import ImageInput
from tests.trainer.tracing import decoded

LIMITED = ImageInput(height=32, width=32)
END = b"\xff\xd9"


def progressive(width: int, height: int) -> tuple[bytes, bytes]:
    """Return a progressive JPEG up to its last scan, and that scan, which may be repeated."""
    file = io.BytesIO()
    Image.new("L", (width, height)).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    last = content.rindex(b"\xff\xda")
    return content[:last], content[last:-2]


def with_scans(count: int, width: int = 16, height: int = 16) -> bytes:
    """Return a progressive JPEG of `count` scans."""
    start, scan = progressive(width, height)
    return start + scan * (count - start.count(b"\xff\xda\x00")) + END


def assert_all_agree(content: bytes, *, accepted: bool) -> None:
    """The graph and the check of the servers accept an image, or both do not."""
    assert decoded([content], LIMITED).valid.numpy().tolist() == [accepted]
    assert (why_costly(content) == "") == accepted


@pytest.mark.parametrize("count", [10, MAX_SCANS, MAX_SCANS + 1, 3000])
def test_so_many_scans_are_accepted_and_no_more(count: int) -> None:
    """A small image may have as many scans as the reference encoder writes."""
    assert_all_agree(with_scans(count), accepted=count <= MAX_SCANS)


@pytest.mark.parametrize(("count", "accepted"), [(50, True), (51, False)])
def test_large_images_may_have_fewer_scans(count: int, accepted: bool) -> None:
    """Twenty megapixels fifty times are the limit."""
    assert_all_agree(with_scans(count, 5000, 4000), accepted=accepted)


def test_scans_behind_the_image_are_few_by_chance() -> None:
    """Twenty megabytes of a video behind a photograph are not taken for scans."""
    video = np.random.default_rng(2).bytes(19_000_000)
    assert_all_agree(with_scans(10, 5000, 4000) + video, accepted=True)


def chunk(name: bytes, content: bytes = b"") -> bytes:
    """Return one chunk of a PNG."""
    return struct.pack(">L", len(content)) + name + content + struct.pack(">L", zlib.crc32(name + content))


def png(side: int, data: list[bytes], *others: bytes) -> bytes:
    """Return a gray PNG with data chunks, and other chunks before them."""
    header = chunk(b"IHDR", struct.pack(">LLBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join([*others, *(chunk(b"IDAT", each) for each in data), chunk(b"IEND")])


def noise(side: int) -> bytes:
    """Return the rows of a PNG, which cannot be compressed."""
    rows = np.random.default_rng(4).integers(0, 256, (side, side + 1), np.uint8)
    rows[:, 0] = 0
    return rows.tobytes()


@pytest.mark.parametrize("level", [0, 1, 9])
def test_pixels_may_be_stored_or_packed(level: int) -> None:
    """Noise has more bytes after compression than before, and is accepted."""
    assert_all_agree(png(700, [zlib.compress(noise(700), level)]), accepted=True)


def test_more_data_than_the_pixels_need_is_refused() -> None:
    """A kilobyte more than is allowed is too much; the bytes behind the end of the stream do not matter otherwise."""
    pixels = zlib.compress(noise(700))
    allowed = png_data_allowed(700 * 700 + 4 * 700 + 16)
    for more, accepted in ((0, True), (1024, False)):
        assert_all_agree(png(700, [pixels, bytes(allowed - len(pixels) + more)]), accepted=accepted)


@pytest.mark.parametrize(("count", "accepted"), [(MAX_PNG_CHUNKS - 3, True), (MAX_PNG_CHUNKS + 1, False)])
def test_so_many_chunks_are_accepted_and_no_more(count: int, accepted: bool) -> None:
    """Chunks that no decoder knows count, too."""
    assert_all_agree(png(300, [zlib.compress(noise(300))], chunk(b"abCd", b"x") * count), accepted=accepted)


@pytest.mark.parametrize(("count", "accepted"), [(32, True), (33, False)])
@pytest.mark.parametrize("name", [b"zTXt", b"iTXt"])
def test_so_many_long_texts_are_accepted_and_no_more(name: bytes, count: int, accepted: bool) -> None:
    """Texts of eight kilobytes may become eight megabytes each."""
    text = b"Comment\0\0" + zlib.compress(np.random.default_rng(1).bytes(8000))
    content = png(300, [zlib.compress(noise(300))], chunk(name, text) * count)
    assert len(content) > ALWAYS_CHEAP_PNG_BYTES
    assert_all_agree(content, accepted=accepted)


def test_what_follows_the_end_of_a_png_does_not_count() -> None:
    """Decoders stop at the last chunk, and so does the walk."""
    assert_all_agree(png(300, [zlib.compress(noise(300))]) + chunk(b"IDAT", bytes(900_000)), accepted=True)
