"""`graft check` on a small network: what agrees, what does not, and on which image."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contract.versions import BLESSING, MANIFEST
from exporter.check.local_predictors import RecordedPredictions, TrainedModel, bound_on_fixtures
from exporter.check.server_client import ServerClient
from exporter.export import ExportOptions, export
from exporter.proof.rounding import LEAST_BOUND
from graft.actions.embedded_server import EmbeddedModelServer
from tests.drawn.images import COLOURS, encoded, speckled, write_classes
from tests.exporter.conftest import Publication
from tests.exporter.runs import CLASSES
from tests.graft.places import Ended, Place
from trainer.progress import Progress
from trainer.runs.record import MODEL
from trainer.runs.trained_model import Run, decode_each, predict_decoded, read_run


@dataclass(frozen=True)
class Impostor:
    """A run with the id of the first one and other weights, its version, and a server that calls it the first one."""

    runs: Path
    version: Path
    address: str


@pytest.fixture(scope="module")
def impostor(first: Publication, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Impostor]:
    """Export other weights, describe them by the first version's manifest, and serve that."""
    root = tmp_path_factory.mktemp("impostor")
    run = read_run(shutil.copytree(first.run.folder, root / "runs" / first.run.folder.name))
    model = run.load_model()
    kernel, bias = model.layers[-1].get_weights()
    bias[0] += 0.05
    model.layers[-1].set_weights([kernel, bias])
    model.save(run.folder / MODEL, include_optimizer=False)
    exported = export(
        run, root / "models", Progress(), ExportOptions(given_fixtures=_given(root / "given", run, model))
    )
    shutil.copytree(exported.folder, root / "honest" / "colours" / "1")
    shutil.copy(first.folder / MANIFEST, exported.folder / MANIFEST)
    with EmbeddedModelServer({"colours": exported.folder.parent}) as server:
        address = server.address()
        with ServerClient(address, "colours") as client:
            client.await_version(1)
        yield Impostor(run.folder.parent, root / "honest" / "colours" / "1", address)


def _given(folder: Path, run: Run, model: Any) -> Path:
    """Write an image of a user's, who expects what the model says."""
    image = encoded(speckled(COLOURS["red"], 5), "PNG")
    image_input = run.record.image_input
    predictions = predict_decoded(model, image_input, decode_each(image_input, [image]))
    label = CLASSES[int(predictions.probabilities[0].argmax())]
    folder.mkdir()
    (folder / "mine.png").write_bytes(image)
    (folder / "expected.csv").write_text(f"file,label,minimal_probability\nmine.png,{label},0\n")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven images in folders, two of which are broken, and a file that is none."""
    folder = write_classes(tmp_path_factory.mktemp("data") / "images", per_class=3, seed=7)
    (folder / "red" / "broken.jpg").write_bytes(encoded(speckled(COLOURS["red"], 1), "JPEG")[:400])
    (folder / "plain.png").write_bytes(b"text")
    (folder / "notes.txt").write_text("no image")
    return folder


def check(first: Publication, tmp_path: Path, *arguments: str | Path, runs: Path | None = None) -> Ended:
    """Check the first version."""
    runs = runs or first.run.folder.parent
    return Place(tmp_path).predict("check", str(first.folder), "--runs", str(runs), *map(str, arguments))


def rows_of(ended: Ended) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(ended.stdout)["rows"]}


def test_all_that_serves_a_version_agrees(first: Publication, data: Path, tmp_path: Path) -> None:
    """SavedModel, LiteRT network and our own server answer fixtures and a folder as the trained model."""
    done = check(first, tmp_path, "--data", data, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["images"] == {"fixtures": 10, "images": 11}
    assert (report["name"], report["version"]) == ("colours", 1)
    assert report["digest"] == first.exported.manifest.digest
    assert report["notes"] == ["Skipped in --data: 1, the first of them notes.txt, not an image by its name."]
    rows = rows_of(done)
    assert list(rows) == ["trained model", "SavedModel", "LiteRT network", "server, our own"]
    assert rows["trained model"]["verdict"] == "reference"
    for name, bounds in (
        ("SavedModel", [1e-5, 1e-4]),
        ("LiteRT network", [1e-5, 1e-4]),
        ("server, our own", [1e-4]),
    ):
        row = rows[name]
        assert (row["images"], row["predicted"], row["broken"]) == (21, 17, 0)  # two and two must be refused
        assert 0 <= row["mean_difference"] <= row["largest_difference"] <= bounds[-1]
        assert row["bounds"] == bounds
        assert (row["verdict"], row["top1_agreement"]) == ("agrees", 1.0)
    assert all(row["latency_p50_ms"] > 0 for row in rows.values())


@pytest.mark.slow  # twenty seconds; other weights of the SavedModel are found in every run
def test_server_of_other_weights_breaks_its_bound(first: Publication, impostor: Impostor, tmp_path: Path) -> None:
    """A server that says it is the version, and answers otherwise, is told with each image and by how much."""
    done = check(first, tmp_path, "--server", impostor.address, "--json")
    assert done.returncode == 1, done.stderr
    rows = rows_of(done)
    server = rows[f"server {impostor.address}"]
    assert rows["SavedModel"]["verdict"] == "agrees"
    assert (server["verdict"], server["broken"], len(server["breaches"])) == ("breaks its bound", 8, 8)
    named = {breach["image"]: breach["difference"] for breach in server["breaches"]}
    assert min(named.values()) > 1e-4
    assert "assets.extra/fixtures/00-blue.jpg" in named
    assert named[server["worst_image"]] == max(named.values()) == server["largest_difference"]


def test_table_names_the_first_broken_images(first: Publication, impostor: Impostor, tmp_path: Path) -> None:
    """On a terminal the first images that broke a bound stand below the table, and what is not the same."""
    done = check(first, tmp_path, "--server", impostor.address)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[1].split()[:3] == ["predictor", "images", "largest"]
    at = next(index for index, line in enumerate(lines) if "8 of 10 images; the worst is assets.extra" in line)
    assert lines[at + 1].startswith("  assets.extra/fixtures/00-blue.jpg: off by ")
    assert lines[at + 6] == "  and 3 more"
    assert lines[-1] == f"Not the same: server {impostor.address}."


def test_saved_model_of_other_weights_than_the_run(first: Publication, impostor: Impostor, tmp_path: Path) -> None:
    """The trained model is the reference: with another one under the run's id the SavedModel is the odd one out."""
    done = check(first, tmp_path, "--server", impostor.address, "--json", runs=impostor.runs)
    assert done.returncode == 1, done.stderr
    rows = rows_of(done)
    assert rows["SavedModel"]["verdict"] == "breaks its bound"
    assert rows[f"server {impostor.address}"]["verdict"] == "agrees"


