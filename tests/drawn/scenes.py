"""Drawn images with the forms of photos, and the bursts that a phone would take of them."""

import numpy as np
from PIL import Image, ImageEnhance


def scene(seed: int) -> Image.Image:
    """Draw something with the large and small forms of a photo: smooth noise of every scale, 400 x 300."""
    random = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(random.integers(0, 256, (3 * scale, 4 * scale, 3)).astype(np.uint8)).resize(
                (400, 300), Image.Resampling.BICUBIC
            )
        )
        / scale
        for scale in (1, 2, 4, 8, 16)
    ]
    total = np.sum(layers, axis=0)
    return Image.fromarray((255 * (total - total.min()) / np.ptp(total)).astype(np.uint8))


def burst(seed: int, frames: int) -> list[Image.Image]:
    """Draw a scene as seen in several frames: the camera moves by up to 3 %, the light by up to 5 %."""
    whole, random = scene(seed), np.random.default_rng(seed)
    width, height = whole.size
    seen = []
    for _ in range(frames):
        left, top = random.uniform(0, 0.03, 2) * whole.size
        frame = whole.crop((round(left), round(top), round(left + 0.97 * width), round(top + 0.97 * height)))
        seen.append(ImageEnhance.Brightness(frame).enhance(random.uniform(0.95, 1.05)))
    return seen
