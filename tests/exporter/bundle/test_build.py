"""A mobile bundle as a whole: what lies in it, that it agrees with itself, and how it appears."""

import json
import multiprocessing
import re
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from contract.digests import digest_of_file
from contract.errors import ContractError
from contract.manifest import ModelManifest
from contract.versions import MANIFEST, AlreadyPublishedError
from exporter.bundle.build import BundleRequest, make_bundle
from exporter.bundle.install import check_place
from exporter.bundle.resize_warning import warnings_of
from exporter.errors import ExportError, LiteGateError
from exporter.tflite.graph import PixelGraph
from exporter.tflite.interpreter import LiteModel
from exporter.tflite.records import MobileBundle, PhoneResize, Requested
from tests.drawn.images import write_classes
from tests.exporter.conftest import Counting
from tests.exporter.tflite_versions import IMAGE_INPUT, SIZE, mean_colour, save_version
from trainer.config import DataSettings
from trainer.data.image_folder import find_images
from trainer.progress import Progress
from trainer.runs.data_split import DataSplit

ALL: tuple[Requested, ...] = ("float32", "float16", "dynamic", "int8")


def split_of(folder: Path) -> DataSplit:
    return DataSplit(find_images(folder, DataSettings(test_share=0.4), seed=1), seed=1)


