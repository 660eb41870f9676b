"""`graft data inspect`: a table, JSON and a page, an exit code that a script can read, and no TensorFlow."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from graft.actions.data.inspect import InspectionRequest
from tests.drawn.images import encoded, speckled, write_classes
from tests.graft.places import Place
from tests.places import ROOT
from trainer.config import TrainingConfig
from trainer.data.image_folder import find_images

_LIGHT = """
import sys
from graft.cli import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    assert end.code == 0, end.code
print([name for name in ("tensorflow", "keras", "tensorflow_cpu") if name in sys.modules])
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place with a folder `photos` that training accepts."""
    write_classes(tmp_path / "photos", per_class=6)
    return Place(tmp_path)


def test_a_good_folder_exits_with_0(place: Place) -> None:
    """The table has a row for each class with its counts by split, and the last line says that it is accepted."""
    lines = place.must("data", "inspect", "photos").splitlines()
    counts = find_images(place.root / "photos", TrainingConfig().data, 1).counts()
    assert lines[0] == "photos: 18 images of 3 classes, split by Graft with seed 1"
    assert lines[1].split() == ["class", "images", "train", "val", "test", "broken"]
    assert [line.split() for line in lines[2:6]] == [
        *(
            [name, "6", *(str(counts[split][name]) for split in ("train", "val", "test")), "0"]
            for name in counts["val"]
        ),
        ["all", "18", *(str(sum(counts[split].values())) for split in ("train", "val", "test")), "0"],
    ]
    assert lines[6] == "Decoded: 18 JPEG; width 40 to 40, median 40, height 30 to 30, median 30 pixels"
    assert lines[-1] == "`graft train` would accept this folder."


def test_a_bad_folder_exits_with_1_and_the_sentence(place: Place) -> None:
    """What is broken is listed, and what training would say is said; with --strict the broken file is why."""
    (place.root / "photos" / "red" / "notes.jpg").write_text("no image")
    lines = place.must("data", "inspect", "photos").splitlines()
    assert lines[lines.index("Broken, left out of training (1):") + 1] == "  red/notes.jpg: not an image"
    refused = place.predict("data", "inspect", "photos", "--strict")
    assert (refused.returncode, refused.stderr) == (1, "")
    assert refused.stdout.splitlines()[-1] == (
        "`graft train` would refuse this folder: photos/red/notes.jpg (not an image) cannot be decoded; repair or "
        "remove these files, or train without --strict."
    )


def test_json_has_everything(place: Place) -> None:
    """The keys are those that docs/data.md lists; the exit code is in it as `accepted`."""
    shutil.copy(place.root / "photos" / "red" / "00.jpg", place.root / "photos" / "blue" / "again.jpg")
    done = place.predict("data", "inspect", "photos", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, done.stderr, found["accepted"], found["schema"]) == (1, "", False, "1.0")
    assert set(found) == {
        *("schema", "folder", "accepted", "rejections", "layout", "split_folders", "seed", "note", "images", "classes"),
        *("samples", "formats", "sizes", "broken", "skipped", "copies", "leaks", "warnings"),
    }
    documented = (ROOT / "docs" / "data.md").read_text()
    assert [key for key in found if f"`{key}`" not in documented] == []
    ((leak),) = found["leaks"]
    assert {leak["first"]["file"], leak["second"]["file"]} == {"red/00.jpg", "blue/again.jpg"}
    assert found["copies"][0]["across"][-1] == "classes"


def test_json_is_exact_whatever_the_names_are(tmp_path: Path) -> None:
    """A file whose name is not UTF-8, and one with a line end, are in the JSON as Python reads them."""
    write_classes(tmp_path / "photos", per_class=4)
    odd = {os.fsdecode(b"\xff.jpg"), "two\nlines \x1b[31m.jpg", "[b]:star:\u202e.jpg"}
    for name in odd:
        (tmp_path / "photos" / "red" / name).write_bytes(b"")
    done = Place(tmp_path).must("data", "inspect", "photos", "--json")
    assert done.isascii()
    assert {each["file"] for each in json.loads(done)["broken"]} == {f"red/{name}" for name in odd}
    shown = Place(tmp_path).must("data", "inspect", "photos")
    assert r"  red/\xff.jpg: the file is empty" in shown.splitlines()
    assert r"  red/two\nlines \x1b[31m.jpg: the file is empty" in shown.splitlines()
    assert r"  red/[b]:star:\u202e.jpg: the file is empty" in shown.splitlines()


def test_what_is_written_is_where_it_should_be(place: Place) -> None:
    """--out writes a page or JSON besides the table, and nothing else anywhere."""
    place.must("data", "inspect", "photos", "--out", "sheet.html")
    table = place.must("data", "inspect", "photos", "--out", "found.json")
    assert table.splitlines()[-1] == "Wrote found.json"
    assert "<img" in (place.root / "sheet.html").read_text()
    assert (place.root / "found.json").read_text() == place.must("data", "inspect", "photos", "--json")
    assert {path.name for path in place.root.iterdir()} == {"photos", "sheet.html", "found.json"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "nowhere does not exist; give a folder"),
        (["photos/red/00.jpg"], "photos/red/00.jpg is a file; give a folder"),
        (["photos", "--out", "photos/sheet.html"], "is in the folder that is inspected, where nothing is written"),
        (["photos", "--out", "photos/red/../sheet.html"], "where nothing is written"),
        (["photos", "--out", "nowhere/sheet.html"], "The result cannot be written to nowhere/sheet.html"),
        (["photos", "--out", "sheet.pdf"], "--out takes a file that ends in .html or .json"),
        (["photos", "--set", "data.validation_shar=0.1"], "Did you mean data.validation_share?"),
    ],
)
def test_what_cannot_be_inspected_exits_with_2(place: Place, arguments: list[str], sentence: str) -> None:
    """Bad input gives one line, and nothing is read or written."""
    assert sentence in place.refused("data", "inspect", *arguments)
    assert {path.name for path in place.root.iterdir()} == {"photos"}


def test_tensorflow_is_never_imported(place: Place) -> None:
    """The whole inspection, with its page, leaves TensorFlow and Keras out."""
    command = [sys.executable, "-c", _LIGHT, "data", "inspect", str(place.root / "photos"), "--out"]
    shown = subprocess.run(
        [*command, str(place.root / "sheet.html")], capture_output=True, text=True, timeout=120, check=True
    )
    assert shown.stdout.splitlines()[-1] == "[]"


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    """A large folder says so; Ctrl-C then ends the inspection with 130 and one word, and leaves no file behind."""
    photo = encoded(speckled((10, 90, 200), 1, 1600, 1200), "JPEG")
    (tmp_path / "photo.jpg").write_bytes(photo)
    for label in ("a", "b"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(1500):
            (tmp_path / "photos" / label / f"{number}.jpg").hardlink_to(tmp_path / "photo.jpg")
    command = [sys.executable, "-m", "graft", "data", "inspect", "photos", "--out", "sheet.html"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=_environment()
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "Reading 3,000 images; Ctrl-C ends it.\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "Stopped.\n")
    assert not list(tmp_path.glob("*sheet*"))


def _environment() -> dict[str, str]:
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def test_the_settings_of_the_training_that_is_meant(place: Place) -> None:
    """--seed and --set split as the training with them would."""
    shares = ["data.validation_share=0.3", "data.test_share=0.3"]
    given = [each for share in shares for each in ("--set", share)]
    found = json.loads(place.must("data", "inspect", "photos", "--json", "--seed", "7", *given))
    settings = InspectionRequest(place.root, given={"seed": 7}, assignments=shares).settings()
    counts = find_images(place.root / "photos", settings.data, 7).counts()
    assert found["seed"] == 7
    assert {each["name"]: each["val"] for each in found["classes"]} == counts["val"]
