"""`graft evaluate`: a version on labelled images of another folder, beside what it says of its own test."""

import contextlib
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from graft.actions.evaluate.labelled_images import labelled_images
from graft.actions.evaluate.predictors import Predicted, version_folder
from graft.actions.evaluate.run import EvaluateVersion, evaluate_with
from graft.errors import CommandError
from tests.fakes.made_up_predictions import label_for, manifest_for
from tests.fakes.marked_images import marked_image
from tests.fakes.model_server import FakeModelServer
from tests.gateway.gateway_process import gateway_process
from tests.graft.places import Place, make_place
from trainer.progress import Progress

LABELS = ("[bold]x[/bold]", "daisy", "roses")
OWN = {
    "test": {
        "images": 200,
        "accuracy": 0.95,
        "accuracy_interval": [0.91, 0.97],
        "macro_f1": 0.94,
        "per_class": {"daisy": {"images": 100, "precision": 0.9, "recall": 0.96, "f1": 0.93}},
    }
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A gateway before a fake model server of the model flowers, whose version 2 says how its test went."""
    server = FakeModelServer()
    for version, metrics in ((1, {}), (2, OWN)):
        manifest = manifest_for("flowers", version, LABELS).model_copy(update={"metrics": metrics})
        server.publish("flowers", version, LABELS, manifest=manifest.to_json().encode())
    server.start()
    with gateway_process(server.address, max_images=10, shutdown_delay_seconds=0) as running:
        yield str(running.client.base_url)
    server.stop()


def labelled(folder: Path, right: int, wrong: int) -> None:
    """Write images that the fake predicts right, and others in the folder of another class; none of the first class.

    That one has a slash, which no folder's name has.
    """
    for number in range(right + wrong):
        content = marked_image(number=number)
        label = label_for(content, LABELS)
        if number >= right:
            label = LABELS[(LABELS.index(label) + 1) % 3]
        if label != LABELS[0]:
            (folder / label.upper()).mkdir(parents=True, exist_ok=True)
            (folder / label.upper() / f"{number:03}.png").write_bytes(content)


def test_a_gateways_version_is_evaluated_beside_its_own_test(url: str, tmp_path: Path) -> None:
    """The table has accuracy with interval, classes and confusions of both; the JSON has the same, and a verdict."""
    labelled(tmp_path / "more", 40, 20)
    place = Place(tmp_path)
    told = json.loads(place.must("evaluate", url, "more", "--json"))
    metrics = told["metrics"]
    right = sum(metrics["confusion"][number][number] for number in range(3))
    assert metrics["accuracy"] == right / metrics["images"]
    assert (told["model"], told["version"], told["own"]["metrics"]) == ("flowers", 2, OWN["test"])
    assert told["missing_classes"] == [LABELS[0]]
    assert "That is worse than the 95.0 % of its own test, by more than chance" in told["verdict"]
    text = " ".join(place.must("evaluate", url, "more").split())
    assert f"flowers version 2 on more: {100 * metrics['accuracy']:.1f} % (95 % interval" in text
    assert "95.0 % (95 % interval 91.0 % to 97.0 %)" in text
    assert "There are no images of [bold]x[/bold], which the model may predict nevertheless." in text
    assert "Whether the version was trained on some of these images is not known" in text


def test_a_version_without_a_test_is_evaluated_too(url: str, tmp_path: Path) -> None:
    """It is then said that there is nothing to compare with."""
    labelled(tmp_path / "more", 12, 0)
    told = json.loads(Place(tmp_path).must("evaluate", url, "more", "--json", "--version", "1"))
    assert (told["metrics"]["accuracy"], told["own"]) == (1.0, None)
    assert "The version says nothing of a test of its own." in told["notes"]


def test_a_page_is_written(url: str, tmp_path: Path) -> None:
    """The page has the results, with names as text, and needs nothing else."""
    labelled(tmp_path / "more", 20, 10)
    Place(tmp_path).must("evaluate", url, "more", "--out", "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "[bold]x[/bold]" in page
    assert "Most confident wrong predictions" in page
    assert "Content-Security-Policy" in page
    assert "<script" not in page


def test_bad_images_and_other_classes_are_said(url: str, tmp_path: Path) -> None:
    """Files without a prediction are listed, and the exit code is 1; classes that the model lacks are left out."""
    labelled(tmp_path / "more", 12, 0)
    (tmp_path / "more" / "DAISY" / "cut.png").write_bytes(marked_image()[:60])
    (tmp_path / "more" / "tulips").mkdir()
    (tmp_path / "more" / "tulips" / "a.png").write_bytes(marked_image())
    done = Place(tmp_path).predict("evaluate", url, "more")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("  more/DAISY/cut.png: ")
    assert "Left out: 1 image of tulips, which the model lacks; any prediction would be wrong." in done.stdout


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("none", "There is no folder none; give one with a sub-folder of images per class."),
        ("others", "others has no class of the model: it has tulips, the model has [bold]x[/bold], daisy, roses."),
        ("splits", "splits is divided into train, val; give one of them, such as splits/val."),
    ],
)
def test_a_folder_that_does_not_fit_is_refused(url: str, tmp_path: Path, folder: str, said: str) -> None:
    """A folder that is missing, of other classes or divided into splits is refused with what to give."""
    for path in ("others/tulips", "splits/train/daisy", "splits/val/daisy"):
        (tmp_path / path).mkdir(parents=True)
        (tmp_path / path / "a.png").write_bytes(marked_image())
    assert Place(tmp_path).refused("evaluate", url, folder) == said


def test_what_is_no_version_is_refused(tmp_path: Path) -> None:
    """A name that is neither a version nor a model is refused with the models that there are; so is a dead URL."""
    place = make_place(tmp_path, recorded=False)
    said = place.refused("evaluate", "colors", "data")
    assert said.startswith("colors is neither a published version, nor a model under models (there are colours), nor")
    assert place.refused("evaluate", "colours", "data", "--version", "7").endswith("has no version 7; it has 1, 2.")
    assert place.refused("evaluate", "http://127.0.0.1:1", "data").startswith("No gateway responds at http://127")
    assert "--out takes a file" in place.refused("evaluate", "colours", "data", "--out", "no/page.html")


def test_a_version_is_found_by_folder_model_and_name(tmp_path: Path) -> None:
    """A version's folder is itself; a model's folder or name is its newest version, or the one that is wanted."""
    models = make_place(tmp_path, recorded=False).root / "models"
    newest = models / "colours" / "2"
    assert version_folder(str(models / "colours" / "1"), models, None) == models / "colours" / "1"
    assert [version_folder(name, models, None) for name in (str(models / "colours"), "colours")] == [newest, newest]
    assert version_folder("colours", models, 1) == models / "colours" / "1"
    with pytest.raises(CommandError, match="there are none"):
        version_folder("colours", tmp_path / "empty", None)


class Sure:
    """Predicts the first label of every image."""

    def __init__(self, labels: tuple[str, ...], run: str) -> None:
        self.manifest = manifest_for("colours", 1, labels).model_copy(update={"run": run})

    def predict(self, paths: Sequence[Path], progress: Progress) -> list[Predicted]:
        """Predict the first label."""
        return [Predicted(np.array([0.9, 0.1], np.float32)) for _ in paths]


def test_training_images_are_said(tmp_path: Path) -> None:
    """Files that the lineage knows from training are counted, and accuracy is also told without them."""
    place, out = make_place(tmp_path), io.StringIO()
    (place.root / "data" / "blue" / "new.jpg").write_bytes(marked_image())
    with contextlib.chdir(place.root), contextlib.redirect_stdout(out):
        evaluate_with(Sure(("blue", "red"), "first"), EvaluateVersion("colours", Path("data"), as_json=True))
    told = json.loads(out.getvalue())
    assert (told["metrics"]["images"], told["seen_in_training"]) == (13, 10)
    assert any("10 of these files were used to train or validate the version" in note for note in told["notes"])


def test_names_of_classes_fit_in_any_spelling(tmp_path: Path) -> None:
    """A class folder is the label that it equals but for case and composition."""
    for name in ("Cafe\u0301", "ROSE"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(marked_image())
    found = labelled_images(tmp_path, ("caf\u00e9", "rose"))
    assert sorted(image.label for image in found.images) == [0, 1]
    assert (found.unknown, found.missing, found.notes) == ({}, [], [])
