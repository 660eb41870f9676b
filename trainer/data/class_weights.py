"""The weight of each class in the loss."""

from typing import Literal

import numpy as np
import numpy.typing as npt
from sklearn.utils.class_weight import compute_class_weight

_IMBALANCE = 2.0  # auto: where the largest class has over this many times the images of the smallest


def class_weights(
    labels: npt.NDArray[np.int32], classes: int, mode: Literal["auto", "on", "off"]
) -> npt.NDArray[np.float32]:
    """Return the weight of each class, float32 [C], for training images with `labels`, int32 [N].

    Weights are inverse to the class's count and have mean 1 over the images, so that the loss keeps its scale
    (`balanced` of scikit-learn, after King and Zeng 2001). All are 1 with "off", and with "auto" where the largest
    class has at most twice the images of the smallest. A class without images has weight 1.
    """
    weights = np.ones(classes, np.float32)
    present, counts = np.unique(labels, return_counts=True)
    if mode == "on" or (mode == "auto" and counts.max() > _IMBALANCE * counts.min()):
        weights[present] = compute_class_weight("balanced", classes=present, y=labels)
    return weights
