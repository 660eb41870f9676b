"""What an inspection says of a folder, and that it is what training says of it."""

import re
import shutil
from pathlib import Path

import pytest

from contract.image_input import ImageInput
from tests.drawn.images import encoded, speckled, write_classes
from tests.trainer.inspection.folders import ACCEPTED, REFUSED
from trainer.config import TrainingConfig, read_config
from trainer.data.image_folder import find_images
from trainer.data.loading import load_images
from trainer.errors import TrainerError
from trainer.inspection.folder import LEAKS_LISTED, inspect_folder
from trainer.inspection.results import FolderInspection
from trainer.progress import Progress

INPUT = ImageInput(height=64, width=64)


def inspected(folder: Path, config: TrainingConfig | None = None) -> FolderInspection:
    return inspect_folder(folder, config or TrainingConfig(), INPUT, Progress())


def rejection_of_training(folder: Path, config: TrainingConfig) -> str:
    """Find and load the images as `graft train` does; return the sentence with which it ends, or nothing."""
    try:
        found = find_images(folder, config.data, config.seed)
        with load_images(found, INPUT, config, Progress(), folder.with_name("leakage.csv")):
            return ""
    except TrainerError as error:
        return re.sub(r"(The pair is|All \d+ pairs are) in \S+leakage\.csv\.", LEAKS_LISTED, str(error))


@pytest.mark.parametrize("name", [*ACCEPTED, *REFUSED])
def test_it_agrees_with_training(tmp_path: Path, name: str) -> None:
    """What training accepts is accepted, and what it refuses is refused in the same sentence."""
    (ACCEPTED | REFUSED)[name](tmp_path / "data")
    said = rejection_of_training(tmp_path / "data", TrainingConfig())
    found = inspected(tmp_path / "data")
    assert bool(said) == (name in REFUSED)
    assert list(found.rejections)[:1] == ([said] if said else [])
    assert found.accepted == (not said)


@pytest.mark.parametrize(
    ("name", "setting"), [("some broken", "data.strict"), ("the same image in two splits", "data.allow_leakage")]
)
def test_it_agrees_with_training_of_other_settings(tmp_path: Path, name: str, setting: str) -> None:
    """--strict refuses what would be left out, --allow-leakage allows a leak: here as there."""
    (ACCEPTED | REFUSED)[name](tmp_path / "data")
    config = read_config(None, {setting: True})
    said = rejection_of_training(tmp_path / "data", config)
    assert list(inspected(tmp_path / "data", config).rejections) == ([said] if said else [])
    assert bool(said) == (setting == "data.strict")


def test_counts_sizes_and_formats(tmp_path: Path) -> None:
    """Each class is counted by split as training splits it; sizes and formats are those of the files."""
    write_classes(tmp_path, per_class=20)
    (tmp_path / "red" / "large.png").write_bytes(encoded(speckled((9, 9, 9), 4, 300, 20), "PNG"))
    (tmp_path / "red" / "cut.jpg").write_bytes((tmp_path / "red" / "00.jpg").read_bytes()[:300])
    found = inspected(tmp_path)
    counts = find_images(tmp_path, TrainingConfig().data, 1).counts()
    assert [(each.name, each.train, each.val, each.test) for each in found.classes] == [
        (label, *(counts[split][label] for split in ("train", "val", "test"))) for label in ("blue", "green", "red")
    ]
    assert [(each.images, each.broken) for each in found.classes] == [(20, 0), (20, 0), (22, 1)]
    assert (found.layout, found.seed, found.images) == ("classes", 1, 62)
    assert found.formats == {"JPEG": 60, "PNG": 1}
    assert found.sizes is not None
    assert (found.sizes.width.smallest, found.sizes.width.median, found.sizes.width.largest) == (40, 40, 300)
    assert (found.sizes.height.smallest, found.sizes.pixels.largest) == (20, 6000)
    assert [(each.file, each.label, each.reason) for each in found.broken] == [("red/cut.jpg", "red", "cut short")]


