"""How a phone makes an image fit: as MediaPipe's ImageClassifier does it, which is not how we do."""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image

from contract.image_files.end_marks import with_end
from contract.image_input import ImageInput
from trainer.data.orientation.in_bytes import turned_upright

Pixels = npt.NDArray[np.uint8]


def read_upright(path: Path) -> Pixels:
    """Return an image at its full size, uint8 [H, W, 3] RGB, turned upright by its EXIF orientation.

    By Pillow and not by our preprocessing, because this stands for the decoder of a phone. It decodes what our
    preprocessing does, JPEGs without end marker included, and EXIF data that are none turn nothing.
    """
    content = with_end(path.read_bytes())
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(turned_upright(image, content).convert("RGB"))


def stretch(image: Pixels, height: int, width: int) -> Pixels:
    """Resize uint8 [h, w, 3] to uint8 [height, width, 3] as MediaPipe does on the CPU.

    Bilinear between the four nearest pixels, however far the image shrinks, and counted from the upper left corner:
    its OpenCV converter maps the corners onto each other, so that column x is read at x * w / width. OpenCV rounds
    these places to 1/32 pixel, which changes a probability of the flowers by at most 0.0085 and no answer.
    """
    resized = tf.raw_ops.ResizeBilinear(
        images=image[None].astype(np.float32), size=[height, width], align_corners=False, half_pixel_centers=False
    )
    return np.asarray(np.clip(np.rint(resized[0].numpy()), 0, 255), np.uint8)


def stretch_file(path: Path, image_input: ImageInput) -> Pixels:
    """Return an image file as a phone hands it to the model, uint8 [H, W, 3]."""
    return stretch(read_upright(path), image_input.height, image_input.width)
