"""Baselines for a fine-tuned model on the same split: a linear probe, and the same network from scratch."""

import warnings
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from trainer.models.network import POOLED, Network
from trainer.training.context import TrainingContext
from trainer.training.feature_cache import compiled_front
from trainer.training.fine_tuning import train_from_scratch
from trainer.training.input_pipeline import InputPipeline, ordered_batches
from trainer.training.network_building import build_from_scratch, build_unchanged
from trainer.training.prediction import Predictor
from trainer.training.state import TrainingState

_ITERATIONS = 1000

Probabilities = npt.NDArray[np.float32]


def train_baseline(
    name: str, context: TrainingContext, test: InputPipeline, first_weights: list[npt.NDArray[Any]]
) -> Probabilities:
    """Train the baseline, `features` or `scratch`, and return its predictions for the test images, float32 [N, C].

    `first_weights` are those that the run started with.
    """
    config, progress, classes = context.config, context.progress, context.network.classes
    keras.utils.set_random_seed(config.seed)  # or a resumed run would draw other weights
    if name == "features":
        progress.on_note("Baseline: a linear probe on the features of the unchanged base.")
        return _train_probe(build_unchanged(config, classes, first_weights), context, test)
    progress.on_note("Baseline: the same network from scratch.")
    network = build_from_scratch(config, classes)
    predictor = Predictor(network.model)
    train_from_scratch(replace(context, network=network, predictor=predictor, state=TrainingState()))
    return predictor.predict(test, config.data.batch_size)


def _train_probe(network: Network, context: TrainingContext, test: InputPipeline) -> Probabilities:
    compute = compiled_front(network, [POOLED])
    train = context.data.train

    def features(pipeline: InputPipeline) -> npt.NDArray[np.float32]:
        batches = []
        for inputs, _, _ in ordered_batches(pipeline, context.config.data.batch_size):
            batches.append(compute(inputs)[0].numpy())
            context.progress.on_step(len(inputs))
        return np.concatenate(batches)

    context.progress.on_work("computing the features of the base", train.images + test.images)
    labels = train.targets[0].argmax(axis=1)
    weights = train.class_weights[labels]
    probe = LogisticRegression(max_iter=_ITERATIONS)
    with warnings.catch_warnings():  # after so many steps the probe is near enough
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe.fit(features(train), labels, sample_weight=weights)
    predictions: Probabilities = probe.predict_proba(features(test)).astype(np.float32)
    return predictions
