"""A network of three convolutions, and images of two brightnesses, for tests of how it is trained."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from contract.image_input import ImageInput
from trainer.augmentation.pipeline import Augmentation
from trainer.config import TrainingConfig, read_config
from trainer.data.pixel_store import MemoryBudget
from trainer.models.architectures import BASE
from trainer.models.head import add_head
from trainer.models.network import Network
from trainer.progress import Epoch, PhaseName, Progress
from trainer.training.checkpoint import Checkpoint
from trainer.training.context import TrainingContext
from trainer.training.fine_tuning import TrainingOutcome, fine_tune, train_from_scratch
from trainer.training.input_pipeline import InputPipeline, TrainingData, prepare_pixels, soft_targets
from trainer.training.prediction import Predictor
from trainer.training.state import TrainingState

SIDE = 8
LAST_BLOCK, LAST_TWO_BLOCKS = 3, 6
"""Layers behind a split point of the base: each block is a convolution, a BatchNorm and an activation.

The activations are called as the ends of MobileNetV2's blocks are, so that gradual unfreezing may stop behind them.
"""

_SETTINGS: dict[str, Any] = {
    "data.batch_size": 8,
    "head.units": [8],
    "head.dropout": [0.25],
    "phase_one.epochs": 3,
    "phase_one.learning_rate": 0.02,
    "phase_two.epochs": 2,
    "phase_two.learning_rate": 0.002,
    "phase_two.unfreeze": [LAST_BLOCK],
    "gate.force": True,
}


def small_config(**sections: dict[str, Any]) -> TrainingConfig:
    """Return settings for the small network; `phase_two={"epochs": 1}` changes one."""
    changes = {f"{section}.{key}": value for section, values in sections.items() for key, value in values.items()}
    return read_config(None, _SETTINGS | changes)


def small_base(dropout: float = 0.0) -> Any:
    """Build a base of three blocks, with dropout in the first where it is wanted."""
    values = images = keras.Input((SIDE, SIDE, 3))
    for block in (1, 2, 3):
        values = keras.layers.Conv2D(4, 3, padding="same", name=f"conv_{block}")(values)
        values = keras.layers.BatchNormalization(momentum=0.5, name=f"norm_{block}")(values)
        values = keras.layers.Activation("relu", name=f"block_{block}_add")(values)
        if dropout and block == 1:
            values = keras.layers.Dropout(dropout, name="dropout_in_base")(values)
    return keras.Model(images, values, name=BASE)


def small_network(config: TrainingConfig, dropout: float = 0.0, seed: int = 1) -> Network:
    """Build the small network with the weights of a seed."""
    keras.utils.set_random_seed(seed)
    network = Network(add_head(small_base(dropout), config.head, classes=2))
    for layer in network.base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):  # statistics that training would soon move
            layer.set_weights([weight + 0.1 for weight in layer.get_weights()])
    return network


@dataclass(frozen=True)
class Rows:
    """Rows in memory."""

    values: npt.NDArray[Any]

    def take(self, index: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
        """Return the rows of those numbers."""
        return self.values[index]


def pipeline_of_two_classes(
    count: int = 32, *, swapped: bool = False, factor: float = 1.0, steps: tuple[Any, ...] = (), variants: int = 1
) -> InputPipeline:
    """Return dark and light images with their classes, or with the other's; `factor` scales what the network sees."""
    labels = np.arange(count, dtype=np.int32) % 2
    random = np.random.default_rng(1)
    pixels = random.normal(80 + 90 * labels[:, None, None, None], 30, (count, SIDE, SIDE, 3))
    image_input = ImageInput(height=SIDE, width=SIDE, scale=factor / 255)
    targets = soft_targets(1 - labels if swapped else labels, 2)
    return InputPipeline(
        rows=Rows(np.concatenate([np.clip(pixels, 0, 255).astype(np.uint8)] * variants)),
        shape=(SIDE, SIDE, 3),
        dtype="uint8",
        targets=np.broadcast_to(targets, (variants, *targets.shape)),
        class_weights=np.ones(2, np.float32),
        prepare=prepare_pixels(image_input, Augmentation(steps) if steps else None),
    )


def learn(
    network: Network,
    config: TrainingConfig,
    progress: Progress | None = None,
    *,
    train: InputPipeline | None = None,
    val: InputPipeline | None = None,
    checkpoint: Checkpoint | None = None,
    scratch: bool = False,
) -> TrainingOutcome:
    """Fine-tune the network, or train it from scratch, on images of two classes unless others are given."""
    context = context_of(
        network,
        config,
        TrainingData(train or pipeline_of_two_classes(), val or pipeline_of_two_classes()),
        progress or Progress(),
        checkpoint,
    )
    return train_from_scratch(context) if scratch else fine_tune(context)


def context_of(
    network: Network,
    config: TrainingConfig,
    data: TrainingData,
    progress: Progress,
    checkpoint: Checkpoint | None = None,
) -> TrainingContext:
    """Return what the network is trained with."""
    predictor, state = Predictor(network.model), TrainingState(checkpoint)
    return TrainingContext(network, predictor, data, config, state, progress, MemoryBudget(100))


def weights_of_base(network: Network) -> dict[str, npt.NDArray[np.float32]]:
    """Return each variable of the base by layer and name."""
    return {
        f"{layer.name}/{variable.name}": variable.numpy()
        for layer in network.base.layers
        for variable in layer.variables
        if variable.dtype == "float32"
    }


def moved(before: dict[str, npt.NDArray[np.float32]], after: dict[str, npt.NDArray[np.float32]]) -> set[str]:
    """Return the names whose values differ in any bit."""
    return {name for name, value in before.items() if not np.array_equal(value, after[name])}


def same_weights(one: Network, other: Network) -> bool:
    """Say whether both have the same weights, to the bit."""
    pairs = zip(one.model.get_weights(), other.model.get_weights(), strict=True)
    return all(np.array_equal(first, second) for first, second in pairs)


class Watching(Progress):
    """Keeps the base's weights at the end of each epoch, and what was told."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.bases: dict[PhaseName, list[dict[str, Any]]] = {}
        self.epochs: list[Epoch] = []
        self.phases: list[tuple[PhaseName, int, int, int]] = []
        self.notes: list[str] = []
        self.steps = 0

    def on_note(self, text: str) -> None:
        """Keep the note."""
        self.notes.append(text)

    def on_phase(self, phase: PhaseName, epochs: int, steps_per_epoch: int, done: int = 0) -> None:
        """Keep what was announced, and count its steps from here."""
        self.phases.append((phase, epochs, steps_per_epoch, done))
        self.steps = 0

    def on_step(self, steps: int = 1) -> None:
        """Count the steps."""
        self.steps += steps

    def on_epoch(self, epoch: Epoch) -> None:
        """Keep the epoch, and the base as it is at its end."""
        self.epochs.append(epoch)
        self.bases.setdefault(epoch.phase, []).append(weights_of_base(self._network))
