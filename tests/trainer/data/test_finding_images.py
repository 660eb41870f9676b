"""Data sets on disk: which images belong to which class and split."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from contract.digests import digest_of_entries, digest_of_file
from tests.drawn.images import write_classes
from trainer.config import DataSettings
from trainer.data.image_folder import SPLITS, ImageFolder, find_images
from trainer.errors import DataSetError


def classes_of(folder: Path, counts: dict[str, int]) -> Path:
    """Write empty files: nothing is decoded here."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for index in range(count):
            (folder / name / f"{index:03d}.jpg").write_bytes(f"{name} {index}".encode())
    return folder


def found_in(folder: Path, seed: int = 1) -> ImageFolder:
    return find_images(folder, DataSettings(validation_share=0.2, test_share=0.1), seed)


def names(found: ImageFolder) -> dict[str, list[str]]:
    return {split: [image.path.name for image in found.images[split]] for split in SPLITS}


def test_labels_are_the_folder_names_in_order(tmp_path: Path) -> None:
    """The classes are the sub-folders in alphabetical order, and each image has its folder's index."""
    found = found_in(classes_of(tmp_path, {"roses": 10, "Daisies": 10, "äster": 10}))
    assert found.labels == ("Daisies", "roses", "äster")
    assert {image.path.parent.name for image in found.images["train"] if image.label == 1} == {"roses"}


def test_split_is_stratified_disjoint_and_complete(tmp_path: Path) -> None:
    """Every image is in exactly one split, and each class is divided by the given shares."""
    found = found_in(classes_of(tmp_path, {"a": 10, "b": 50}))
    everything = [image.path for split in SPLITS for image in found.images[split]]
    assert len(everything) == len(set(everything)) == 60
    counts = {split: Counter(image.label for image in found.images[split]) for split in SPLITS}
    assert counts == {"train": {0: 7, 1: 35}, "val": {0: 2, 1: 10}, "test": {0: 1, 1: 5}}


def test_split_depends_on_the_seed_alone(tmp_path: Path) -> None:
    """The same seed gives the same split wherever the folder lies; another seed gives another."""
    one = classes_of(tmp_path / "one", {"a": 20, "b": 20})
    two = shutil.copytree(one, tmp_path / "deeper" / "two")
    assert names(found_in(one)) == names(found_in(two))
    assert names(found_in(one)) != names(found_in(one, seed=2))


def test_split_of_a_class_does_not_move_with_another_class(tmp_path: Path) -> None:
    """More images in a later class leave the split of an earlier one as it was."""
    few = found_in(classes_of(tmp_path / "few", {"a": 20, "b": 20}))
    more = found_in(classes_of(tmp_path / "more", {"a": 20, "b": 40}))
    for split in SPLITS:
        assert [p.path.name for p in few.images[split] if p.label == 0] == [
            p.path.name for p in more.images[split] if p.label == 0
        ]


def test_smallest_class_has_one_image_in_each_split(tmp_path: Path) -> None:
    """A class of three images gives one to each split."""
    found = found_in(classes_of(tmp_path, {"a": 3, "b": 3}))
    assert {split: [p.label for p in found.images[split]] for split in SPLITS} == {split: [0, 1] for split in SPLITS}


def test_given_splits_are_kept(tmp_path: Path) -> None:
    """Folders train, val and test are taken as they are, whatever the seed."""
    for split, count in (("train", 4), ("val", 2), ("test", 1)):
        classes_of(tmp_path / split, {"a": count, "b": count})
    found = found_in(tmp_path)
    assert found.labels == ("a", "b")
    for split in SPLITS:
        assert {image.path.parent.parent.name for image in found.images[split]} == {split}
    assert names(found) == names(found_in(tmp_path, seed=2))


