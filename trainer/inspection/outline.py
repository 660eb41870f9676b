"""What a folder that training refuses seems to hold, so that everything wrong with it is seen at once."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path

from trainer.data.folders.names import split_folders
from trainer.data.folders.walk import SYSTEM_FOLDERS, SkippedFile, walk
from trainer.data.image_folder import SPLITS, ImageFolder, LabelledImage, Split
from trainer.errors import DataSetError


def split_folders_in(folder: Path) -> dict[Split, Path]:
    """Return the folders that are splits by their names; none where they are classes, unclear or cannot be listed."""
    try:
        named = split_folders(folder, sorted(folder.iterdir()))
    except (DataSetError, OSError):
        return {}
    return {split: named[split] for split in SPLITS if split in named}


def outline(folder: Path) -> ImageFolder:
    """Return all images in folders of classes, whatever is wrong with these; without splits all are in train."""
    splits = split_folders_in(folder) or {SPLITS[0]: folder}
    found: dict[Split, dict[str, list[Path]]] = {}
    skipped: list[SkippedFile] = []
    for split, place in splits.items():
        found[split] = {}
        for child in _listed(place):
            if not _may_be_class(child):
                skipped.append(
                    SkippedFile(
                        child, "not in a class folder" if child.is_file() else "hidden, or a folder of the system"
                    )
                )
                continue
            inside = walk(child)
            skipped += inside.skipped
            found[split].setdefault(unicodedata.normalize("NFC", child.name), []).extend(inside.images)
    labels = tuple(sorted({label for classes in found.values() for label in classes}))
    images: dict[Split, list[LabelledImage]] = {
        split: [
            LabelledImage(path, number)
            for number, label in enumerate(labels)
            for path in found.get(split, {}).get(label, [])
        ]
        for split in SPLITS
    }
    return ImageFolder(labels, images, skipped)


def _listed(folder: Path) -> Iterator[Path]:
    try:
        yield from sorted(folder.iterdir())
    except OSError:  # training's own sentence says it
        return


def _may_be_class(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".") and path.name.casefold() not in SYSTEM_FOLDERS
