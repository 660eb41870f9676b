"""The image a model expects, as data."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Encoding = Literal["jpeg", "png", "bmp", "webp"]


class ImageInput(BaseModel):
    """What `trainer.data.preprocessing` does to an image before the network sees it.

    Decoded pixels are RGB uint8 [height, width, 3]; the network gets, per channel c in `channel_order`,
    `pixel * scale + offset - mean[c]` as float32. The same values travel in the manifest, so that a reader on
    another platform needs none of our code to prepare an image.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    height: int = Field(gt=0, description="Rows of the image that the network sees, in pixels.")
    width: int = Field(gt=0, description="Columns of the image that the network sees, in pixels.")
    resize: Literal["bilinear"] = Field("bilinear", description="The interpolation kernel of the resize.")
    antialias: bool = Field(True, description="Whether the kernel widens when the image shrinks.")
    fit: Literal["stretch"] = Field("stretch", description="How an image of another shape is made to fit.")
    exif_orientation: bool = Field(True, description="Whether an image's EXIF orientation is applied first.")
    channel_order: Literal["rgb", "bgr"] = Field("rgb", description="The channel order the network expects.")
    scale: float = Field(1.0, description="Factor on each pixel value of 0 to 255.")
    offset: float = Field(0.0, description="Added after scaling.")
    mean: tuple[float, float, float] = Field((0.0, 0.0, 0.0), description="Subtracted per channel, last.")
    encodings: tuple[Encoding, ...] = Field(
        ("jpeg", "png", "bmp", "webp"), description="File types that are decoded; all others are rejected."
    )
    max_pixels: int = Field(
        50_000_000, gt=0, description="Images that declare more pixels are rejected before they are decoded."
    )
