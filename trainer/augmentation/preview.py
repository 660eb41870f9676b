"""A preview of the augmentation of a data set, from its images and a run's settings."""

from pathlib import Path

from trainer.augmentation.contact_sheet import write_contact_sheet
from trainer.config import TrainingConfig
from trainer.data.image_folder import LabelledImage, find_images
from trainer.data.preprocessing import ImageDecoder
from trainer.errors import DataSetError
from trainer.models.architectures import image_input_of

_ROWS = 6


def preview_training_images(target: Path, data: Path, config: TrainingConfig) -> None:
    """Write a contact sheet, PNG, of training images of several classes, each with some augmented variants.

    Raises:
        DataSetError: the images cannot be found or decoded.
    """
    found = find_images(data, config.data, config.seed)
    chosen = _some_of_each_class(found.images["train"])
    pixels, valid = ImageDecoder(image_input_of(config.model)).decode([image.path.read_bytes() for image in chosen])
    if not valid.any():
        raise DataSetError(f"None of the first images can be decoded, such as {chosen[0].path}.")
    captions = [found.labels[image.label] for image, is_valid in zip(chosen, valid, strict=True) if is_valid]
    write_contact_sheet(target, pixels[valid], captions, config.augmentation.steps, config.seed)


def _some_of_each_class(images: list[LabelledImage]) -> list[LabelledImage]:
    """Return the first image of each class, then the second, up to `_ROWS`."""
    seen: dict[int, int] = {}
    order = []
    for place, image in enumerate(images):
        seen[image.label] = seen.get(image.label, 0) + 1
        order.append((seen[image.label], place))
    return [images[place] for _, place in sorted(order)[:_ROWS]]
