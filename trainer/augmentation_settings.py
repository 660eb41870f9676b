"""The settings of augmentation: each class is one kind of step in `[[augmentation.steps]]`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

ResizeKernel = Literal["bilinear_antialias", "bilinear", "area"]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Flip(_Settings):
    """Mirror half of the images, drawn independently for each direction."""

    kind: Literal["flip"] = "flip"
    horizontal: bool = Field(True, description="Mirror left and right in half of the images.")
    vertical: bool = Field(False, description="Mirror top and bottom in half of the images.")

    @model_validator(mode="after")
    def _flips_something(self) -> Self:
        if not (self.horizontal or self.vertical):
            raise ValueError("a flip is horizontal, vertical or both; leave out the step to flip nothing")
        return self


class Brightness(_Settings):
    """Make images lighter or darker; values are clipped to 0 to 255."""

    kind: Literal["brightness"] = "brightness"
    amount: float = Field(0.2, gt=0, le=1, description="Added at most, up or down, as a share of the full range.")


class Contrast(_Settings):
    """Spread or narrow the values of each channel around its mean in the image; values are clipped to 0 to 255."""

    kind: Literal["contrast"] = "contrast"
    amount: float = Field(0.2, gt=0, lt=1, description="The factor is drawn between 1 - amount and 1 + amount.")


class Rotation(_Settings):
    """Rotate images around the centre; the corners are filled with mirrored content."""

    kind: Literal["rotation"] = "rotation"
    degrees: float = Field(10.0, gt=0, le=180, description="The largest angle, in either direction.")


class QuarterTurns(_Settings):
    """Rotate images by 0, 90, 180 or 270 degrees, all equally likely; images must be square."""

    kind: Literal["quarter_turns"] = "quarter_turns"


class Zoom(_Settings):
    """Enlarge or shrink the content around the centre; shrunk content is surrounded by its mirror image."""

    kind: Literal["zoom"] = "zoom"
    amount: float = Field(
        0.2, gt=0, lt=1, description="The factor is drawn between 1 - amount and 1 + amount; above 1 enlarges."
    )


class Crop(_Settings):
    """Cut out a part, whose width is 3/4 to 4/3 of its height relative to the image, and stretch it to the whole."""

    kind: Literal["crop"] = "crop"
    smallest: float = Field(
        0.6, gt=0, lt=1, description="The share of the area that is kept is drawn between this and 1."
    )


class MixUp(_Settings):
    """Blend pairs of images and of labels (Zhang et al. 2018, arXiv:1710.09412).

    Each image is paired with another of its batch. Of several mixing steps each batch uses one, drawn at random.
    """

    kind: Literal["mixup"] = "mixup"
    alpha: float = Field(0.2, gt=0, description="The share is drawn from Beta(alpha, alpha).")


class CutMix(_Settings):
    """Paste a rectangle of another image, and mix the labels by area (Yun et al. 2019, arXiv:1905.04899).

    Each image is paired with another of its batch. Of several mixing steps each batch uses one, drawn at random.
    """

    kind: Literal["cutmix"] = "cutmix"
    alpha: float = Field(1.0, gt=0, description="The share is drawn from Beta(alpha, alpha).")


Step = Annotated[
    Flip | Brightness | Contrast | Rotation | QuarterTurns | Zoom | Crop | MixUp | CutMix, Field(discriminator="kind")
]

STEPS: Mapping[str, type[BaseModel]] = {step.model_fields["kind"].default: step for step in get_args(get_args(Step)[0])}
"""The settings class of each kind of step."""


class AugmentationSettings(_Settings):
    """How training images are augmented; validation and test images never are."""

    steps: tuple[Step, ...] = Field((), description="Applied in this order to each training image.")
    views: int = Field(
        0,
        ge=0,
        description="0 draws again in each epoch; K makes K fixed variants of each image, used in turn, so that the "
        "features of the frozen layers can be computed once.",
    )
    resize_kernels: tuple[ResizeKernel, ...] = Field(
        (),
        description="Kernels to draw from when training images are resized, so that a phone's resizing does not "
        "reduce accuracy; empty uses the served kernel alone.",
    )

    @field_validator("steps", mode="before")
    @classmethod
    def _steps_are_a_list(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise ValueError("steps are a list; begin each with [[augmentation.steps]], in double brackets")
        return value

    @field_validator("resize_kernels")
    @classmethod
    def _kernels_differ(cls, value: tuple[ResizeKernel, ...]) -> tuple[ResizeKernel, ...]:
        if len(set(value)) < len(value):
            raise ValueError("name each kernel once: each is as likely as the others")
        return value
