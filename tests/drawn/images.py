"""Small images, drawn by code, as the bytes of files."""

import io
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

COLOURS: Mapping[str, tuple[int, int, int]] = {"blue": (40, 60, 220), "green": (50, 200, 60), "red": (220, 50, 40)}
"""Classes that even a tiny network can tell apart."""


def solid(colour: tuple[int, int, int], width: int = 40, height: int = 30) -> Image.Image:
    """Draw one colour."""
    return Image.new("RGB", (width, height), colour)


def gradient(width: int = 40, height: int = 30) -> Image.Image:
    """Draw an image that has no symmetry: red grows to the right, green downwards, blue along the diagonal."""
    rows, columns = np.mgrid[0:height, 0:width]
    red, green = 255 * columns / max(width - 1, 1), 255 * rows / max(height - 1, 1)
    pixels = np.stack([red, green, (red + green) / 2], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def speckled(colour: tuple[int, int, int], seed: int, width: int = 40, height: int = 30) -> Image.Image:
    """Draw a colour under noise, another image for each seed."""
    noise = np.random.default_rng(seed).normal(0, 30, (height, width, 3))
    return Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return the image as a file of the kind that Pillow calls JPEG, PNG, BMP, WEBP, GIF or TIFF."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pixels_of(content: bytes) -> npt.NDArray[np.uint8]:
    """Return what Pillow decodes, uint8 [H, W, 3]."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def exif(orientation: int, byte_order: str) -> bytes:
    """Return an EXIF segment's content with only an orientation; `byte_order` is `<` (Intel) or `>` (Motorola)."""
    mark = b"II" if byte_order == "<" else b"MM"
    directory = struct.pack(f"{byte_order}HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    return b"Exif\0\0" + mark + struct.pack(f"{byte_order}HI", 42, 8) + directory


def upright(content: bytes, orientation: int) -> Image.Image:
    """Turn what Pillow decodes by Pillow's own reading of the EXIF orientation."""
    image = Image.fromarray(pixels_of(content))
    image.getexif()[0x0112] = orientation
    return ImageOps.exif_transpose(image)


def animated(kind: str, width: int = 40, height: int = 30) -> bytes:
    """Return three gray frames in one file of the kind that Pillow calls GIF, PNG or WEBP."""
    frames = [solid((value, value, value), width, height) for value in (0, 120, 240)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:])


def write_classes(folder: Path, per_class: int, classes: Sequence[str] = tuple(COLOURS), seed: int = 0) -> Path:
    """Write `per_class` JPEG files of each class to `folder/CLASS/`, and return `folder`."""
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for index in range(per_class):
            image = speckled(COLOURS[name], seed=10_000 * seed + 1_000 * number + index)
            (folder / name / f"{index:02d}.jpg").write_bytes(encoded(image, "JPEG"))
    return folder
