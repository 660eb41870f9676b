"""Folders as they are in life: links in circles, names that are no text, files that cannot be opened."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from trainer.config import DataSettings
from trainer.data.folder_walk import plain_name, walk
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
from trainer.data.folder_walk import walk
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
