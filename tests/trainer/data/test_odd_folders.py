"""Folders as they are in life: links in circles, names that are no text, files that cannot be opened."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from trainer.config import DataSettings
from trainer.data.folders.walk import plain_name, walk
from trainer.data.image_folder import SPLITS, find_images
from trainer.errors import DataSetError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of four files each."""
    for index in range(8):
        path = tmp_path / "ab"[index % 2] / f"{index}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"%d" % index)
    return tmp_path


def reasons(folder: Path) -> dict[str, str]:
    found = find_images(folder, DataSettings(), 1)
    return {each.path.relative_to(folder).as_posix(): each.reason for each in found.skipped}


def test_links_in_circles_end(folder: Path) -> None:
    """A link to a parent folder is skipped, and every image is found once."""
    (folder / "a" / "self").symlink_to(folder / "a", target_is_directory=True)
    assert reasons(folder) == {"a/self": "a link to a folder that was read already"}
    assert len(walk(folder / "a").images) == 4


def test_links_to_images_and_folders_are_followed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Images that lie elsewhere belong to the class that links to them."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "more").mkdir()
    for name in ("one.jpg", "more/two.jpg"):
        (elsewhere / name).write_bytes(name.encode())
    (folder / "a" / "one.jpg").symlink_to(elsewhere / "one.jpg")
    (folder / "a" / "more").symlink_to(elsewhere / "more", target_is_directory=True)
    assert {path.name for path in walk(folder / "a").images} >= {"one.jpg", "two.jpg"}


def test_links_to_nowhere_and_pipes_are_skipped(folder: Path) -> None:
    """A link without its file and a pipe, which nobody could read to its end, are named with the reason."""
    (folder / "a" / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    (folder / "a" / "round.jpg").symlink_to(folder / "a" / "round.jpg")
    os.mkfifo(folder / "b" / "pipe.jpg")
    assert reasons(folder) == {
        "a/gone.jpg": "a broken link",
        "a/round.jpg": "a broken link",
        "b/pipe.jpg": "not a file",
    }


def test_files_that_may_not_be_read_are_skipped() -> None:
    """An image and a folder without permission are named with the reason, and the others are found."""
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        folder = Path(name)
        (folder / "closed").mkdir()
        for file in ("open.jpg", "secret.jpg"):
            (folder / file).write_bytes(b"x")
        folder.chmod(0o755)
        (folder / "secret.jpg").chmod(0)
        (folder / "closed").chmod(0)
        found = walked_by_nobody(folder)
        (folder / "closed").chmod(0o700)
    assert found == {
        "open.jpg": "an image",
        "secret.jpg": "cannot be read: permission denied",
        "closed": "cannot be read: permission denied",
    }


def walked_by_nobody(folder: Path) -> dict[str, str]:
    """Walk a folder in a process that may not read everything, as root may."""
    program = """
import json, os, sys
from pathlib import Path
from trainer.data.folders.walk import walk
if os.getuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
found = walk(Path(sys.argv[1]))
names = {path.name: "an image" for path in found.images}
print(json.dumps(names | {each.path.name: each.reason for each in found.skipped}))
"""
    prediction = subprocess.check_output([sys.executable, "-c", program, str(folder)])
    found: dict[str, str] = json.loads(prediction)
    return found


def test_odd_names_of_files_are_fine(folder: Path) -> None:
    """Line breaks and bytes that are no text in a file's name break neither finding nor the digest."""
    (folder / "a" / "two\nlines.jpg").write_bytes(b"x")
    Path(os.fsdecode(os.fsencode(folder / "a") + b"/\xff\xfe.jpg")).write_bytes(b"y")
    (folder / "b" / "also\nodd.txt").write_bytes(b"z")
    found = find_images(folder, DataSettings(), 1)
    assert sum(len(found.images[split]) for split in SPLITS) == 10
    assert found.digest().startswith("sha256:")
    assert len(found.skipped) == 1


def test_names_become_one_line_of_text() -> None:
    """Line breaks, control characters and stray bytes are escaped; ordinary names stay as they are."""
    assert plain_name(Path("Blüten/日本 & more.jpg")) == "Blüten/日本 & more.jpg"
    assert plain_name("two\nlines\x1b[31m") == r"two\nlines\x1b[31m"
    assert plain_name(os.fsdecode(b"\xff.jpg")) == r"\xff.jpg"


@pytest.mark.parametrize("name", [b"two\nlines", b"\xff\xfe", b"tab\there"])
def test_odd_names_of_classes_are_refused(folder: Path, name: bytes) -> None:
    """A class must have a name that fits on a line of text."""
    odd = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
    odd.mkdir()
    (odd / "0.jpg").write_bytes(b"x")
    with pytest.raises(DataSetError, match="cannot be the name of a class: rename it, without line breaks") as refused:
        find_images(folder, DataSettings(), 1)
    assert str(refused.value).isprintable()


def test_finding_loads_no_tensorflow() -> None:
    """A misspelled folder is refused before TensorFlow is loaded, which takes seconds."""
    program = "import sys, trainer.data.image_folder; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("name", ["lost+found", "__MACOSX", "@eaDir", "$RECYCLE.BIN", ".ipynb_checkpoints"])
def test_folders_of_the_system_are_no_classes(folder: Path, name: str) -> None:
    """They are skipped and named, beside the classes and in them, with what is in them."""
    for place in (folder, folder / "a"):
        (place / name).mkdir()
        (place / name / "x.jpg").write_bytes(b"x")
    found = find_images(folder, DataSettings(), 1)
    assert found.labels == ("a", "b")
    inside = "a hidden folder" if name.startswith(".") else "a folder of the system"
    assert reasons(folder) == {name: "a folder of the system", f"a/{name}": inside}


@pytest.mark.parametrize(
    "name",
    [
        *("\u0645\u06cc\u200c\u062e", "\u0d9a\u0dca\u200d\u0dc2", "\U0001f468\u200d\U0001f469"),
        *("a\u3000b", "a\u00a0b", "[m8]", "x[b]", "bolt {m8}"),
    ],
)
def test_names_in_any_script_are_classes(folder: Path, name: str) -> None:
    """Joiners, wide and hard blanks and brackets belong to names, and are shown as they are."""
    (folder / "a").rename(folder / name)
    assert name in find_images(folder, DataSettings(), 1).labels
    assert plain_name(name) == name


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "a\x7fb", "a\u2028b", " a", "a ", "\u3000a", "a\u00a0"])
def test_names_that_break_a_list_of_labels_are_refused(folder: Path, name: str) -> None:
    """Control characters, line ends and blanks at the ends are refused, with the name as it can be read."""
    (folder / "a").rename(folder / name)
    with pytest.raises(DataSetError, match="cannot be the name of a class: rename it, without"):
        find_images(folder, DataSettings(), 1)