def test_what_is_skipped_is_named(tmp_path: Path) -> None:
    """Folders of the system, hidden ones with images, GIFs and strays have their reasons; a warning names the class."""
    write_classes(tmp_path, per_class=20)
    shutil.copytree(tmp_path / "red", tmp_path / ".5 mm")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "readme.txt").write_text("hello")
    (tmp_path / "red" / "moving.gif").write_bytes(b"GIF89a")
    found = inspected(tmp_path)
    assert {each.path: each.reason for each in found.skipped} == {
        ".5 mm": "a hidden folder, .5 mm, with 20 images",
        "__MACOSX": "a folder of the system",
        "readme.txt": "not in a class folder",
        "red/moving.gif": "a GIF, which may hold several frames",
    }
    assert ".5 mm is hidden and has images" in {w.code: w.message for w in found.warnings}["hidden_folder"]
    assert found.accepted


def test_copies_are_grouped(tmp_path: Path) -> None:
    """The same bytes, and smaller copies, are one group wherever they are, which says what they are in two of."""
    for seed, split in enumerate(("train", "val", "test")):
        write_classes(tmp_path / split, per_class=4, seed=seed + 1)
    photo = speckled((120, 90, 60), 9, 32, 24).resize((640, 480))
    (tmp_path / "train" / "red" / "a.jpg").write_bytes(encoded(photo, "JPEG"))
    (tmp_path / "train" / "red" / "b.png").write_bytes(encoded(photo.resize((400, 300)), "PNG"))
    (tmp_path / "test" / "blue" / "c.webp").write_bytes(encoded(photo, "WEBP"))
    shutil.copy(tmp_path / "val" / "red" / "00.jpg", tmp_path / "val" / "red" / "again.jpg")
    groups = {tuple(sorted(each.file for each in group.images)): group for group in inspected(tmp_path).copies}
    assert groups.keys() == {
        ("test/blue/c.webp", "train/red/a.jpg", "train/red/b.png"),
        ("val/red/00.jpg", "val/red/again.jpg"),
    }
    near, same = groups[min(groups)], groups[max(groups)]
    assert (near.same_content, list(near.across)) == (False, ["splits", "classes"])
    assert (same.same_content, list(same.across)) == (True, [])


def test_what_training_refuses_at_first_sight_is_inspected_all_the_same(tmp_path: Path) -> None:
    """One empty class does not hide the other classes, a broken file and an image in two classes."""
    write_classes(tmp_path, per_class=8)
    (tmp_path / "yellow").mkdir()
    (tmp_path / "red" / "empty.jpg").write_bytes(b"")
    shutil.copy(tmp_path / "red" / "00.jpg", tmp_path / "blue" / "again.jpg")
    found = inspected(tmp_path)
    assert (found.layout, found.accepted, len(found.rejections)) == ("unclear", False, 2)
    assert "yellow has no images" in found.rejections[0]
    assert "1 image is in two classes" in found.rejections[1]
    assert [(each.name, each.images, each.train) for each in found.classes] == [
        *(("blue", 9, None), ("green", 8, None), ("red", 9, None), ("yellow", 0, None)),
    ]
    assert [each.file for each in found.broken] == ["red/empty.jpg"]


def test_warnings_are_of_what_a_person_would_act_on(tmp_path: Path) -> None:
    """Few images, classes of very unequal sizes and tiny images are named; a good folder has no warning."""
    write_classes(tmp_path, per_class=4, classes=("blue",))
    write_classes(tmp_path, per_class=200, classes=("red",))
    found = {warning.code: warning.message for warning in inspected(tmp_path).warnings}
    assert found["few_images"].startswith("1 class has fewer than 20 images: blue (4);")
    assert found["unequal_classes"].startswith("red has 200 images and blue has 4:")
    assert found.keys() == {"few_images", "unequal_classes"}


def test_nothing_is_written_into_the_folder(tmp_path: Path) -> None:
    """The folder and its files have the times and the content that they had."""
    write_classes(tmp_path, per_class=4)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in [tmp_path, *tmp_path.rglob("*")]}
    inspected(tmp_path)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in [tmp_path, *tmp_path.rglob("*")]} == before
