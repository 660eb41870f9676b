"""Predictions of a model, or of a part of one, for a whole split."""

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.evaluation.metrics import Predictions, cross_entropy
from trainer.training.input_pipeline import InputPipeline, ordered_batches
from trainer.training.stages import Score


class Predictor:
    """A model in inference mode, traced once."""

    def __init__(self, model: Any) -> None:
        self._call = tf.function(
            lambda inputs: model(inputs, training=False), input_signature=[tf.TensorSpec(model.input_shape, tf.float32)]
        )

    def answer(self, pipeline: InputPipeline, batch_size: int) -> npt.NDArray[np.float32]:
        """Return the probabilities for every image, float32 [N, C], in order."""
        return np.concatenate([self._call(inputs).numpy() for inputs, _, _ in ordered_batches(pipeline, batch_size)])

    def score(self, pipeline: InputPipeline, batch_size: int) -> Score:
        """Return cross-entropy and accuracy; a soft target counts for its largest class."""
        probabilities = self.answer(pipeline, batch_size)
        labels = pipeline.targets[0].argmax(axis=1)
        return Score(
            loss=cross_entropy(Predictions(probabilities, labels)),
            accuracy=float((probabilities.argmax(axis=1) == labels).mean()),
        )
