"""What an image can be, besides decoded, and a version, besides proved."""


class UnprovedImageError(Exception):
    """An image that may be decoded otherwise than by TensorFlow; its text says what kind of image, as "a CMYK JPEG"."""


class BrokenImageError(Exception):
    """An image that TensorFlow's graph refuses, too; its text says why."""


class NotProvedError(Exception):
    """A version whose images are decoded by its own graph; its text says why, without a full stop."""
