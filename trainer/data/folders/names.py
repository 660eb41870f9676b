"""What the names of folders mean: splits under any of their usual names, classes, and what a system put there."""

import unicodedata
from collections.abc import Iterable
from pathlib import Path

from trainer.data.folders.walk import SYSTEM_FOLDERS, plain_name
from trainer.errors import DataSetError

_NAMES_OF_SPLITS: dict[str, str] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}
_BREAKS = {"Cc", "Cs", "Zl", "Zp"}
"""Categories of characters that end a line of a file, are not text, or come from bytes that are not UTF-8."""


def class_key(name: str) -> str:
    """Return what two spellings of one name have in common: NFC, without upper and lower case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def label_of(folder: Path) -> str:
    """Return the label that a class folder's name stands for: the name in NFC, however a disk wrote it.

    Raises:
        DataSetError: it cannot be a label, which is a line of a file and text in responses.
    """
    name = folder.name
    if name != name.strip():
        raise DataSetError(
            f"The name of {plain_name(folder)!r} cannot be the name of a class: rename it, without a blank at its ends."
        )
    if any(unicodedata.category(character) in _BREAKS for character in name):
        raise DataSetError(
            f"The name of {plain_name(folder)} cannot be the name of a class: rename it, without line breaks, "
            "control characters or bytes that are not UTF-8."
        )
    return unicodedata.normalize("NFC", name)


def refuse_equal_names(folder: Path, names: Iterable[str]) -> None:
    """Refuse classes side by side that differ in case or in how a letter is composed alone.

    Raises:
        DataSetError: two do.
    """
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(class_key(name), name)
        if other != name:
            raise DataSetError(
                f"{plain_name(folder)} has the folders {_spelled(other)} and {_spelled(name)}, which are one name in "
                "two spellings; put their images into one folder."
            )


def split_folders(folder: Path, children: Iterable[Path]) -> dict[str, Path]:
    """Return the folders among `children` that are splits by their names; none where the children are classes.

    A folder train is a split beside one to validate, or where nothing but splits is beside it; among buses and ships it
    is a class.

    Raises:
        DataSetError: two are the same split.
    """
    folders = [path for path in children if path.is_dir() and path.name.casefold() not in SYSTEM_FOLDERS]
    found: dict[str, Path] = {}
    for path in folders:
        split = _NAMES_OF_SPLITS.get(path.name.lower())
        if split in found:
            raise DataSetError(
                f"{plain_name(folder)} has the folders {found[split].name} and {path.name}, which both mean {split}; "
                "keep one."
            )
        if split:
            found[split] = path
    only_splits = len(found) == len([path for path in folders if not path.name.startswith(".")])
    return found if "train" in found and ("val" in found or only_splits) else {}


def are_splits(labels: Iterable[str]) -> bool:
    """Return whether all of these names are names of splits."""
    return {label.lower() for label in labels} <= set(_NAMES_OF_SPLITS)


def _spelled(name: str) -> str:
    """Return a name, with its code points where it is not ASCII: two that look alike are told apart."""
    return name if name.isascii() else f"{name} ({ascii(name)[1:-1]})"
