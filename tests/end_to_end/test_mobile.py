"""From a published version to what a phone answers: real photographs, and MediaPipe's own ImageClassifier."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from exporter.tflite.graph import PixelGraph
from exporter.tflite.interpreter import LiteModel
from exporter.tflite.records import MobileBundle, WrittenVariant
from exporter.tflite.resize import read_upright, stretch
from lineage.store import open_lineage
from tests.end_to_end.command import environment, graft, must
from tests.end_to_end.conftest import Trained
from tests.places import DATA
from trainer.data.preprocessing import ImageDecoder
from trainer.runs.trained_model import read_run

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Bundled:
    """The bundle of the flowers, its test photos as the model is served them, and the SavedModel's answers."""

    folder: Path
    record: MobileBundle
    version: Path
    paths: list[Path]
    labels: Array
    pixels: Array
    predictions: Array
    told: str

    def content(self, record: WrittenVariant) -> bytes:
        """Read a file of the bundle."""
        return (self.folder / record.file).read_bytes()

    def right(self, predictions: Array) -> int:
        """Count right answers."""
        return int((predictions.argmax(axis=1) == self.labels).sum())


@pytest.fixture(scope="module")
def bundled(flowers: Trained, tmp_path_factory: pytest.TempPathFactory) -> Bundled:
    """Make the bundle of the flowers' first version."""
    folder, version = tmp_path_factory.mktemp("mobile") / "flowers", flowers.models / "flowers" / "1"
    told = must("tflite", version, "--out", folder, "--runs", flowers.runs)
    run = read_run(flowers.run)
    images = run.record.test_images
    contents = [image.path.read_bytes() for image in images]
    pixels, valid = ImageDecoder(run.record.image_input).decode(contents)
    assert valid.all()
    return Bundled(
        folder=folder,
        record=MobileBundle.read(folder),
        version=version,
        paths=[image.path for image in images],
        labels=np.array([run.record.labels.index(image.label) for image in images]),
        pixels=pixels,
        predictions=PixelGraph(version).predict(pixels),
        told=told,
    )


def variant(bundled: Bundled, name: str) -> WrittenVariant:
    (record,) = [record for record in bundled.record.written if record.variant == name]
    return record


