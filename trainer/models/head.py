"""The head: the new layers on the base."""

from typing import Any

import keras

from trainer.config import HeadSettings

PROBABILITIES = "probabilities"
"""The name of the last layer, a dense one with softmax."""


def add_head(base: Any, head: HeadSettings, classes: int) -> Any:
    """Return a model of `base`, global average pooling, dense layers with dropout, and `classes` probabilities.

    Images are float32 [N, H, W, 3], probabilities float32 [N, classes], whatever the precision of the layers.
    """
    images = keras.Input(base.input_shape[1:], name="images")
    values = base(images)
    values = keras.layers.GlobalAveragePooling2D(name="pool")(values)
    penalty = {"kernel_regularizer": keras.regularizers.L2(head.l2)} if head.l2 else {}
    for index, (units, dropout) in enumerate(zip(head.units, head.dropout, strict=True), start=1):
        values = keras.layers.Dense(units, activation="relu", name=f"dense_{index}", **penalty)(values)
        values = keras.layers.Dropout(dropout, name=f"dropout_{index}")(values)
    probabilities = keras.layers.Dense(classes, activation="softmax", name=PROBABILITIES, dtype="float32", **penalty)(
        values
    )
    return keras.Model(images, probabilities)


def divide_logits(model: Any, temperature: float) -> None:
    """Divide the model's logits by a temperature, in place.

    The last layer is linear before its softmax, so that dividing its weights is exact, and neither the served graph nor
    a phone needs another operation.
    """
    layer = model.get_layer(PROBABILITIES)
    layer.set_weights([weight / temperature for weight in layer.get_weights()])
