"""Data sets that people reported: trained on, or refused, as their reports say is right."""

import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.drawn.images import COLOURS, encoded, speckled
from tests.end_to_end.cases.tiny import TINY
from tests.end_to_end.command import environment, graft, must, started
from tests.end_to_end.conftest import SERVED
from trainer.config import DataSettings
from trainer.data.image_folder import SPLITS, find_images

PER_CLASS = 6


@dataclass(frozen=True)
class Awkward:
    """A run of a data set with all the reported names, trained with a console that is not UTF-8."""

    names: tuple[str, ...]
    data: Path
    runs: Path
    models: Path
    console: str


@pytest.fixture(scope="module")
def awkward(cases: Path, tmp_path_factory: pytest.TempPathFactory) -> Awkward:
    """Train on the classes of `class-name-zwnj` and `predict-label-with-brackets`, with whatever lies beside them."""
    folder = tmp_path_factory.mktemp("awkward")
    data = folder / "photos"
    files = (cases / "class-name-zwnj" / "names.txt", cases / "predict-label-with-brackets" / "labels.txt")
    names = tuple(name for file in files for name in file.read_text(encoding="utf-8").splitlines() if name)
    for number, name in enumerate(names):
        write_class(data / name, number)
    write_class(data / ".5 mm", 90)
    write_class(data / "__MACOSX", 91)
    (data / "lost+found").mkdir()
    (data / "@eaDir").mkdir()
    shutil.copy(cases / "heic-named-jpg-in-training" / "photo.heic.jpg", data / names[0] / "photo.jpg")
    command = [sys.executable, "-m", "graft", "train", str(data), "--name", "awkward", "--runs", str(folder / "runs")]
    ascii_console = environment() | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*command, *TINY], capture_output=True, check=False, env=ascii_console, timeout=300)
    console = (done.stdout + done.stderr).decode("ascii")
    assert done.returncode == 0, console
    return Awkward(names, data, folder / "runs", folder / "models", " ".join(console.split()))


def write_class(folder: Path, seed: int) -> None:
    """Write a few images, no two of them alike."""
    folder.mkdir(parents=True)
    for number in range(PER_CLASS):
        colour = list(COLOURS.values())[(seed + number) % len(COLOURS)]
        (folder / f"{number:03}.jpg").write_bytes(encoded(speckled(colour, 100 * seed + number), "JPEG"))


def test_a_console_that_is_not_utf8_shows_escapes(awkward: Awkward) -> None:
    """Training goes on; what the console cannot write is escaped."""
    assert "Traceback" not in awkward.console
    assert all(name.encode("ascii", "backslashreplace").decode() in awkward.console for name in awkward.names[:1])


def test_a_hidden_folder_with_images_is_said_to_be_no_class(awkward: Awkward) -> None:
    """A whole class is missing: `.5 mm`, with its number of images."""
    assert f"a hidden folder, .5 mm, with {PER_CLASS} images" in awkward.console


def test_names_with_joiners_are_classes(awkward: Awkward) -> None:
    """Persian, Sinhala and emoji names keep their joiners."""
    labels = find_images(awkward.data, DataSettings(), 1).labels
    assert set(labels) == {unicodedata.normalize("NFC", name) for name in awkward.names}


def test_folders_of_the_system_are_no_classes(awkward: Awkward) -> None:
    """`lost+found` and `@eaDir`, which are empty, and `__MACOSX`, which is not, are passed over with a note."""
    labels = find_images(awkward.data, DataSettings(), 1).labels
    assert not {"lost+found", "@eaDir", "__MACOSX"} & set(labels)
    assert "a folder of the system" in awkward.console


def test_a_heic_photo_under_another_name_is_called_heic(awkward: Awkward) -> None:
    """The words are the gateway's: what it is, and what to do."""
    assert "HEIC" in awkward.console or "heic" in awkward.console
    assert "not a picture" not in awkward.console


@pytest.fixture(scope="module")
def served(awkward: Awkward) -> Iterator[str]:
    """The run, exported and served; the URL."""
    must("export", "latest", "--runs", awkward.runs, "--models", awkward.models)
    up = ("up", "--models", awkward.models, "--engine", "litert", "--no-batching", "--port", "0")
    with started(*up, announces=SERVED) as service:
        yield service.url


@pytest.mark.slow  # an export and a service for odd names, which tests/graft/test_odd_names.py prints in every run
def test_labels_and_paths_with_brackets_are_shown_as_they_are(awkward: Awkward, served: str) -> None:
    """`graft predict` prints label and path as text: no markup, no emoji for `:star:`."""
    for name in awkward.names:
        if not name.isascii():
            continue
        image = awkward.data / name / "000.jpg"
        shown = must("predict", image, "--url", served, "--top-k", str(len(awkward.names)))
        flat = "".join(shown.split())
        for label in awkward.names:
            assert "".join(label.split()) in flat
        assert "".join(f"{name}/000.jpg".split()) in flat


def test_one_name_in_two_unicode_forms_is_one_class(tmp_path: Path) -> None:
    """`train/blüte` in NFC and `val/blüte` in NFD, as when a part was unpacked on a Mac."""
    name = "bl\u00fcte"
    for number, (split, form) in enumerate((("train", "NFC"), ("val", "NFD"), ("test", "NFD"))):
        write_class(tmp_path / split / unicodedata.normalize(form, name), number)  # type: ignore[arg-type]
        write_class(tmp_path / split / "rinde", 10 + number)
    found = find_images(tmp_path, DataSettings(), 1)
    assert found.labels == (name, "rinde")
    assert all({image.label for image in found.images[split]} == {0, 1} for split in SPLITS)


def test_one_image_under_two_classes_is_refused(tmp_path: Path) -> None:
    """One of the two labels is wrong: training does not begin, and both files are named."""
    for number, split in enumerate(("train", "val", "test")):
        for other, name in enumerate("ab"):
            write_class(tmp_path / "photos" / split / name, 10 * number + other)
    shutil.copy(tmp_path / "photos/train/a/000.jpg", tmp_path / "photos/train/b/copy.jpg")
    done = graft("train", tmp_path / "photos", "--name", "twice", "--runs", tmp_path / "runs", *TINY)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 2, said
    assert "a/000.jpg" in said
    assert "b/copy.jpg" in said
