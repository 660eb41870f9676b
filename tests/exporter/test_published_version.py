"""A published version: its files, and that they agree with the run and with each other."""

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.blessing import Blessing
from contract.digests import digest_of_folder
from contract.manifest import ModelManifest
from contract.versions import (
    BLESSING,
    FIXTURES,
    LABELS,
    LITERT_NETWORK,
    MANIFEST,
    WARMUP,
    digest_of_version,
    published_versions,
    withdrawn_place,
)
from exporter.errors import UnchangedError
from exporter.export import export
from exporter.proof.rounding import LEAST_BOUND, bound_for
from exporter.saved_model.fresh_process import fresh_process
from exporter.saved_model.warmup import BATCH_SIZES, read_warmup
from exporter.saved_model.writer import write_saved_model
from tests.exporter.conftest import Publication
from tests.exporter.runs import CLASSES, expected_of
from tests.places import ROOT
from trainer.progress import Progress


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_version_has_the_layout_that_readers_expect(first: Publication) -> None:
    """A version has TensorFlow's files and the extra ones, each in its place, and nothing else."""
    assert first.folder == first.models / "colours" / "1"
    assert published_versions(first.models / "colours")[0] == 1
    fixed = {path for path in files_in(first.folder) if not path.startswith(FIXTURES)}
    assert fixed == {
        "saved_model.pb",
        "fingerprint.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
        LABELS,
        MANIFEST,
        WARMUP,
        BLESSING,
        LITERT_NETWORK,
    }
    assert (first.folder / LABELS).read_text().splitlines() == list(CLASSES)


def test_manifest_says_what_the_run_was(first: Publication) -> None:
    """The manifest has the run's labels, input, origin, settings and metrics, and is the one that was returned."""
    manifest = ModelManifest.read(first.folder / MANIFEST)
    record = first.run.record
    assert manifest == first.exported.manifest
    assert (manifest.name, manifest.version, manifest.run) == ("colours", 1, record.id)
    assert (manifest.labels, manifest.image_input) == (record.labels, record.image_input)
    assert (manifest.architecture, manifest.base_weights) == (record.architecture, record.base_weights)
    assert (manifest.dataset_digest, manifest.code_version) == (record.dataset_digest, record.code_version)
    assert (manifest.created, manifest.metrics) == (record.ended, record.metrics)
    assert manifest.training_configuration == first.run.config().model_dump(mode="json", exclude_none=True)


def test_manifest_describes_the_four_signatures(first: Publication) -> None:
    """The manifest names every tensor of each signature with its type and shape, the batch of any size, or no batch."""
    signatures = {
        name: {
            kind: {key: (spec.dtype, list(spec.shape)) for key, spec in specs.items()}
            for kind, specs in (("in", signature.inputs), ("out", signature.outputs))
        }
        for name, signature in first.exported.manifest.signatures.items()
    }
    probabilities = ("float32", [None, 3])
    assert signatures == {
        "serving_default": {
            "in": {"image_bytes": ("string", [None])},
            "out": {
                "probabilities": probabilities,
                "label": ("string", [None]),
                "valid": ("bool", [None]),
                "brightness": ("float32", [None]),
            },
        },
        "serving_pixels": {"in": {"pixels": ("uint8", [None, 32, 32, 3])}, "out": {"probabilities": probabilities}},
        "describe": {"in": {"query": ("string", [None])}, "out": {"manifest": ("string", [None])}},
        "pixels_of_image": {
            "in": {"image_bytes": ("string", [])},
            "out": {"pixels": ("uint8", [32, 32, 3]), "valid": ("bool", []), "brightness": ("float32", [])},
        },
    }


def test_digest_can_be_computed_again_from_the_files(first: Publication) -> None:
    """The manifest's digest is that of all files but manifest, blessing and TensorFlow's fingerprint."""
    left_out = {MANIFEST, BLESSING, "fingerprint.pb"}
    assert first.exported.manifest.digest == digest_of_folder(first.folder, keep=lambda name: name not in left_out)


def test_eight_fixtures_are_answered_and_two_refused(first: Publication) -> None:
    """Eight images go round the classes with their expected answers; a broken one and a text are refused."""
    expected = expected_of(first.folder)
    assert files_in(first.folder / FIXTURES) == {entry["file"] for entry in expected} | {"expected.json"}
    assert [entry["label"] for entry in expected[:8]] == [CLASSES[index % 3] for index in range(8)]
    refused = {entry["file"]: (entry["label"], entry["probabilities"]) for entry in expected[8:]}
    assert refused == {"truncated.jpg": (None, None), "not-a-image.txt": (None, None)}


def test_expected_answers_tell_the_images_apart(first: Publication) -> None:
    """The fixtures' answers differ by far more than parity allows, or a comparison would prove nothing."""
    predictions = np.array([entry["probabilities"] for entry in expected_of(first.folder)[:8]])
    np.testing.assert_allclose(predictions.sum(axis=1), 1.0, rtol=1e-5)
    assert predictions.std(axis=0).max() > 1000 * LEAST_BOUND


