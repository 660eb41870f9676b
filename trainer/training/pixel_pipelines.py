"""Input pipelines of decoded images, for training, validation and test."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from contract.image_input import ImageInput
from trainer.augmentation.pipeline import Augmentation
from trainer.config import TrainingConfig
from trainer.data.class_weights import class_weights
from trainer.data.decoded_split import DecodedSplit
from trainer.data.pixel_store import PixelStore
from trainer.training.input_pipeline import InputPipeline, TrainingData, prepare_pixels, soft_targets


def make_training_data(
    train: DecodedSplit, val: DecodedSplit, classes: int, image_input: ImageInput, config: TrainingConfig
) -> TrainingData:
    """Return the training images, augmented and weighted by class as the settings say, and the validation images."""
    kernels = max(1, len(config.augmentation.resize_kernels))
    variants = max(kernels, config.augmentation.views)
    targets = soft_targets(train.labels, classes, config.head.label_smoothing)
    steps = config.augmentation.steps
    train_pipeline = InputPipeline(
        rows=_Variants(train.pixels, len(train.labels), kernels),
        shape=(image_input.height, image_input.width, 3),
        dtype="uint8",
        targets=np.broadcast_to(targets, (variants, *targets.shape)),
        class_weights=class_weights(train.labels, classes, config.data.class_weights),
        prepare=prepare_pixels(image_input, Augmentation(steps) if steps else None),
    )
    return TrainingData(train_pipeline, make_test_pipeline(val, classes, image_input))


def make_test_pipeline(split: DecodedSplit, classes: int, image_input: ImageInput) -> InputPipeline:
    """Return images without augmentation, for validation and test."""
    return InputPipeline(
        rows=split.pixels,
        shape=(image_input.height, image_input.width, 3),
        dtype="uint8",
        targets=soft_targets(split.labels, classes)[None],
        class_weights=np.ones(classes, np.float32),
        prepare=prepare_pixels(image_input),
    )


@dataclass(frozen=True)
class _Variants:
    """Images that were resized by several kernels: variant v by kernel v modulo their number."""

    pixels: PixelStore[np.uint8]
    images: int
    kernels: int

    def take(self, index: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        image, variant = index % self.images, index // self.images
        if self.kernels == 1:
            return self.pixels.take(image)
        return self.pixels.take_part(image, variant % self.kernels)
