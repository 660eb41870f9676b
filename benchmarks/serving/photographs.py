"""The images that benchmarks send: photographs where there are any, else drawn ones with about as much detail."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

WIDTH, HEIGHT = 500, 375

console = Console(highlight=False, soft_wrap=True)


def read_or_draw(folder: Path) -> list[bytes]:
    """Return JPEG files of 500x375 pixels: photographs where there are any, else drawn ones."""
    photographs = sorted(folder.glob("*/*.jpg"))[:16]
    if not photographs:
        console.print(f"No photographs at {folder}; images are drawn.")
    drawn = (draw(seed) for seed in range(8)) if not photographs else map(Image.open, photographs)
    return [encode(image.convert("RGB").resize((WIDTH, HEIGHT))) for image in drawn]


def other_sizes(images: Sequence[bytes]) -> list[bytes]:
    """Return some of the images as JPEG files from 64x48 to 4000x3000 pixels."""
    sizes = ((64, 48), (320, 240), (1024, 768), (2000, 1500), (4000, 3000))
    opened = (Image.open(io.BytesIO(image)) for image in images)
    return [encode(image.resize(size)) for image, size in zip(opened, sizes, strict=False)]


def draw(seed: int) -> Image.Image:
    """Draw an image with about as much detail as a photograph."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (HEIGHT // 25, WIDTH // 25, 3), np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), np.float32)
    return Image.fromarray(np.clip(smooth + random.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8))


def encode(image: Image.Image) -> bytes:
    """Return a JPEG file."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=88)
    return file.getvalue()
