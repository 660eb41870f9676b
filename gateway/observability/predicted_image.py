"""What metrics and drift record about each predicted image."""

from typing import NamedTuple


class PredictedImage(NamedTuple):
    """One image predicted by a version of a model.

    `class_index`, `label` and `probability` (0 to 1) are those of the predicted class. `bytes` is the encoded size,
    `pixels` width times height from the header, None if unknown. `brightness` is the mean of the decoded image, 0 to 1,
    None if the model does not return it.
    """

    model: str
    version: int
    class_index: int
    label: str
    probability: float
    bytes: int
    pixels: int | None
    brightness: float | None = None