def test_without_the_run_the_recorded_answers_are_the_reference(
    first: Publication, impostor: Impostor, data: Path, tmp_path: Path
) -> None:
    """Fixtures are compared with what the export wrote down, other images with the SavedModel, and a note says so."""
    done = check(first, tmp_path, "--server", impostor.address, "--data", data, "--json", runs=tmp_path)
    assert done.returncode == 1, done.stderr
    rows = rows_of(done)
    assert (rows["recorded answers"]["verdict"], rows["recorded answers"]["latency_p50_ms"]) == ("reference", None)
    assert (rows["SavedModel"]["verdict"], rows["SavedModel"]["images"]) == ("agrees", 10)
    assert rows[f"server {impostor.address}"]["broken"] == 8 + 9
    assert "was not found (see --runs)" in json.loads(done.stdout)["notes"][0]


def test_another_version_of_the_same_number_is_refused(first: Publication, impostor: Impostor, tmp_path: Path) -> None:
    """A server whose digest is another one serves another model: that is bad input, with both digests."""
    digest = json.loads((impostor.version / MANIFEST).read_text())["digest"]
    done = Place(tmp_path).predict("check", str(impostor.version), "--server", impostor.address)
    assert done.returncode == 2
    assert done.stderr.strip() == (
        f"The model server at {impostor.address} serves another version 1 of colours: its digest is "
        f"{first.exported.manifest.digest}, and this one's {digest}."
    )


def test_given_fixtures_of_the_users_are_compared_too(impostor: Impostor, tmp_path: Path) -> None:
    """Images that a model's users gave to the export are part of the version, and of its check."""
    done = Place(tmp_path).predict("check", str(impostor.version), "--runs", str(impostor.runs), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["images"] == {"fixtures": 10, "given fixtures": 1}
    assert [row["images"] for row in rows_of(done).values()] == [0, 11, 11, 11]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--server", "127.0.0.1:9"], "The model server at 127.0.0.1:9 does not answer (UNAVAILABLE:"),
        (["--gateway", "http://127.0.0.1:9"], "No gateway responds at http://127.0.0.1:9 ("),
        (["--gateway", "127.0.0.1:9"], "No gateway responds at 127.0.0.1:9 ("),
        (["--data", "nowhere"], "There is no folder nowhere;"),
        (["--data", "."], ". has no images (JPEG, PNG, BMP or WebP);"),
        (["--bundle", "."], "No mobile bundle can be read at .:"),
    ],
)
def test_what_cannot_be_checked_is_one_clear_line(
    first: Publication, tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    """Bad input gives one line on standard error and exit code 2."""
    done = check(first, tmp_path, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith(sentence)
    assert len(done.stderr.strip().splitlines()) == 1


def test_bound_on_fixtures_is_the_versions_own_or_what_the_noise_gives_here(first: Publication, tmp_path: Path) -> None:
    """What the export let through is let through again; with the trained model, never less than its noise asks for."""
    fixtures = RecordedPredictions(first.folder, len(CLASSES)).images
    trained = TrainedModel(first.run, first.exported.manifest.image_input)
    (tmp_path / BLESSING).parent.mkdir()
    assert bound_on_fixtures(tmp_path, None, fixtures) == LEAST_BOUND  # a version without a blessing
    for said, without, with_model in ((3e-5, 3e-5, 3e-5), (None, LEAST_BOUND, LEAST_BOUND), (1e-7, 1e-7, LEAST_BOUND)):
        (tmp_path / BLESSING).write_text(first.exported.blessing.model_copy(update={"bound": said}).to_json())
        assert bound_on_fixtures(tmp_path, None, fixtures) == without
        assert bound_on_fixtures(tmp_path, trained, fixtures) == with_model


def test_changed_version_is_refused(first: Publication, tmp_path: Path) -> None:
    """A version whose files are not those of its manifest is not compared at all."""
    copy = shutil.copytree(first.folder, tmp_path / "models" / "colours" / "1")
    (copy / "assets" / "labels.txt").write_text("azure\ngreen\nred\n")
    refused = Place(tmp_path).refused("check", "models/colours/1")
    assert refused.startswith("The files of models/colours/1 do not have the digest in its manifest;")
