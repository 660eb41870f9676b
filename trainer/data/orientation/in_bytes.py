"""Images that Pillow decoded, turned as the served graph turns them."""

from PIL import Image

from contract.image_files.orientation import orientation_of

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def turned_upright(image: Image.Image, content: bytes) -> Image.Image:
    """Return a decoded image turned by the orientation that its file says; ValueError as `orientation_of`."""
    orientation = orientation_of(content)
    return image.transpose(_TURNS[orientation]) if orientation > 1 else image
