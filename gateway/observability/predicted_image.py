"""What is known of an image once it is answered; metrics and drift hear of each."""

from typing import NamedTuple


class PredictedImage(NamedTuple):
    """One image that a version of a model answered.

    `class_index` and `label` are those of the likeliest class, `probability` is its own, 0 to 1. `bytes` is the encoded
    size, `pixels` width times height from the header, None where that does not tell. `brightness` is the mean of the
    decoded image, 0 to 1, None where the model does not say.
    """

    model: str
    version: int
    class_index: int
    label: str
    probability: float
    bytes: int
    pixels: int | None
    brightness: float | None = None