def test_warmup_has_a_request_of_each_batch_size(first: Publication) -> None:
    """The warmup file holds one request of `serving_default` for each batch size that a server may form."""
    records = list(read_warmup(first.folder / WARMUP))
    assert [len(images) for _, _, images in records] == list(BATCH_SIZES)
    assert {(signature, key) for signature, key, _ in records} == {("serving_default", "image_bytes")}
    assert all(image[:2] == b"\xff\xd8" for _, _, images in records for image in images)


def test_blessing_says_what_was_compared(first: Publication) -> None:
    """The blessing lists both signatures in both ways of loading, and LiteRT, each within the bound, and why that."""
    blessing = json.loads((first.folder / BLESSING).read_text())
    seen = [(entry["loaded"], entry["signature"], entry["images"]) for entry in blessing["comparisons"]]
    assert seen == [
        (loaded, signature, images)
        for loaded in ("by Python", "as TensorFlow Serving does")
        for signature, images in (("serving_default", 10), ("serving_pixels", 8))
    ] + [("by LiteRT", "serving_pixels", 8)]
    assert "without_litert" not in blessing
    assert all(0 <= entry["largest_difference"] <= blessing["bound"] for entry in blessing["comparisons"])
    noise = Blessing.read(first.folder / BLESSING).noise
    assert noise is not None
    assert blessing["noise"] == {"batch": noise.batch, "threads": noise.threads, "precision": noise.precision}
    assert 0 < noise.largest < LEAST_BOUND  # float32 is not float64
    assert blessing["bound"] == bound_for(noise)
    assert datetime.fromisoformat(blessing["checked"]).tzinfo is not None


def test_progress_is_told_for_every_step(first: Publication) -> None:
    """As many steps are done as were announced."""
    assert first.heard.announced == first.heard.done > 0


def test_graph_has_no_path_of_this_machine(first: Publication) -> None:
    """Neither the graph nor the checkpoint's index names a folder of the machine that wrote it."""
    for name in ("saved_model.pb", "variables/variables.index"):
        content = (first.folder / name).read_bytes()
        for place in (Path.home(), ROOT, first.models.parent, Path("/tmp")):
            assert str(place).encode() not in content, f"{place} in {name}"


def test_digest_changes_with_a_label(first: Publication, tmp_path: Path) -> None:
    """The same graph and variables with another class name are another model."""
    copy = shutil.copytree(first.folder, tmp_path / "copy")
    assert digest_of_version(copy) == first.exported.manifest.digest
    (copy / LABELS).write_text("azure\ngreen\nred\n")
    assert digest_of_version(copy) != first.exported.manifest.digest


def test_second_export_has_the_same_bytes(first: Publication, second: Publication) -> None:
    """A second export of a run is the same to the byte, but for its number, the time and a random number."""
    assert files_in(first.folder) == files_in(second.folder)
    changed = {
        name
        for name in files_in(first.folder)
        if (second.folder / name).read_bytes() != (first.folder / name).read_bytes()
    }
    assert "fingerprint.pb" in changed
    assert changed <= {"fingerprint.pb", MANIFEST, BLESSING}
    assert second.exported.manifest == first.exported.manifest.model_copy(update={"version": 2})


@pytest.mark.parametrize("change", [{"antialias": False}, {"max_pixels": 1000}, {"exif_orientation": False}])
def test_graph_changes_with_the_preprocessing(first: Publication, tmp_path: Path, change: dict[str, Any]) -> None:
    """The same network behind another preprocessing has another graph, and so another digest."""
    image_input = first.run.record.image_input.model_copy(update=change)
    with fresh_process() as process:
        process.submit(write_saved_model, first.run.folder, tmp_path, image_input).result()
    assert (tmp_path / "saved_model.pb").read_bytes() != (first.folder / "saved_model.pb").read_bytes()


def test_served_graph_is_folded_and_frozen(first: Publication) -> None:
    """The manifest says what was done, and the checkpoint holds no weights any more."""
    served = first.exported.manifest.served_graph
    assert served is not None
    assert (served.batch_norms_folded, served.batch_norms_kept, served.frozen) == (2, 0, True)
    assert sum(path.stat().st_size for path in (first.folder / "variables").iterdir()) < 1000


def test_second_export_is_the_next_version_of_the_same_digest(first: Publication, second: Publication) -> None:
    """A second export becomes version 2, has the digest of the first, and leaves the first as it was."""
    assert (second.folder.name, second.exported.manifest.version) == ("2", 2)
    assert second.exported.manifest.digest == first.exported.manifest.digest
    assert ModelManifest.read(first.folder / MANIFEST).version == 1
    assert {path.name for path in (first.models / "colours").iterdir()} == {"1", "2"}


def test_the_same_content_is_published_again_only_if_asked(first: Publication, tmp_path: Path) -> None:
    """An export of what is published says so and publishes nothing, also where that version was withdrawn."""
    base_path = tmp_path / "colours"
    shutil.copytree(first.folder, withdrawn_place(base_path / "1"))
    with pytest.raises(UnchangedError) as caught:
        export(first.run, tmp_path, Progress())
    assert str(caught.value) == (
        f"The digest of {first.run.record.id} is the same as that of version 1, which was withdrawn "
        f"({first.exported.manifest.digest}), so nothing was published; --again publishes it as version 2."
    )
    assert [path.name for path in base_path.iterdir()] == [".withdrawn-1"]
