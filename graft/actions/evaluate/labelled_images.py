"""The labelled images that a version is evaluated on, and what their folders have to do with its classes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from graft.errors import CommandError
from trainer.data.folders.names import class_key, split_folders
from trainer.data.folders.walk import plain_name
from trainer.data.image_folder import LabelledImage, read_classes

_NAMED = 5


@dataclass(frozen=True)
class LabelledImages:
    """`images` with the numbers of their classes in the model, and sentences on what does not fit.

    `unknown` has the number of images of each class that the model lacks, `missing` the model's classes without images.
    """

    images: list[LabelledImage]
    unknown: dict[str, int]
    missing: list[str]
    notes: list[str]


def labelled_images(folder: Path, labels: Sequence[str]) -> LabelledImages:
    """Find the images in a folder of class folders, whose names are labels of the model in any case and composition.

    Raises:
        CommandError: it is not there, has splits in it, or no class of the model.
        DataSetError: a class folder cannot be used.
    """
    if not folder.is_dir():
        raise CommandError(f"There is no folder {plain_name(folder)}; give one with a sub-folder of images per class.")
    if splits := split_folders(folder, sorted(folder.iterdir())):
        first = plain_name(splits.get("test") or splits["val"])
        raise CommandError(
            f"{plain_name(folder)} is divided into {', '.join(splits)}; give one of them, such as {first}."
        )
    found = read_classes(folder, fewest=1)
    place = {class_key(label): number for number, label in enumerate(labels)}
    images, unknown = [], {}
    for label, paths in zip(found.labels, found.paths, strict=True):
        if class_key(label) in place:
            images += [LabelledImage(path, place[class_key(label)]) for path in paths]
        else:
            unknown[label] = len(paths)
    if not images:
        raise CommandError(
            f"{plain_name(folder)} has no class of the model: it has {_names(found.labels)}, the model has "
            f"{_names(labels)}."
        )
    held = {image.label for image in images}
    missing = [label for number, label in enumerate(labels) if number not in held]
    notes = [*_on_classes(unknown, missing), *_on_skipped(Counter(each.reason for each in found.skipped))]
    return LabelledImages(images, unknown, missing, notes)


def _on_classes(unknown: dict[str, int], missing: list[str]) -> list[str]:
    notes = []
    if unknown:
        notes.append(
            f"Left out: {_images(sum(unknown.values()))} of {_names(list(unknown))}, which the model lacks; any "
            "prediction would be wrong."
        )
    if missing:
        notes.append(f"There are no images of {_names(missing)}, which the model may predict nevertheless.")
    return notes


def _on_skipped(reasons: Counter[str]) -> list[str]:
    return [f"{number} skipped: {reason}." for reason, number in sorted(reasons.items())]


def _images(number: int) -> str:
    return f"{number} image{'' if number == 1 else 's'}"


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(plain_name(name) for name in names[:_NAMED])
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown
