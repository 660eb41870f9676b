"""From a folder of labelled images to a run on disk: the whole story, with the real network."""

import json
import tomllib
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from contract.digests import digest_of_file
from exporter.proof.fixtures import choose_fixtures
from tests.drawn.images import write_classes
from tests.trainer.conftest import SMALLEST, Trained
from trainer.config import read_config
from trainer.data.image_folder import SPLITS, find_images
from trainer.models.architectures import BASE
from trainer.models.defaults import fill_in
from trainer.progress import Progress
from trainer.runs.data_split import split_as_trained
from trainer.runs.lineage_entry import describe_run
from trainer.runs.record import WITHOUT_TEST, find_run
from trainer.runs.trained_model import decode_each, digest_of_tensors, predict_decoded, read_run
from trainer.train import train


def variables_of_base(trained: Trained) -> dict[str, Any]:
    base = trained.run.load_model().get_layer(BASE)
    return {f"{layer.name}/{variable.name}": variable.numpy() for layer in base.layers for variable in layer.variables}


def test_run_folder_is_complete(from_scratch: Trained) -> None:
    """A run has its model, record, settings, history and metrics in one folder named by its id, and nothing else."""
    run = from_scratch.run
    assert run.folder == from_scratch.runs / run.record.id
    assert {path.name for path in run.folder.iterdir()} == {
        "config.toml",
        "history.json",
        "metrics.json",
        "model.keras",
        "predictions.csv",
        "report.html",
        "run.json",
    }


def test_record_says_how_the_run_came_to_be(from_scratch: Trained) -> None:
    """The record names labels, data, base and code, and counts the images that were really used."""
    record = from_scratch.run.record
    found = find_images(from_scratch.data, from_scratch.config.data, from_scratch.config.seed)
    assert record.labels == ("blue", "green", "red")
    assert record.dataset_digest == found.digest()
    assert record.dataset_folder == from_scratch.data.resolve()
    assert (record.base_weights.source, record.base_weights.digest) == ("none", None)
    assert (record.image_input.height, record.image_input.width, record.image_input.offset) == (32, 32, -1.0)
    assert sum(record.images.values()) == sum(len(found.images[split]) for split in SPLITS) - 1
    assert record.id.endswith("-colours")
    assert record.code_version.startswith("0.")


def test_record_lists_the_test_images_with_their_classes(from_scratch: Trained) -> None:
    """The images of the test split are named with absolute paths and true labels."""
    images = from_scratch.run.record.test_images
    assert len(images) == from_scratch.run.record.images["test"]
    assert all(image.path.is_absolute() and image.path.is_file() for image in images)
    assert all(image.label == image.path.parent.name for image in images)


def test_files_of_the_run_agree_with_each_other(from_scratch: Trained) -> None:
    """Settings, history and metrics on disk are those of the run."""
    run = from_scratch.run
    assert run.config() == fill_in(from_scratch.config)
    assert tomllib.loads((run.folder / "config.toml").read_text())["model"]["alpha"] == 0.1
    history = json.loads((run.folder / "history.json").read_text())
    assert [(epoch["phase"], epoch["number"]) for epoch in history] == [("from_scratch", 1), ("from_scratch", 2)]
    assert [epoch["val_loss"] for epoch in history] == [epoch.val_loss for epoch in from_scratch.heard.epochs]
    assert json.loads((run.folder / "metrics.json").read_text()) == run.record.metrics
    assert read_run(run.folder) == run


def test_metrics_are_of_the_saved_model(from_scratch: Trained) -> None:
    """The test's metrics count its images, and the validation's are those of the best epoch."""
    metrics = from_scratch.run.record.metrics
    assert metrics["test"]["images"] == from_scratch.run.record.images["test"]
    assert sum(of_class["images"] for of_class in metrics["test"]["per_class"].values()) == metrics["test"]["images"]
    assert metrics["validation"]["images"] == from_scratch.run.record.images["val"]
    assert metrics["phases"][0]["epochs"] == len(from_scratch.heard.epochs)


def test_a_person_is_told_what_was_found_and_left_out(from_scratch: Trained) -> None:
    """The notes count classes and images, name the broken one, and say that there is one phase."""
    found, broken, scratch = from_scratch.heard.notes
    assert "3 classes (blue, green, red)" in found
    assert broken.startswith("left out, ")
    assert broken.endswith(f": {from_scratch.data / 'red' / '00.jpg'}")
    assert scratch == "No base weights: training every layer from scratch, in one phase."


def test_few_frames_lie_between_train_and_keras(from_scratch: Trained, fine_tuned: Trained) -> None:
    """From `train`, which counts, to the Keras function that trains there are at most six functions of ours."""
    one, two = fine_tuned.heard.frames["phase_one"], fine_tuned.heard.frames["phase_two"]
    for frames in (from_scratch.heard.frames["from_scratch"], one, two):
        assert frames[0] == "train"
        assert len(frames) <= 6, frames


