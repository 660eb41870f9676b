"""The graph that a published version serves pixels with, as the TFLite converter wants it."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from contract.signatures import SERVING_PIXELS
from exporter.errors import ConversionError
from exporter.saved_model.tensorflow_internals import freeze_variables

INPUT, OUTPUT = "pixels", "probabilities"

Pixels = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]


class PixelGraph:
    """`serving_pixels` of the SavedModel in a folder: uint8 [N, H, W, 3] RGB to probabilities float32 [N, C].

    Preprocessing and temperature are inside. Loaded once; whatever it is converted to comes from these constants.
    """

    def __init__(self, version: Path) -> None:
        self._loaded = tf.saved_model.load(str(version))  # kept: the variables would go with it
        self._signature = self._loaded.signatures[SERVING_PIXELS]
        frozen = freeze_variables(self._signature)
        self._definition = frozen.graph.as_graph_def()
        self._input: str = frozen.inputs[0].name
        self._output: str = frozen.outputs[0].name
        self._image = tuple(frozen.inputs[0].shape[1:])

    def predict(self, pixels: Pixels) -> Probabilities:
        """Return the SavedModel's own answers."""
        predicted: Probabilities = self._signature(**{INPUT: tf.constant(pixels)})[OUTPUT].numpy()
        return predicted

    def for_one_image(self, *, from_floats: bool) -> Any:
        """Return a function of one image, uint8 [1, H, W, 3], or the same values as float32 `from_floats`.

        Full integer quantization replaces a float input by integers, and would keep a uint8 input's conversion to
        float in the file; so it begins behind that conversion.

        Raises:
            ConversionError: the graph does not convert its pixels to float32 first.
        """
        places = self._casts() if from_floats else [self._input]
        spec = tf.TensorSpec([1, *self._image], tf.float32 if from_floats else tf.uint8, name=INPUT)

        def predict(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
            replaced = dict.fromkeys(places, pixels)
            (probabilities,) = tf.import_graph_def(self._definition, replaced, [self._output], name="")
            return {OUTPUT: probabilities}

        return tf.function(predict, input_signature=[spec], autograph=False)

    def _casts(self) -> list[str]:
        casts = [
            f"{node.name}:0"
            for node in self._definition.node
            if node.op == "Cast"
            and (node.attr["SrcT"].type, node.attr["DstT"].type)
            == (tf.uint8.as_datatype_enum, tf.float32.as_datatype_enum)
        ]
        if not casts:
            raise ConversionError(
                f"The graph of {SERVING_PIXELS} does not convert its pixels to float32, so that no full integer file "
                "can be made of it; export the run again, or leave int8 out of --variants."
            )
        return casts