@pytest.mark.parametrize(("name", "bound"), [("float32", 2e-3), ("float16", 1e-2)])
def test_floats_answer_as_the_saved_model(bundled: Bundled, name: str, bound: float) -> None:
    """On every test photo the probabilities are within the bound, and so is the class where two are not a tie."""
    predictions = LiteModel(bundled.content(variant(bundled, name))).predict(bundled.pixels)
    assert np.abs(predictions - bundled.predictions).max() <= bound
    ordered = np.sort(bundled.predictions, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > bound
    assert clear.sum() >= 85
    np.testing.assert_array_equal(predictions.argmax(axis=1)[clear], bundled.predictions.argmax(axis=1)[clear])


def test_weights_of_eight_bits_lose_at_most_one_photo_and_one_percent(bundled: Bundled) -> None:
    """`dynamic` recognises at most one photo and 1 % less than the SavedModel."""
    predictions = LiteModel(bundled.content(variant(bundled, "dynamic"))).predict(bundled.pixels)
    assert bundled.right(bundled.predictions) - bundled.right(predictions) <= 1 + 0.01 * len(bundled.labels)


def test_integers_lose_at_most_three_points_or_are_refused(bundled: Bundled) -> None:
    """`int8` is within 3 points of the SavedModel and at most 0.3 times float32's size, or is refused with a reason."""
    refused = [record for record in bundled.record.refused if record.variant == "int8"]
    if refused:
        assert refused[0].reason
        assert len(refused[0].tried_next) == 3
        return
    record = variant(bundled, "int8")
    predictions = LiteModel(bundled.content(record)).predict(bundled.pixels)
    assert bundled.right(bundled.predictions) - bundled.right(predictions) <= 0.03 * len(bundled.labels)
    assert record.measured.file_bytes <= 0.3 * variant(bundled, "float32").measured.file_bytes


def test_what_is_told_is_what_is_recorded(bundled: Bundled) -> None:
    """The verb prints each variant with its accuracy, and where to look; the record has the version and its digest."""
    for record in bundled.record.written:
        assert f"{record.variant:<10} {record.measured.accuracy.share:>6.1%}" in bundled.told
    assert f"look at {bundled.folder / 'report.html'}" in bundled.told
    assert bundled.record.saved_model.right == bundled.right(bundled.predictions)
    manifest = json.loads((bundled.version / "assets.extra" / "manifest.json").read_text())
    assert bundled.record.source.digest == manifest["digest"]


def test_lineage_knows_the_files(bundled: Bundled) -> None:
    """Each written file is recorded below its version, with its digest and how it compared."""
    source = bundled.record.source
    with open_lineage(environment()["GRAFT_LINEAGE_URL"]) as lineage:
        export = lineage.ancestry_of_version(source.name, source.version, source.digest).export
    assert export.lineage_id == source.lineage_id
    files = {file.variant: file for file in export.lite_files if file.file.parent == bundled.folder.resolve()}
    assert {name: file.digest for name, file in files.items()} == {
        record.variant: record.digest for record in bundled.record.written
    }
    assert all("largest_difference" in file.parity[0] for file in files.values())


@pytest.fixture(scope="module")
def mediapipe() -> Any:
    """MediaPipe, where it can be imported."""
    return pytest.importorskip("mediapipe", reason="MediaPipe does not install here")


class Phone:
    """MediaPipe's ImageClassifier with a file of the bundle."""

    def __init__(self, mediapipe: Any, content: bytes, labels: tuple[str, ...]) -> None:
        from mediapipe.tasks.python import vision  # noqa: PLC0415 - where it is not installed the test is skipped
        from mediapipe.tasks.python.core.base_options import BaseOptions  # noqa: PLC0415

        options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_buffer=content))
        self._classifier = vision.ImageClassifier.create_from_options(options)
        self._mediapipe = mediapipe
        self._labels = labels

    def predict(self, pixels: Array) -> Array:
        """Return the probabilities of one image of any size, uint8 [h, w, 3], in the order of the labels."""
        image = self._mediapipe.Image(image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))
        (head,) = self._classifier.classify(image).classifications
        scores = {category.category_name: category.score for category in head.categories}
        return np.array([scores[label] for label in self._labels])

    def close(self) -> None:
        """End its threads."""
        self._classifier.close()


@pytest.fixture(scope="module")
def phones(bundled: Bundled, mediapipe: Any) -> Iterator[dict[str, Phone]]:
    """A classifier for every written file."""
    labels = bundled.record.labels
    made: dict[str, Phone] = {
        record.variant: Phone(mediapipe, bundled.content(record), labels) for record in bundled.record.written
    }
    yield made
    for phone in made.values():
        phone.close()


def test_mediapipe_answers_as_measured(bundled: Bundled, phones: dict[str, Phone]) -> None:
    """Given the same pixels, MediaPipe gives each photo the file's class, and each probability within 2/255."""
    for record in bundled.record.written:
        predictions = LiteModel(bundled.content(record)).predict(bundled.pixels)
        seen = np.stack([phones[record.variant].predict(pixels) for pixels in bundled.pixels])
        np.testing.assert_allclose(seen, predictions, rtol=0, atol=2 / 255)
        np.testing.assert_array_equal(seen.argmax(axis=1), predictions.argmax(axis=1))


