"""Data sets on disk: which pictures belong to which class and split."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.pictures import write_classes
from trainer.config import DataSettings
from trainer.dataset import SPLITS, PictureFolder, find_pictures
from trainer.errors import DataSetError


def classes_of(folder: Path, counts: dict[str, int]) -> Path:
    """Write empty files: nothing is decoded here."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for index in range(count):
            (folder / name / f"{index:03d}.jpg").write_bytes(f"{name} {index}".encode())
    return folder


def found_in(folder: Path, seed: int = 1) -> PictureFolder:
    return find_pictures(folder, DataSettings(validation_share=0.2, test_share=0.1), seed)


def names(found: PictureFolder) -> dict[str, list[str]]:
    return {split: [picture.path.name for picture in found.pictures[split]] for split in SPLITS}


def test_labels_are_the_folder_names_in_order(tmp_path: Path) -> None:
    """The classes are the sub-folders in alphabetical order, and each picture has its folder's index."""
    found = found_in(classes_of(tmp_path, {"roses": 10, "Daisies": 10, "äster": 10}))
    assert found.labels == ("Daisies", "roses", "äster")
    assert {picture.path.parent.name for picture in found.pictures["train"] if picture.label == 1} == {"roses"}


def test_split_is_stratified_disjoint_and_complete(tmp_path: Path) -> None:
    """Every picture is in exactly one split, and each class is divided by the given shares."""
    found = found_in(classes_of(tmp_path, {"a": 10, "b": 50}))
    everything = [picture.path for split in SPLITS for picture in found.pictures[split]]
    assert len(everything) == len(set(everything)) == 60
    counts = {split: Counter(picture.label for picture in found.pictures[split]) for split in SPLITS}
    assert counts == {"train": {0: 7, 1: 35}, "val": {0: 2, 1: 10}, "test": {0: 1, 1: 5}}


def test_split_depends_on_the_seed_alone(tmp_path: Path) -> None:
    """The same seed gives the same split wherever the folder lies; another seed gives another."""
    one = classes_of(tmp_path / "one", {"a": 20, "b": 20})
    two = shutil.copytree(one, tmp_path / "deeper" / "two")
    assert names(found_in(one)) == names(found_in(two))
    assert names(found_in(one)) != names(found_in(one, seed=2))


def test_split_of_a_class_does_not_move_with_another_class(tmp_path: Path) -> None:
    """More pictures in a later class leave the split of an earlier one as it was."""
    few = found_in(classes_of(tmp_path / "few", {"a": 20, "b": 20}))
    more = found_in(classes_of(tmp_path / "more", {"a": 20, "b": 40}))
    for split in SPLITS:
        assert [p.path.name for p in few.pictures[split] if p.label == 0] == [
            p.path.name for p in more.pictures[split] if p.label == 0
        ]


def test_smallest_class_has_one_picture_in_each_split(tmp_path: Path) -> None:
    """A class of three pictures gives one to each split."""
    found = found_in(classes_of(tmp_path, {"a": 3, "b": 3}))
    assert {split: [p.label for p in found.pictures[split]] for split in SPLITS} == {split: [0, 1] for split in SPLITS}


def test_given_splits_are_kept(tmp_path: Path) -> None:
    """Folders train, val and test are taken as they are, whatever the seed."""
    for split, count in (("train", 4), ("val", 2), ("test", 1)):
        classes_of(tmp_path / split, {"a": count, "b": count})
    found = found_in(tmp_path)
    assert found.labels == ("a", "b")
    for split in SPLITS:
        assert {picture.path.parent.parent.name for picture in found.pictures[split]} == {split}
    assert names(found) == names(found_in(tmp_path, seed=2))