def test_fine_tuned_run_names_the_run_it_started_from(from_scratch: Trained, fine_tuned: Trained) -> None:
    """A run that is fine-tuned from another names it, with a digest of the base, and has both phases in its history."""
    base_weights = fine_tuned.run.record.base_weights
    assert base_weights.source == f"run:{from_scratch.run.record.id}"
    assert base_weights.digest is not None
    assert base_weights.digest.startswith("sha256:")
    phases = [epoch.phase for epoch in fine_tuned.heard.epochs]
    assert phases[:3] == ["phase_one", "phase_one", "phase_two"]  # then those of a baseline
    assert fine_tuned.run.record.dataset_digest == from_scratch.run.record.dataset_digest


def test_fine_tuning_moves_only_the_last_layers_of_the_real_network(from_scratch: Trained, fine_tuned: Trained) -> None:
    """In MobileNetV2 every BatchNorm and every layer before the last N stay as they were, to the bit."""
    before, after = variables_of_base(from_scratch), variables_of_base(fine_tuned)
    moved = {name.split("/")[0] for name in before if not np.array_equal(before[name], after[name])}
    layers = fine_tuned.run.load_model().get_layer(BASE).layers
    norms = {layer.name for layer in layers if isinstance(layer, keras.layers.BatchNormalization)}
    last = {layer.name for layer in layers[-8:]}
    assert len(norms) == 52
    assert moved <= last - norms
    assert moved or fine_tuned.run.record.kept_phase == "phase_one"


def test_newest_run_is_the_latest(from_scratch: Trained, fine_tuned: Trained) -> None:
    """`latest` is the run that ended last."""
    assert find_run("latest", from_scratch.runs) == fine_tuned.run.folder


def test_baselines_are_measured_on_the_same_images(fine_tuned: Trained) -> None:
    """A linear probe and the network from scratch are tested with the model's images, and compared with it."""
    metrics = fine_tuned.run.record.metrics
    assert set(metrics["baselines"]) == {"features", "scratch"}
    for baseline in metrics["baselines"].values():
        assert baseline["images"] == metrics["test"]["images"]
        low, high = baseline["accuracy_interval"]
        assert low <= baseline["accuracy"] <= high
        assert 0 <= baseline["versus_model"]["p_value"] <= 1
    page = (fine_tuned.run.folder / "report.html").read_text()
    assert "linear probe" in page
    assert "from scratch" in page


def test_tensorboard_can_read_the_curves(fine_tuned: Trained) -> None:
    """The logs hold loss and accuracy of every epoch of both phases, numbered through."""
    for name in ("train", "validation"):
        events = EventAccumulator(str(fine_tuned.run.folder / "tensorboard" / name)).Reload()
        for tag in ("loss", "accuracy"):
            steps = [scalar.step for scalar in events.Tensors(tag)]
            assert steps == [1, 2, 3]


def test_run_is_recorded_with_its_origin(from_scratch: Trained) -> None:
    """What lineage records of a run names its data set with every image, its base, weights and settings."""
    run = from_scratch.run
    found = find_images(from_scratch.data, from_scratch.config.data, from_scratch.config.seed)
    entry = describe_run(run.folder, run.record, found)
    assert (entry.id, entry.weights_digest) == (run.record.id, run.record.weights_digest)
    assert entry.data_set.digest == run.record.dataset_digest
    assert len(entry.data_set.images) == 36  # the broken one too: it is part of the data set
    assert entry.base.source == "none"
    assert entry.configuration["model"]["alpha"] == 0.1
    assert entry.model_digest == digest_of_file(run.folder / "model.keras")


def test_saved_model_is_calibrated(from_scratch: Trained) -> None:
    """The saved model answers the test images with the probabilities that its metrics were measured on."""
    run = from_scratch.run
    image_input = run.record.image_input
    contents = [image.path.read_bytes() for image in run.record.test_images]
    outputs = predict_decoded(run.load_model(), image_input, decode_each(image_input, contents))
    labels = [run.record.labels.index(image.label) for image in run.record.test_images]
    of_truth = outputs.probabilities[np.arange(len(labels)), labels]
    assert float(-np.log(of_truth).mean()) == pytest.approx(run.record.metrics["test"]["cross_entropy"], rel=1e-4)
    assert run.record.weights_digest == digest_of_tensors(run.load_model().get_weights())


@pytest.mark.slow
def test_a_run_without_a_test_split(tmp_path: Path) -> None:
    """It is judged on its validation images, says so in its record and report, and is found again split as it was."""
    data = write_classes(tmp_path / "data", 6)
    config = read_config(None, {**SMALLEST, "model.weights": "none", "phase_one.epochs": 1, "data.test_split": False})
    run = train(data, "colours", config, tmp_path / "runs", Progress())
    record, labels = run.record, run.record.labels
    assert (record.images, record.judged_on) == ({"train": 15, "val": 3}, "validation")
    assert [image.label for image in record.held_out_images] == sorted(labels)
    assert set(record.metrics) == {"validation", "calibration", "phases", "baselines"}
    assert WITHOUT_TEST in record.notes
    assert WITHOUT_TEST in (run.folder / "report.html").read_text()
    assert record.reference is not None
    assert record.reference.images == 3
    again = split_as_trained(data, run.config().model_dump(mode="json"))
    assert again.images.digest() == record.dataset_digest
    assert len(choose_fixtures(record.held_out_images)) == 5
