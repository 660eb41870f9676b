"""Answers of a model, or of a part of one, for many rows."""

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.errors import DivergedError
from trainer.evaluation import Predictions, cross_entropy
from trainer.feeding import Feed, ordered_batches, see_finite_inputs
from trainer.stages import Score


class Predictor:
    """A model in inference mode, traced once."""

    def __init__(self, model: Any) -> None:
        self._call = tf.function(
            lambda inputs: model(inputs, training=False), input_signature=[tf.TensorSpec(model.input_shape, tf.float32)]
        )

    def answer(self, feed: Feed, batch_size: int) -> npt.NDArray[np.float32]:
        """Return the probabilities of every image, float32 [N, C], in order.

        Raises:
            DivergedError: what goes into the network, or comes out of it, is NaN or infinite.
        """
        probabilities = np.concatenate([self._rows(*batch) for batch in ordered_batches(feed, batch_size)])
        if not np.isfinite(probabilities).all():
            raise DivergedError("The network's probabilities became NaN or infinite.")
        return probabilities

    def _rows(self, inputs: tf.Tensor, _targets: tf.Tensor, weights: tf.Tensor) -> npt.NDArray[np.float32]:
        see_finite_inputs(weights)
        probabilities: npt.NDArray[np.float32] = self._call(inputs).numpy()
        return probabilities

    def score(self, feed: Feed, batch_size: int) -> Score:
        """Return cross-entropy and accuracy; a soft target counts for its largest class."""
        probabilities = self.answer(feed, batch_size)
        labels = feed.targets[0].argmax(axis=1)
        return Score(
            loss=cross_entropy(Predictions(probabilities, labels)),
            accuracy=float((probabilities.argmax(axis=1) == labels).mean()),
        )