def test_other_files_are_passed_over_and_counted(tmp_path: Path) -> None:
    """Files of other kinds, hidden files and files in hidden folders are no pictures, and are counted."""
    classes_of(tmp_path, {"a": 4, "b": 4})
    (tmp_path / "a" / "notes.txt").write_text("x")
    (tmp_path / "a" / ".hidden.jpg").write_bytes(b"x")
    (tmp_path / "b" / "clip.gif").write_bytes(b"x")
    (tmp_path / "b" / ".thumbnails").mkdir()
    (tmp_path / "b" / ".thumbnails" / "000.jpg").write_bytes(b"x")
    (tmp_path / ".cache").mkdir()
    (tmp_path / "README.md").write_text("x")
    found = found_in(tmp_path)
    assert found.labels == ("a", "b")
    assert (sum(len(found.pictures[split]) for split in SPLITS), found.passed_over) == (8, 4)


def test_nested_folders_and_any_case_of_suffix_count(tmp_path: Path) -> None:
    """Pictures in folders of a class, and with suffixes in capitals, belong to the class."""
    classes_of(tmp_path, {"a": 3, "b": 3})
    (tmp_path / "a" / "2026").mkdir()
    for name in ("x.JPG", "x.jpeg", "x.png", "x.bmp", "x.WebP"):
        (tmp_path / "a" / "2026" / name).write_bytes(name.encode())
    assert sum(picture.label == 0 for split in SPLITS for picture in found_in(tmp_path).pictures[split]) == 8


def test_digest_is_of_content_and_not_of_place(tmp_path: Path) -> None:
    """The digest is the same in another folder, and another one after a byte, a class or a split has changed."""
    one = classes_of(tmp_path / "one", {"a": 9, "b": 9})
    two = shutil.copytree(one, tmp_path / "two")
    before = found_in(one).digest()
    assert found_in(two).digest() == before
    assert found_in(one, seed=2).digest() != before
    (two / "a" / "000.jpg").write_bytes(b"other")
    assert found_in(two).digest() != before
    (one / "b").rename(one / "c")
    assert found_in(one).digest() != before


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    """A folder that is not there is refused with what to give instead."""
    with pytest.raises(DataSetError, match=r"^There is no folder .*none; give a folder with one sub-folder "):
        found_in(tmp_path / "none")


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_classes_are_refused(tmp_path: Path, count: int) -> None:
    """A folder with fewer than two classes is refused with the number there are."""
    classes_of(tmp_path, dict.fromkeys(["a"][:count], 5))
    with pytest.raises(DataSetError, match=rf"for each of at least two classes; it has {count}\."):
        found_in(tmp_path)


def test_class_without_pictures_is_refused(tmp_path: Path) -> None:
    """A class with no picture is refused by its folder."""
    classes_of(tmp_path, {"a": 5, "b": 0})
    with pytest.raises(DataSetError, match=r"b has no pictures \(JPEG, PNG, BMP or WebP\); add some or remove it\."):
        found_in(tmp_path)


def test_class_that_cannot_be_split_is_refused(tmp_path: Path) -> None:
    """A class of fewer than three pictures is refused with how many it has and needs."""
    classes_of(tmp_path, {"a": 5, "b": 2})
    with pytest.raises(DataSetError, match="b has 2 pictures; each class needs at least 3, one each to train"):
        found_in(tmp_path)


def test_missing_splits_are_refused(tmp_path: Path) -> None:
    """A folder with train and without the other two is refused by their names."""
    classes_of(tmp_path / "train", {"a": 1, "b": 1})
    with pytest.raises(DataSetError, match="has a folder train but none named val and test; give all three"):
        found_in(tmp_path)


def test_splits_of_other_classes_are_refused(tmp_path: Path) -> None:
    """Splits that do not have the same classes are refused with the classes that only one has."""
    for split in SPLITS:
        classes_of(tmp_path / split, {"a": 1, "b": 1} | ({"c": 1} if split == "test" else {}))
    with pytest.raises(DataSetError, match="must have the same classes; only one has c"):
        found_in(tmp_path)


def test_real_pictures_are_found(tmp_path: Path) -> None:
    """Drawn JPEG files are found as pictures."""
    found = found_in(write_classes(tmp_path, per_class=3))
    assert found.labels == ("blue", "green", "red")
    assert found.passed_over == 0