class Made:
    """A version, its images and its bundle."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.version = folder / "models" / "colours" / "7"
        self.manifest = save_version(self.version, mean_colour)
        self.split = split_of(write_classes(folder / "images", per_class=10))
        self.heard = Counting()
        self.bundle = self.make(folder / "bundle", self.heard)

    def make(self, out: Path, progress: Progress, variants: Sequence[Requested] = ALL, **more: bool) -> MobileBundle:
        """Make the bundle once more at `out`."""
        return make_bundle(
            BundleRequest(self.version, out, variants, 0.01, **more), self.manifest, self.split, progress
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A bundle of all variants."""
    return Made(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def place(made: Made) -> Path:
    """Where it lies."""
    return made.folder / "bundle"


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_bundle_has_what_an_app_needs(place: Path) -> None:
    """Files, class names, README, report, three golden images in two forms each, and the record of it all."""
    fixed = {"bundle.json", "labels.txt", "README.md", "report.html", "golden/expected.json"}
    models = {f"model-{variant}.tflite" for variant in ALL}
    golden = {f"golden/{number}-{label}" for number, label in enumerate(("blue", "green", "red"))}
    images = {f"{name}{suffix}" for name in golden for suffix in (".jpg", "-pixels.png")}
    assert files_in(place) == fixed | models | images
    assert (place / "labels.txt").read_text() == "blue\ngreen\nred\n"


def test_record_can_be_read_back_and_names_every_file(made: Made, place: Path) -> None:
    """`bundle.json` gives the record back, with the digest of every other file as it lies there."""
    assert MobileBundle.read(place) == made.bundle
    assert made.bundle.files == {name: digest_of_file(place / name) for name in files_in(place) - {"bundle.json"}}
    for record in made.bundle.written:
        assert record.digest == made.bundle.files[record.file]
        assert record.measured.file_bytes == (place / record.file).stat().st_size


def test_record_says_where_it_comes_from(made: Made) -> None:
    """The source is the version with both of its digests, its run, and its lineage id if it has one."""
    source = made.bundle.source
    assert (source.name, source.version, source.digest) == ("colours", 7, made.manifest.digest)
    assert source.manifest_digest == digest_of_file(made.version / MANIFEST)
    assert (source.run, source.lineage_id) == (made.manifest.run, None)
    assert {"tensorflow", "ai-edge-litert", "flatbuffers"} <= set(made.bundle.environment)
    assert made.bundle.representative_images == len(made.split.images.images["train"])
    assert made.bundle.saved_model.images == len(made.split.images.images["test"])


def test_golden_images_get_their_answers(place: Path) -> None:
    """Each file answers each golden PNG as it says there, which differs from image to image."""
    golden = json.loads((place / "golden" / "expected.json").read_text())
    predictions = []
    for entry in golden["images"]:
        pixels = np.asarray(Image.open(place / "golden" / entry["pixels"]))
        assert pixels.shape == (SIZE, SIZE, 3)
        for variant in ALL:
            expected = entry["expected"][variant]["from_pixels"]
            model = LiteModel((place / f"model-{variant}.tflite").read_bytes())
            np.testing.assert_allclose(model.predict(pixels[None])[0], expected, rtol=0, atol=1e-6)
            assert golden["labels"][int(np.argmax(expected))] == entry["label"]
            np.testing.assert_allclose(entry["expected"][variant]["from_original"], expected, rtol=0, atol=0.2)
        predictions.append(entry["expected"]["float32"]["from_pixels"])
    assert np.ptp(predictions, axis=0).min() > 0.2


def test_readme_uses_the_files_as_they_are_called(made: Made, place: Path) -> None:
    """The lines of Kotlin and Swift load a file that is there, and the input's size is stated."""
    text = (place / "README.md").read_text()
    assert 'setModelAssetPath("model-int8.tflite")' in text
    assert 'forResource: "model-int8", ofType: "tflite"' in text
    assert all(f"`{record.file}`" in text for record in made.bundle.written)
    assert "24 x 24" in text
    assert not re.search(r"{[{%]|None|Undefined", text)


def test_report_is_self_contained_and_has_the_numbers(made: Made, place: Path) -> None:
    """The page fetches nothing, runs no script, and shows each variant's size, accuracy and agreement."""
    page = (place / "report.html").read_text()
    assert not re.search(r"<script|https?://(?!www\.w3\.org)|src=|@import", page)
    for record in made.bundle.written:
        assert f"{record.measured.file_bytes / 1e6:.2f}" in page
        assert f"{100 * record.phone_resize.same_prediction:.1f}" in page
    assert page.count("<svg") == 1


def test_progress_is_told_for_every_step(made: Made) -> None:
    """As many steps are done as were announced."""
    assert made.heard.announced == made.heard.done > 0


def test_another_bundle_has_the_same_files(made: Made, place: Path, tmp_path: Path) -> None:
    """Made again, all files have the same bytes but for those that tell measured times."""
    made.make(tmp_path / "again", Progress(), ("float32", "int8"))
    same = files_in(tmp_path / "again") - {"bundle.json", "report.html", "README.md", "golden/expected.json"}
    assert len(same) == 9
    assert [name for name in same if (place / name).read_bytes() != (tmp_path / "again" / name).read_bytes()] == []


def test_a_taken_place_is_refused_and_left_alone(made: Made, tmp_path: Path) -> None:
    """What lies at --out stays as it is: refused at once, and in the end too if it came meanwhile."""
    (tmp_path / "taken").mkdir()
    with pytest.raises(ExportError, match=r"taken exists already; give another --out, or --replace"):
        check_place(tmp_path / "taken", replace=False)
    with pytest.raises(AlreadyPublishedError):
        made.make(tmp_path / "taken", Progress(), ("float32",))
    assert files_in(tmp_path) == set()
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_only_a_bundle_is_replaced(made: Made, place: Path, tmp_path: Path) -> None:
    """--replace replaces a bundle as a whole, and nothing else."""
    shutil.copytree(place, tmp_path / "old")
    made.make(tmp_path / "old", Progress(), ("float32",), replace=True)
    assert MobileBundle.read(tmp_path / "old").written[0].variant == "float32"
    assert not (tmp_path / "old" / "model-int8.tflite").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    (tmp_path / "photos").mkdir()
    with pytest.raises(ContractError, match="No mobile bundle can be read at"):
        check_place(tmp_path / "photos", replace=True)


def test_nothing_appears_if_nothing_is_good_enough(made: Made, tmp_path: Path) -> None:
    """Where the gate refuses all, no folder is left, not even a hidden one."""
    more_than_all = BundleRequest(made.version, tmp_path / "out" / "bundle", ("int8",), max_accuracy_drop=-1.0)
    with pytest.raises(LiteGateError, match="No variant is good enough"):
        make_bundle(more_than_all, made.manifest, made.split, Progress())
    assert not (tmp_path / "out").exists()


def _make(version: Path, manifest: ModelManifest, split: DataSplit, out: Path) -> None:
    make_bundle(BundleRequest(version, out, ("float32",), 0.01), manifest, split, Progress())


def test_a_killed_process_leaves_nothing_to_be_seen(made: Made, tmp_path: Path) -> None:
    """Killed while it writes, a bundle is not there at all, and the next one removes what was left of it."""
    process = multiprocessing.Process(target=_make, args=(made.version, made.manifest, made.split, tmp_path / "bundle"))
    process.start()
    while process.is_alive() and not any(tmp_path.glob(".*/*")):
        process.join(0.001)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".")
    made.make(tmp_path / "bundle", Progress(), ("float32",))
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_warns_where_phones_answer_otherwise(made: Made) -> None:
    """Below 95 % of unchanged answers there is a warning with the number and what to do; from there on none."""
    (record, *_) = made.bundle.written
    accuracy = record.phone_resize.accuracy

    def with_share(same: float) -> tuple[str, ...]:
        changed = record.model_copy(update={"phone_resize": PhoneResize(same_prediction=same, accuracy=accuracy)})
        return warnings_of([record, changed], IMAGE_INPUT)

    assert with_share(0.95) == ()
    (warning,) = with_share(0.949)
    assert "only 94.9% of the test images keep their answer" in warning
    assert "augmentation.resize_kernels" in warning
    assert "model.antialias = false" in warning
    assert (
        "antialias = false"
        not in warnings_of(
            [record.model_copy(update={"phone_resize": PhoneResize(same_prediction=0.5, accuracy=accuracy)})],
            IMAGE_INPUT.model_copy(update={"antialias": False}),
        )[0]
    )


def test_saved_model_is_not_touched(made: Made) -> None:
    """The version is read only: it still answers, and its files have the digests they had."""
    assert ModelManifest.read(made.version / MANIFEST) == made.manifest
    assert PixelGraph(made.version).predict(np.zeros((1, SIZE, SIZE, 3), np.uint8)).shape == (1, 3)
