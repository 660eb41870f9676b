"""Writes down what Keras builds of EfficientNetB0 for weights="imagenet"; run it where nothing can be downloaded.

Keras builds the network before it fetches the weights. When the fetch fails, the network is still in the failed call.
"""

import json
import sys
import traceback
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from keras.src.legacy.saving import legacy_h5_format

from trainer.config import ModelSettings
from trainer.errors import WeightsError
from trainer.models.base import batch_norms, build_base


def keras_own() -> Any:
    """Return Keras's own network for "imagenet"."""
    try:
        keras.applications.EfficientNetB0(include_top=False, input_shape=(32, 32, 3), weights="imagenet")
    except Exception as error:
        if "URL fetch failure" not in str(error):
            raise
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        return next(frame.f_locals["model"] for frame in frames if frame.f_code.co_name == "EfficientNet")
    raise AssertionError("something was downloaded")


def write(network: Any, folder: Path) -> None:
    """Write the network's layers, the file that its weights would be published in, and its answers."""
    pixels = np.random.default_rng(1).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.set_weights([np.array([0.485, 0.456, 0.406]), np.array([0.052, 0.050, 0.051]), np.array(1)])
            layer.finalize_state()
    for layer in batch_norms(network):
        layer.momentum = 0.0
    network(pixels, training=True)
    scaled = keras.Model(network.input, network.get_layer("stem_conv_pad").input)(pixels)
    np.savez(folder / "answers.npz", pixels=pixels, scaled=scaled, features=network(pixels, training=False))
    with h5py.File(folder / "published_notop.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, network)
    layers = [type(layer).__name__ for layer in network.layers]
    graph = {"layers": layers, "weights": [list(weight.shape) for weight in network.weights]}
    (folder / "graph.json").write_text(json.dumps(graph))


def main() -> None:
    """Write down Keras's network, and print how our own refusal reads."""
    write(keras_own(), Path(sys.argv[1]))
    try:
        build_base(ModelSettings(architecture="efficientnet_b0", weights="imagenet", image_size=32))
    except WeightsError as error:
        print(f"{type(error).__name__}: {error}")  # noqa: T201 - read by the test


if __name__ == "__main__":
    main()
