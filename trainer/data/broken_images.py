"""The reason why a file cannot be decoded, as text."""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import BmpImagePlugin, Image

from contract.image_cost.jpeg import is_jpeg, needs_end, read_frame
from contract.image_input import ImageInput

_READ = {"JPEG", "MPO", "PNG", "BMP", "DIB", "WEBP"}  # MPO: a JPEG followed by more images
_IMAGE_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif", b"avis")
_END_IS_WITHIN = 1024  # some programs write a few bytes after the end


@dataclass(frozen=True)
class BrokenImage:
    """A file that was left out because it cannot be decoded, and the reason."""

    path: Path
    reason: str


def why_broken(content: bytes, image_input: ImageInput) -> str:
    """Return why `content` could not be decoded for `image_input`. Reads headers only."""
    return why_refused(content, image_input) or _how_damaged(content)


def why_refused(content: bytes, image_input: ImageInput) -> str:
    """Return why `content` is not decoded at all, by its headers; empty if it is, whether whole or damaged."""
    if not content:
        return "the file is empty"
    if unusual := _unusual_jpeg(content) or _kind_of_iso_file(content):
        return unusual
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata, and of sizes that are checked below
        try:
            with Image.open(io.BytesIO(content)) as image:
                return _why_refused(image, image_input)
        except Image.DecompressionBombError:
            return _too_many_pixels(image_input)
        except (OSError, SyntaxError, ValueError):  # what Pillow's readers raise for headers that make no sense
            return ""


def _why_refused(image: Image.Image, image_input: ImageInput) -> str:
    kind = image.format or "image of an unknown kind"
    if kind not in _READ:
        article = "an" if kind[0] in "AEIO" else "a"
        return f"{article} {kind}, which is not read whatever its name; save it as JPEG, PNG, BMP or WebP"
    if image.width * image.height > image_input.max_pixels:
        return _too_many_pixels(image_input, f"{image.width} x {image.height}")
    if kind == "WEBP" and getattr(image, "is_animated", False):
        return "an animated WebP; save one frame of it"
    if isinstance(image, BmpImagePlugin.BmpImageFile) and image.mode not in {"RGB", "RGBA"}:
        return "a BMP with a palette; save it with 24 bits or as PNG"
    return ""


def _too_many_pixels(image_input: ImageInput, seen: str = "far more") -> str:
    return f"too many pixels: at most {image_input.max_pixels:,} are decoded, it declares {seen}"


def _how_damaged(content: bytes) -> str:
    tail = content[-_END_IS_WITHIN:]
    if content.startswith(b"\xff\xd8\xff"):
        is_whole = b"\xff\xd9" in tail
        frame = None if is_whole else read_frame(content)
        if frame and needs_end(content, frame):
            return "cut short, or too large to be read without end marker; save it anew"
    elif content.startswith(b"\x89PNG"):
        is_whole = b"IEND" in tail
    elif content.startswith(b"RIFF"):
        is_whole = len(content) >= 8 + int.from_bytes(content[4:8], "little")
    elif content.startswith(b"BM"):
        is_whole = len(content) >= int.from_bytes(content[2:6], "little")
    else:
        return "not an image"
    return "damaged" if is_whole else "cut short"


def _unusual_jpeg(content: bytes) -> str:
    """Return what a JPEG is that no usual decoder reads; empty for anything else."""
    frame = read_frame(content) if is_jpeg(content) else None
    if frame is None or not frame.unusual_kind:
        return ""
    return f"{frame.unusual_kind}, which is not read; save it as a usual JPEG, or as PNG"


def _kind_of_iso_file(content: bytes) -> str:
    """Return what a file of the ISO base media format is, by its brands: phones' photos under another name."""
    if content[4:8] != b"ftyp":
        return ""
    brands = content[8:64]
    kind = "an AVIF" if b"avif" in brands or b"avis" in brands else "a HEIC"
    if not any(brand in brands for brand in _IMAGE_BRANDS):
        return "a video"
    return f"{kind}, which is not read whatever its name; save it as JPEG, PNG, BMP or WebP"
