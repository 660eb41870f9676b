"""Predictions of a model, or of a part of one, for a whole split."""

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.errors import DivergedError
from trainer.evaluation.metrics import Predictions, cross_entropy
from trainer.training.input_pipeline import InputPipeline, check_finite_inputs, ordered_batches
from trainer.training.stages import Score


class Predictor:
    """A model in inference mode, traced once."""

    def __init__(self, model: Any) -> None:
        self._call = tf.function(
            lambda inputs: model(inputs, training=False),
            input_signature=[tf.TensorSpec(model.input_shape, tf.float32)],
            autograph=False,
        )

    def predict(self, pipeline: InputPipeline, batch_size: int) -> npt.NDArray[np.float32]:
        """Return the probabilities for every image, float32 [N, C], in order.

        Raises:
            DivergedError: an input or output of the network is NaN or infinite.
        """
        probabilities = np.concatenate([self._rows(*batch) for batch in ordered_batches(pipeline, batch_size)])
        if not np.isfinite(probabilities).all():
            raise DivergedError("The network's probabilities became NaN or infinite.")
        return probabilities

    def _rows(self, inputs: tf.Tensor, _targets: tf.Tensor, weights: tf.Tensor) -> npt.NDArray[np.float32]:
        check_finite_inputs(weights)
        probabilities: npt.NDArray[np.float32] = self._call(inputs).numpy()
        return probabilities

    def score(self, pipeline: InputPipeline, batch_size: int) -> Score:
        """Return cross-entropy and accuracy; a soft target counts for its largest class."""
        probabilities = self.predict(pipeline, batch_size)
        labels = pipeline.targets[0].argmax(axis=1)
        return Score(
            loss=cross_entropy(Predictions(probabilities, labels)),
            accuracy=float((probabilities.argmax(axis=1) == labels).mean()),
        )
