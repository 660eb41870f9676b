"""A preview of the augmentation of a data set, from its images and a run's settings."""

from pathlib import Path

from trainer.augmentation.contact_sheet import write_contact_sheet
from trainer.config import TrainingConfig
from trainer.data.image_folder import LabelledPicture, find_pictures
from trainer.data.preprocessing import PictureDecoder
from trainer.errors import DataSetError
from trainer.models.architectures import image_input_of

_ROWS = 6


def preview_training_pictures(target: Path, data: Path, config: TrainingConfig) -> None:
    """Write a contact sheet, PNG, of training images of several classes, each with some augmented variants.

    Raises:
        DataSetError: the images cannot be found or decoded.
    """
    found = find_pictures(data, config.data, config.seed)
    chosen = _some_of_each_class(found.pictures["train"])
    pixels, valid = PictureDecoder(image_input_of(config.model)).decode(
        [picture.path.read_bytes() for picture in chosen]
    )
    if not valid.any():
        raise DataSetError(f"None of the first pictures can be decoded, such as {chosen[0].path}.")
    captions = [found.labels[picture.label] for picture, is_valid in zip(chosen, valid, strict=True) if is_valid]
    write_contact_sheet(target, pixels[valid], captions, config.augmentation.steps, config.seed)


def _some_of_each_class(pictures: list[LabelledPicture]) -> list[LabelledPicture]:
    """Return the first image of each class, then the second, up to `_ROWS`."""
    seen: dict[int, int] = {}
    order = []
    for place, picture in enumerate(pictures):
        seen[picture.label] = seen.get(picture.label, 0) + 1
        order.append((seen[picture.label], place))
    return [pictures[place] for _, place in sorted(order)[:_ROWS]]
