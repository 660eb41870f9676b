"""What to compare a fine-tuned model with, on the same split: a linear probe, and the same network from scratch."""

import warnings
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from trainer.config import TrainingConfig
from trainer.models.network import POOLED, Network
from trainer.progress import Progress
from trainer.training.feature_cache import compiled_front
from trainer.training.fine_tuning import train_from_scratch
from trainer.training.input_pipeline import Feed, TrainingData, ordered_batches
from trainer.training.network_building import build_from_scratch, build_unchanged
from trainer.training.prediction import Predictor
from trainer.training.state import Journal

_ITERATIONS = 1000

Probabilities = npt.NDArray[np.float32]


def train_baseline(
    name: str,
    data: TrainingData,
    test: Feed,
    config: TrainingConfig,
    first_weights: list[npt.NDArray[Any]],
    progress: Progress,
) -> Probabilities:
    """Train the baseline, `features` or `scratch`, and return its answers to the test pictures, float32 [N, C].

    `first_weights` are those that the run began with.
    """
    keras.utils.set_random_seed(config.seed)  # or a resumed run would draw other weights
    classes = data.train.targets.shape[2]
    if name == "features":
        progress.on_note("Baseline: a linear probe on the features of the unchanged base.")
        return _probe(build_unchanged(config, classes, first_weights), data, test, config, progress)
    progress.on_note("Baseline: the same network from scratch.")
    network = build_from_scratch(config, classes)
    predictor = Predictor(network.model)
    train_from_scratch(network, predictor, data, config, progress, Journal())
    return predictor.answer(test, config.data.batch_size)


def _probe(
    network: Network, data: TrainingData, test: Feed, config: TrainingConfig, progress: Progress
) -> Probabilities:
    compute = compiled_front(network, [POOLED])

    def features(feed: Feed) -> npt.NDArray[np.float32]:
        batches = []
        for inputs, _, _ in ordered_batches(feed, config.data.batch_size):
            batches.append(compute(inputs)[0].numpy())
            progress.on_step(len(inputs))
        return np.concatenate(batches)

    progress.on_work("computing the features of the base", data.train.pictures + test.pictures)
    labels = data.train.targets[0].argmax(axis=1)
    weights = data.train.class_weights[labels]
    probe = LogisticRegression(max_iter=_ITERATIONS)
    with warnings.catch_warnings():  # after so many steps the probe is near enough
        warnings.simplefilter("ignore", ConvergenceWarning)
        probe.fit(features(data.train), labels, sample_weight=weights)
    answers: Probabilities = probe.predict_proba(features(test)).astype(np.float32)
    return answers