def test_mediapipe_resizes_as_we_say_phones_do(bundled: Bundled, phones: dict[str, Phone]) -> None:
    """Given photos at their full size, MediaPipe's own resizing leads to the answers of ours in its place."""
    graph, (height, width) = PixelGraph(bundled.version), bundled.pixels.shape[1:3]
    photos = [read_upright(path) for path in bundled.paths]
    expected = graph.predict(np.stack([stretch(photo, height, width) for photo in photos]))
    seen = np.stack([phones["float32"].predict(photo) for photo in photos])
    assert (seen.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.98
    assert np.abs(seen - expected).max() <= 0.02
    assert np.abs(seen - bundled.predictions).max() > 2 * np.abs(seen - expected).max()  # ours is another way
    share = (expected.argmax(axis=1) == bundled.predictions.argmax(axis=1)).mean()
    assert variant(bundled, "float32").phone_resize.same_prediction == pytest.approx(share)


def test_golden_images_hold_on_mediapipe(bundled: Bundled, phones: dict[str, Phone]) -> None:
    """An app that uses MediaPipe passes with every golden image, as pixels and as the original."""
    golden = json.loads((bundled.folder / "golden" / "expected.json").read_text())
    for entry in golden["images"]:
        for name, phone in phones.items():
            for kind, file in (("from_pixels", entry["pixels"]), ("from_original", entry["original"])):
                seen = phone.predict(read_upright(bundled.folder / "golden" / file))
                np.testing.assert_allclose(
                    seen,
                    entry["expected"][name][kind],
                    rtol=0,
                    atol=golden["tolerance"][kind],
                    err_msg=f"{name} {file}",
                )


REFUSED = {
    "another variant": (
        ["--variants", "float32,int4"],
        "--variants takes some of float32, float16, dynamic, int8; int4",
    ),
    "no variant": (["--variants", ""], "--variants takes some of float32, float16, dynamic, int8; none"),
    "no such data": (["--data", "nowhere"], "There is no folder nowhere"),
    "a taken place": (["--out", "."], ". exists already; give another --out, or --replace"),
    "a place that is no bundle": (["--out", ".", "--replace"], "No mobile bundle can be read at ."),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_one_line(flowers: Trained, tmp_path: Path, case: str) -> None:
    """Each mistake ends with exit code 2 and one line that says what to do, before TensorFlow is loaded."""
    options, said = REFUSED[case]
    version = flowers.models / "flowers" / "1"
    done = graft("tflite", version, "--out", tmp_path / "out", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_missing_version_is_one_line(tmp_path: Path) -> None:
    """A folder that is no version is refused with its name."""
    done = graft("tflite", tmp_path / "models" / "x" / "1", "--out", tmp_path / "out")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert str(tmp_path / "models" / "x" / "1") in done.stderr


@pytest.mark.slow  # another bundle
def test_the_lineage_knows_where_the_images_are(bundled: Bundled, tmp_path: Path) -> None:
    """Where the run's folder is elsewhere, the lineage tells which images it had, and the files are the same."""
    out = tmp_path / "again"
    must("tflite", bundled.version, "--out", out, "--variants", "float32,int8", "--runs", "elsewhere")
    assert MobileBundle.read(out).saved_model == bundled.record.saved_model
    for record in MobileBundle.read(out).written:
        assert (out / record.file).read_bytes() == bundled.content(record)


@pytest.mark.slow  # another bundle
def test_other_images_can_be_given(bundled: Bundled, tmp_path: Path) -> None:
    """With --data a folder of images in its place decides; all but its test split stays unseen by the gate."""
    chosen = tmp_path / "some"
    for split, count in (("train", 4), ("val", 1), ("test", 3)):
        for label in bundled.record.labels:
            (chosen / split / label).mkdir(parents=True)
            for path in sorted((DATA / "flowers" / split / label).iterdir())[:count]:
                (chosen / split / label / path.name).symlink_to(path)
    out = tmp_path / "out"
    must("tflite", bundled.version, "--out", out, "--variants", "float32", "--data", chosen)
    made = MobileBundle.read(out)
    assert (made.saved_model.images, made.representative_images) == (15, 20)