def test_two_spellings_of_a_name_are_one_class_across_splits(tmp_path: Path) -> None:
    """NFC and NFD, upper and lower case: the label is that of train, in NFC, and each image has its own."""
    spellings = {"train": ("bl\u00fcte", "Rose"), "val": ("blu\u0308te", "rose"), "test": ("Blu\u0308te", "ROSE")}
    for split, names in spellings.items():
        for name in names:
            (tmp_path / split / name).mkdir(parents=True)
            (tmp_path / split / name / f"{split}-{name[0].lower()}.jpg").write_bytes(f"{split}{name}".encode())
    found = find_images(tmp_path, DataSettings(), 1)
    assert found.labels == ("Rose", "bl\u00fcte")
    for split in SPLITS:
        assert {image.path.stem[-1]: image.label for image in found.images[split]} == {"r": 0, "b": 1}


@pytest.mark.parametrize(
    ("one", "other"), [("bl\u00fcte", "blu\u0308te"), ("Rose", "rose"), ("stra\u00dfe", "STRASSE")]
)
def test_two_spellings_side_by_side_are_refused(folder: Path, one: str, other: str) -> None:
    """Both are named, with code points where they would look alike."""
    (folder / "a").rename(folder / one)
    (folder / "b").rename(folder / other)
    if len(list(folder.iterdir())) == 1:
        pytest.skip("this disk does not tell the two apart")
    with pytest.raises(DataSetError, match="which are one name in two spellings") as caught:
        find_images(folder, DataSettings(), 1)
    assert all(ascii(name)[1:-1] in str(caught.value) for name in (one, other))


def test_a_hidden_folder_with_images_is_named(folder: Path) -> None:
    """A class that nobody sees because its name begins with a dot is said to be missing, with its images."""
    (folder / ".5 mm").mkdir()
    (folder / ".5 mm" / "x.jpg").write_bytes(b"x")
    assert reasons(folder) == {".5 mm": "a hidden folder, .5 mm, with 1 images"}


def test_the_folder_that_may_be_meant_is_named(folder: Path) -> None:
    """An archive that holds its folder once more, and one class of two that is hidden: both are told what to do."""
    (folder / "a").rename(folder / ".a")
    with pytest.raises(DataSetError, match=r"There is a hidden folder, \.a, with 4 images: .* rename it without"):
        find_images(folder, DataSettings(), 1)
    (folder / "around" / "data").mkdir(parents=True)
    for name in (".a", "b"):
        (folder / name).rename(folder / "around" / "data" / name.strip("."))
    with pytest.raises(DataSetError, match=r"the 2 folders in .*data are the classes or splits, give that folder"):
        find_images(folder / "around", DataSettings(), 1)