def test_other_files_are_skipped_with_the_reason(tmp_path: Path) -> None:
    """Files that are not images are named with the reason: hidden, a GIF, another format, or not in a class folder."""
    classes_of(tmp_path, {"a": 4, "b": 4})
    for name in ("a/notes.txt", "a/.hidden.jpg", "b/clip.GIF", "b/scan.tiff", "b/deep/.thumbnails/0.jpg", "README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / ".cache").mkdir()
    found = found_in(tmp_path)
    assert found.labels == ("a", "b")
    assert sum(len(found.images[split]) for split in SPLITS) == 8
    assert {each.path.relative_to(tmp_path).as_posix(): each.reason for each in found.skipped} == {
        "README.md": "not in a class folder",
        ".cache": "not in a class folder",
        "a/.hidden.jpg": "hidden",
        "a/notes.txt": "not an image by its name",
        "b/clip.GIF": "a GIF, which may hold several frames",
        "b/deep/.thumbnails": "a hidden folder",
        "b/scan.tiff": "an unsupported format; save it as JPEG, PNG, BMP or WebP",
    }


def test_folders_beside_given_splits_are_named(tmp_path: Path) -> None:
    """Files and folders beside train, val and test are skipped by name, so that no user believes they are used."""
    for split in (*SPLITS, "extra"):
        classes_of(tmp_path / split, {"a": 2, "b": 2})
    (each,) = found_in(tmp_path).skipped
    assert (each.path.name, each.reason) == ("extra", "beside train, val and test")


def test_nested_folders_and_any_case_of_suffix_count(tmp_path: Path) -> None:
    """Images in folders of a class, and with suffixes in capitals, belong to the class."""
    classes_of(tmp_path, {"a": 3, "b": 3})
    (tmp_path / "a" / "2026").mkdir()
    for name in ("x.JPG", "x.jpeg", "x.jfif", "x.png", "x.bmp", "x.WebP"):
        (tmp_path / "a" / "2026" / name).write_bytes(name.encode())
    assert sum(image.label == 0 for split in SPLITS for image in found_in(tmp_path).images[split]) == 9


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


def test_counts_are_of_each_class_in_each_split(tmp_path: Path) -> None:
    """Each split says how many images it has of each class."""
    found = found_in(classes_of(tmp_path, {"a": 10, "b": 50}))
    assert found.counts() == {"train": {"a": 7, "b": 35}, "val": {"a": 2, "b": 10}, "test": {"a": 1, "b": 5}}


def test_entries_are_what_the_digest_is_over(tmp_path: Path) -> None:
    """There is an entry for each image with the digest of its file, and together they make the folder's digest."""
    for split in SPLITS:
        classes_of(tmp_path / split, {"a": 4, "b": 4})
    found = found_in(tmp_path)
    steps: list[int] = []
    entries = found.entries(steps.append)
    assert [entry.path for entry in entries] == [image.path for split in SPLITS for image in found.images[split]]
    assert all(entry.digest == digest_of_file(entry.path) for entry in entries)
    assert all(entry.label == entry.path.parent.name for entry in entries)
    named = ((f"{entry.split}/{entry.label}/{entry.path.name}", entry.digest) for entry in entries)
    assert found.digest() == digest_of_entries(named)
    assert sum(steps) == len(entries) == 24


def test_each_file_is_read_once(tmp_path: Path) -> None:
    """The digest of a folder that was found does not change, or fail, when files do so later."""
    found = found_in(classes_of(tmp_path, {"a": 4, "b": 4}))
    before = found.digest()
    shutil.rmtree(tmp_path / "a")
    assert found.digest() == before


def test_a_image_that_is_gone_is_named(tmp_path: Path) -> None:
    """A digest over a file that has gone since fails with its name."""
    classes_of(tmp_path, {"a": 4, "b": 4})
    (tmp_path / "a" / "larger.jpg").write_bytes(b"of a size that no other file has")
    found = found_in(tmp_path)
    (tmp_path / "a" / "larger.jpg").unlink()
    with pytest.raises(DataSetError, match=r"larger\.jpg cannot be read: No such file or directory; repair or remove"):
        found.digest()


def test_files_of_the_same_bytes_stay_together(tmp_path: Path) -> None:
    """Copies of an image are never divided between splits that are made here, whatever the seed."""
    classes_of(tmp_path, {"a": 20, "b": 20})
    for copy in range(5):
        shutil.copy(tmp_path / "a" / "000.jpg", tmp_path / "a" / f"copy-{copy}.jpg")
    for seed in range(10):
        found = found_in(tmp_path, seed)
        holders = {
            entry.split for entry in found.entries() if entry.digest == digest_of_file(tmp_path / "a" / "000.jpg")
        }
        assert len(holders) == 1
        assert found.counts()["train"]["a"] + found.counts()["val"]["a"] + found.counts()["test"]["a"] == 25


def test_copies_do_not_move_other_images(tmp_path: Path) -> None:
    """Images of another class are split as if the copies were not there."""
    classes_of(tmp_path, {"a": 20, "b": 20})
    before = names(found_in(tmp_path))
    shutil.copy(tmp_path / "a" / "000.jpg", tmp_path / "a" / "copy.jpg")
    after = names(found_in(tmp_path))
    for split in SPLITS:
        assert sorted(set(after[split]) - {"copy.jpg"}) == sorted(set(before[split]))


def test_copies_of_one_image_are_no_class(tmp_path: Path) -> None:
    """A class whose files are all copies of two images cannot be split, and is told so."""
    classes_of(tmp_path, {"a": 5, "b": 2})
    shutil.copy(tmp_path / "b" / "000.jpg", tmp_path / "b" / "copy.jpg")
    with pytest.raises(DataSetError, match="b has 2 different images; each class needs at least 3"):
        found_in(tmp_path)


def test_training_images_are_left_whatever_the_shares(tmp_path: Path) -> None:
    """Very large shares for validation and test still leave something to train on."""
    classes_of(tmp_path, dict.fromkeys("ab", 10))
    found = find_images(tmp_path, DataSettings(validation_share=0.49, test_share=0.49), 1)
    assert found.counts()["train"] == {"a": 1, "b": 1}


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


def test_class_without_images_is_refused(tmp_path: Path) -> None:
    """A class with no image is refused by its folder."""
    classes_of(tmp_path, {"a": 5, "b": 0})
    with pytest.raises(
        DataSetError, match=r"b has no images \(JPEG, PNG, BMP or WebP\); add some or remove the folder\."
    ):
        found_in(tmp_path)


def test_class_that_cannot_be_split_is_refused(tmp_path: Path) -> None:
    """A class of fewer than three images is refused with how many it has and needs."""
    classes_of(tmp_path, {"a": 5, "b": 2})
    with pytest.raises(DataSetError, match="b has 2 images; each class needs at least 3, one each to train"):
        found_in(tmp_path)


def test_train_without_anything_to_validate_is_refused(tmp_path: Path) -> None:
    """Splits without one to validate are refused by its name."""
    for split in ("train", "test"):
        classes_of(tmp_path / split, {"a": 1, "b": 1})
    with pytest.raises(DataSetError, match="has a folder train but none named val; give train, val and test"):
        found_in(tmp_path)


def test_a_class_may_be_named_train(tmp_path: Path) -> None:
    """Among buses and ships, trains are a class; two folders that are both to validate are refused."""
    classes_of(tmp_path, {"train": 4, "bus": 4, "ship": 4})
    assert found_in(tmp_path).labels == ("bus", "ship", "train")
    for name in ("val", "valid"):
        classes_of(tmp_path / "splits" / name, {"a": 1, "b": 1})
    classes_of(tmp_path / "splits" / "train", {"a": 1, "b": 1})
    with pytest.raises(DataSetError, match="has the folders val and valid, which both mean val; keep one"):
        found_in(tmp_path / "splits")


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Valid", "dev"])
def test_without_test_half_of_val_is_used(tmp_path: Path, name: str) -> None:
    """The test split is taken from val, whatever that is called: half of each class, the same each time, and noted."""
    classes_of(tmp_path / "train", {"a": 3, "b": 3})
    classes_of(tmp_path / name, {"a": 6, "b": 5})
    found = found_in(tmp_path)
    assert {split: sum(found.counts()[split].values()) for split in SPLITS} == {"train": 6, "val": 6, "test": 5}
    assert found.note.endswith(f"has no folder named test: half of {name} is used to test.")
    assert found_in(tmp_path).images == found.images
    assert not {image.path for image in found.images["val"]} & {image.path for image in found.images["test"]}


def test_a_class_with_one_image_to_validate_cannot_be_halved(tmp_path: Path) -> None:
    """It is refused with its name and what is needed."""
    classes_of(tmp_path / "train", {"a": 3, "b": 3})
    classes_of(tmp_path / "val", {"a": 6, "b": 1})
    with pytest.raises(DataSetError, match="b has 1 image; without a folder named test each class needs at"):
        found_in(tmp_path)


def test_splits_of_other_classes_are_refused(tmp_path: Path) -> None:
    """Splits that do not have the same classes are refused with the classes that only one has."""
    for split in SPLITS:
        classes_of(tmp_path / split, {"a": 1, "b": 1} | ({"c": 1} if split == "test" else {}))
    with pytest.raises(DataSetError, match="must have the same classes; only one of them has c"):
        found_in(tmp_path)


def test_splits_by_other_names_are_refused(tmp_path: Path) -> None:
    """Folders Validation and Test are not taken for two classes; Train, Validation and Test are splits."""
    for split in ("Validation", "Test"):
        classes_of(tmp_path / split, {"a": 3, "b": 3})
    with pytest.raises(DataSetError, match="look like splits, not classes; name them train, val and test"):
        found_in(tmp_path)
    classes_of(tmp_path / "Train", {"a": 4, "b": 4})
    assert len(found_in(tmp_path).images["train"]) == 8


def test_class_without_images_says_what_it_has(tmp_path: Path) -> None:
    """A class whose files are all of other kinds is refused with the first of them and its reason."""
    classes_of(tmp_path, {"a": 5, "b": 0})
    (tmp_path / "b" / "clip.gif").write_bytes(b"x")
    with pytest.raises(DataSetError, match=r"the folder; skipped: clip\.gif, a GIF, which may hold several frames"):
        found_in(tmp_path)


def test_class_of_a_split_without_images_is_refused(tmp_path: Path) -> None:
    """A class that has no image in val is refused by that folder."""
    for split in SPLITS:
        classes_of(tmp_path / split, {"a": 2, "b": 0 if split == "val" else 2})
    with pytest.raises(DataSetError, match=r"val/b has no images"):
        found_in(tmp_path)


def test_real_images_are_found(tmp_path: Path) -> None:
    """Drawn JPEG files are found as images."""
    found = found_in(write_classes(tmp_path, per_class=3))
    assert found.labels == ("blue", "green", "red")
    assert found.skipped == []


def without_test(folder: Path) -> ImageFolder:
    return find_images(folder, DataSettings(test_split=False), 1)


def test_no_test_split_is_taken_if_none_is_wanted(tmp_path: Path) -> None:
    """All images are then to train and to validate, those to validate as before, and this is noted."""
    classes_of(tmp_path, {"a": 20, "b": 2})
    found = without_test(tmp_path)
    assert found.counts() == {"train": {"a": 17, "b": 1}, "val": {"a": 3, "b": 1}}
    assert (found.splits, found.held_out, found.images["test"]) == (("train", "val"), "val", [])
    assert found.note == "No test split was taken (--no-test)."
    assert {entry.split for entry in found.entries()} == {"train", "val"}


def test_val_is_not_halved_if_no_test_is_wanted(tmp_path: Path) -> None:
    """Train and val are taken as they are; a folder to test is named as not used."""
    for split in ("train", "val"):
        classes_of(tmp_path / split, {"a": 4, "b": 1})
    found = without_test(tmp_path)
    assert found.counts() == {"train": {"a": 4, "b": 1}, "val": {"a": 4, "b": 1}}
    assert found.note == "No test split was taken (--no-test)."
    classes_of(tmp_path / "test", {"a": 4, "b": 1})
    found = without_test(tmp_path)
    assert [(each.path.name, each.reason) for each in found.skipped] == [
        ("test", "not used, since no test split is taken")
    ]
