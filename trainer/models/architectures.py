"""The architectures that can be fine-tuned: one table, one spec each.

Data only: nothing here imports Keras, so that a misspelled name is refused before TensorFlow's slow import.
"""

import difflib
from dataclasses import dataclass
from typing import Literal

from contract.image_input import ImageInput
from trainer.config import ModelSettings
from trainer.errors import ConfigurationError

BASE = "base"
"""The name of the base inside every model, by which a later run finds it."""

HUB = "hub:"
"""The prefix of a KerasHub preset's name, or of its folder."""


@dataclass(frozen=True)
class Architecture:
    """The spec of one family of networks: its name, its preprocessing (see `ImageInput`), where its blocks end."""

    keras_name: str
    """Its name in `keras.applications`."""
    image_size: int
    """Height and width, in pixels, that its ImageNet weights were trained on."""
    unfreeze: int
    """How many of its last layers the second phase trains by default; the first of them starts a block."""
    block_ends: str
    """A regular expression for the names of layers that end a block: only their output is used after them."""
    scale: float = 1.0
    offset: float = 0.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    channel_order: Literal["rgb", "bgr"] = "rgb"
    contains_rescaling: bool = False
    """Whether its first layers rescale pixels of 0 to 255."""
    published_scale: tuple[float, ...] = ()
    """Factor per channel after its normalisation; without it the published weights get inputs at half their scale."""
    alphas: tuple[float, ...] = ()
    """Widths for which ImageNet weights were published; empty if it has no width multiplier."""
    smallest_image: int = 32
    """The smallest height and width of its input, in pixels."""

    @property
    def family(self) -> str:
        """What its family is called in a sentence: `a ResNet`, `MobileNetV3`."""
        name = self.keras_name
        if name.startswith(("ResNet", "EfficientNet")):
            return "a ResNet" if name.startswith("R") else "an EfficientNet"
        return "Inception V3" if name == "InceptionV3" else name


def _efficientnet(number: int, image_size: int, unfreeze: int) -> Architecture:
    return Architecture(
        keras_name=f"EfficientNetB{number}",
        image_size=image_size,
        unfreeze=unfreeze,
        block_ends=r"stem_activation|block\d[a-z]_(project_bn|add)",
        contains_rescaling=True,
        # 1/sqrt of ImageNet's standard deviations: Keras adds a layer with it only for the literal weights="imagenet"
        published_scale=tuple(deviation**-0.5 for deviation in (0.229, 0.224, 0.225)),
    )


def _mobilenet_v3(size: str, unfreeze: int) -> Architecture:
    return Architecture(
        keras_name=f"MobileNetV3{size}",
        image_size=224,
        unfreeze=unfreeze,
        block_ends=r"expanded_conv(_\d+)?_(project_bn|add)",
        contains_rescaling=True,
        alphas=(0.75, 1.0),
    )


def _resnet(layers: int) -> Architecture:
    return Architecture(
        keras_name=f"ResNet{layers}",
        image_size=224,
        unfreeze=20,
        block_ends=r"pool1_pool|conv\d_block\d+_out",
        mean=(103.939, 116.779, 123.68),  # of ImageNet, in BGR order: the weights came from Caffe
        channel_order="bgr",
    )


ARCHITECTURES: dict[str, Architecture] = {
    "mobilenet_v2": Architecture(
        keras_name="MobileNetV2",
        image_size=224,
        unfreeze=29,
        block_ends=r"(expanded_conv|block_\d+)_(project_BN|add)",
        scale=1 / 127.5,
        offset=-1.0,
        alphas=(0.35, 0.5, 0.75, 1.0, 1.3, 1.4),
    ),
    "mobilenet_v3_small": _mobilenet_v3("Small", unfreeze=33),
    "mobilenet_v3_large": _mobilenet_v3("Large", unfreeze=33),
    "resnet50": _resnet(50),
    "resnet101": _resnet(101),
    "resnet50_v2": Architecture(
        keras_name="ResNet50V2",
        image_size=224,
        unfreeze=24,
        block_ends=r"pool1_pool|conv\d_block\d+_out",
        scale=1 / 127.5,
        offset=-1.0,
    ),
    "efficientnet_b0": _efficientnet(0, 224, unfreeze=31),
    "efficientnet_b1": _efficientnet(1, 240, unfreeze=31),
    "efficientnet_b2": _efficientnet(2, 260, unfreeze=31),
    "efficientnet_b3": _efficientnet(3, 300, unfreeze=31),
    "efficientnet_b4": _efficientnet(4, 380, unfreeze=31),
    "efficientnet_b5": _efficientnet(5, 456, unfreeze=33),
    "efficientnet_b6": _efficientnet(6, 528, unfreeze=33),
    "efficientnet_b7": _efficientnet(7, 600, unfreeze=33),
    "inception_v3": Architecture(
        keras_name="InceptionV3",
        image_size=299,
        unfreeze=62,
        block_ends=r"mixed\d+",
        scale=1 / 127.5,
        offset=-1.0,
        smallest_image=75,
    ),
}
"""Scales, offsets, means and channel orders are those of each family's `preprocess_input` in Keras 3.15."""


def spec_of(architecture: str) -> Architecture | None:
    """Return the spec of an architecture; None for a KerasHub preset, which has none.

    Raises:
        ConfigurationError: the architecture does not exist.
    """
    if architecture.startswith(HUB):
        return None
    if architecture in ARCHITECTURES:
        return ARCHITECTURES[architecture]
    nearest = difflib.get_close_matches(architecture, ARCHITECTURES, n=1, cutoff=0)[0]
    raise ConfigurationError(
        f"There is no architecture {architecture!r}; the nearest is {nearest!r}. Known are "
        f"{', '.join(ARCHITECTURES)}, and {HUB}PRESET for any image backbone of KerasHub."
    )


def check_width(model: ModelSettings) -> None:
    """Raise ConfigurationError for a width that the family does not have, or has no ImageNet weights for."""
    spec = spec_of(model.architecture)
    if spec is None or not spec.alphas:
        if model.width != 1:
            raise ConfigurationError(
                f"{model.architecture} has no width multiplier; model.alpha is {model.alpha}, leave it at 1."
            )
    elif model.weights == "imagenet" and model.width not in spec.alphas:
        raise ConfigurationError(
            f"There are no ImageNet weights of {model.architecture} for alpha {model.width}; "
            f"there are for {', '.join(map(str, spec.alphas))}."
        )


def image_input_of(model: ModelSettings) -> ImageInput:
    """Return the preprocessing of the architecture.

    The base of a KerasHub preset contains the preset's rescaling, so its pixels are 0 to 255; for a preset,
    `model.image_size` must have been filled in.
    """
    spec = spec_of(model.architecture)
    size = model.image_size or (spec.image_size if spec else None)
    if size is None:
        raise ValueError("call fill_in first: the image size of a preset is stored in the preset")
    if spec is None:
        return ImageInput(height=size, width=size, antialias=model.antialias, max_pixels=model.max_pixels)
    return ImageInput(
        height=size,
        width=size,
        antialias=model.antialias,
        max_pixels=model.max_pixels,
        channel_order=spec.channel_order,
        scale=spec.scale,
        offset=spec.offset,
        mean=spec.mean,
    )
