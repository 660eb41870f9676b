"""Folders of drawn images, each of which is refused by training or accepted for one reason."""

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.drawn.images import encoded, speckled, write_classes


def _plain(folder: Path) -> None:
    write_classes(folder, per_class=8)


def _given_splits(folder: Path) -> None:
    for seed, split in enumerate(("train", "valid", "test")):
        write_classes(folder / split, per_class=4, seed=seed + 1)


def _same_image_in_two_splits(folder: Path) -> None:
    _given_splits(folder)
    shutil.copy(folder / "train" / "red" / "00.jpg", folder / "test" / "red" / "again.jpg")


def _smaller_copy_in_two_splits(folder: Path) -> None:
    _given_splits(folder)
    large = speckled((90, 90, 200), 77, 160, 120).resize((640, 480))
    (folder / "train" / "blue" / "large.jpg").write_bytes(encoded(large, "JPEG"))
    (folder / "valid" / "blue" / "small.png").write_bytes(encoded(large.resize((500, 375)), "PNG"))


def _same_image_in_two_classes(folder: Path) -> None:
    _given_splits(folder)
    shutil.copy(folder / "train" / "red" / "00.jpg", folder / "train" / "blue" / "again.jpg")


def _no_image_of_a_class_decodable(folder: Path) -> None:
    _given_splits(folder)
    for file in (folder / "train" / "green").iterdir():
        file.write_bytes(file.read_bytes()[:200])


def _no_image_of_a_split_decodable(folder: Path) -> None:
    _given_splits(folder)
    for file in (folder / "test").rglob("*.jpg"):
        file.write_bytes(b"")


def _empty_class(folder: Path) -> None:
    _plain(folder)
    (folder / "yellow").mkdir()


def _two_images_of_a_class(folder: Path) -> None:
    _plain(folder)
    for file in list((folder / "red").iterdir())[2:]:
        file.unlink()


def _one_class(folder: Path) -> None:
    write_classes(folder, per_class=8, classes=("red",))


def _images_without_classes(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "a.jpg").write_bytes(encoded(speckled((9, 9, 9), 1), "JPEG"))


def _two_spellings(folder: Path) -> None:
    _plain(folder)
    shutil.copytree(folder / "red", folder / "Red")


def _other_classes_in_val(folder: Path) -> None:
    _given_splits(folder)
    (folder / "valid" / "red").rename(folder / "valid" / "rouge")


def _two_folders_to_validate(folder: Path) -> None:
    _given_splits(folder)
    shutil.copytree(folder / "valid", folder / "val")


def _no_test(folder: Path) -> None:
    _given_splits(folder)
    shutil.rmtree(folder / "test")


def _some_broken(folder: Path) -> None:
    _plain(folder)
    (folder / "red" / "notes.jpg").write_text("no image")
    (folder / "blue" / "00.jpg").write_bytes(b"")


ACCEPTED: dict[str, Callable[[Path], None]] = {
    "plain": _plain,
    "given splits": _given_splits,
    "no test": _no_test,
    "some broken": _some_broken,
}
REFUSED: dict[str, Callable[[Path], None]] = {
    "the same image in two splits": _same_image_in_two_splits,
    "a smaller copy in two splits": _smaller_copy_in_two_splits,
    "the same image in two classes": _same_image_in_two_classes,
    "no image of a class decodable": _no_image_of_a_class_decodable,
    "no image of a split decodable": _no_image_of_a_split_decodable,
    "empty class": _empty_class,
    "two images of a class": _two_images_of_a_class,
    "one class": _one_class,
    "images without classes": _images_without_classes,
    "two spellings": _two_spellings,
    "other classes in val": _other_classes_in_val,
    "two folders to validate": _two_folders_to_validate,
}
