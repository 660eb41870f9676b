"""Runs on disk: begun, complete in one step, found again, refused with the names of those there are."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from contract.image_input import ImageInput
from contract.manifest import BaseWeights
from tests.drawn.images import encoded, solid
from trainer.config import TrainingConfig
from trainer.errors import RunNotFoundError
from trainer.run_folder import Start, begun_run, reopened_run
from trainer.runs.record import (
    CHECKPOINT,
    MODEL,
    RECORD,
    RunRecord,
    find_run,
    find_run_by_id,
    list_runs,
    unfinished_runs,
)
from trainer.runs.trained_model import Run, decode_each, digest_of_tensors, predict_decoded, read_run

STARTED = datetime(2026, 11, 21, tzinfo=UTC)
INPUT = ImageInput(height=4, width=4, scale=1 / 255)
START = Start(
    name="colours",
    started=STARTED,
    data=Path("/data"),
    dataset_digest="sha256:00",
    base_weights=BaseWeights(source="none", digest=None),
)


def record(run: str, ended: datetime = STARTED) -> RunRecord:
    return RunRecord(
        id=run,
        name="colours",
        started=STARTED,
        ended=ended,
        labels=("blue", "red"),
        image_input=INPUT,
        architecture="mobilenet_v2",
        base_weights=START.base_weights,
        dataset_folder=START.data,
        dataset_digest=START.dataset_digest,
        images={"train": 1, "val": 1, "test": 1},
        test_images=(),
        kept_phase="from_scratch",
        weights_digest="sha256:00",
        code_version="0.1.0",
        metrics={},
    )


@pytest.fixture(scope="module")
def model() -> Any:
    """A model that answers with the shares of blue and red."""
    images = keras.Input((4, 4, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(images)
    dense = keras.layers.Dense(2, use_bias=False, activation="softmax")
    model = keras.Model(images, dense(pooled))
    dense.set_weights([np.array([[0, 5], [0, 0], [5, 0]], np.float32)])
    return model


def saved(runs: Path, model: Any, ended: datetime = STARTED) -> Run:
    with begun_run(runs, START, TrainingConfig(), model.get_weights()) as folder:
        model.save(folder.path / MODEL, include_optimizer=False)
        folder.complete(record(folder.path.name, ended), {})
    return read_run(folder.path)


def begun(runs: Path, model: Any) -> Path:
    with begun_run(runs, START, TrainingConfig(), model.get_weights()) as folder:
        return folder.path


def test_saved_run_is_read_back(tmp_path: Path, model: Any) -> None:
    """A run read from its folder has the record, the settings and the model that were saved, and no checkpoint."""
    run = saved(tmp_path, model)
    assert (run.record, run.config()) == (record(run.folder.name), TrainingConfig())
    images = np.random.default_rng(1).uniform(0, 1, (3, 4, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(run.load_model()(images), model(images))
    assert sorted(path.name for path in run.folder.iterdir()) == ["config.toml", "model.keras", "run.json"]


def test_runs_of_the_same_second_have_folders_of_their_own(tmp_path: Path, model: Any) -> None:
    """Two runs of one name that begin together have two ids, which say when they began and what they are called."""
    one, other = saved(tmp_path, model), saved(tmp_path, model)
    assert one.folder != other.folder
    assert all(run.record.id == run.folder.name for run in (one, other))
    assert one.folder.name.startswith("20261121-000000-")
    assert one.folder.name.endswith("-colours")


def test_run_is_found_by_id_folder_and_as_latest(tmp_path: Path, model: Any) -> None:
    """A run is found by its id, by its folder, and as `latest` by when it ended, not by its name."""
    late = saved(tmp_path, model, STARTED + timedelta(hours=1))
    early = saved(tmp_path, model)
    assert find_run(early.folder.name, tmp_path) == early.folder
    assert find_run(str(early.folder), tmp_path / "elsewhere") == early.folder
    assert find_run("latest", tmp_path) == late.folder
    assert list_runs(tmp_path) == sorted([early.folder, late.folder])


def test_run_is_found_by_its_name_and_by_the_beginning_of_its_id(tmp_path: Path, model: Any) -> None:
    """The last run of a name is found, and one whose id alone begins so; where several do, they are named."""
    early, late = saved(tmp_path, model), saved(tmp_path, model, STARTED + timedelta(days=1))
    assert find_run("colours", tmp_path) == late.folder
    assert find_run(early.folder.name[:-3], tmp_path) == early.folder
    assert find_run(late.folder.name[:-3], tmp_path) == late.folder
    with pytest.raises(RunNotFoundError, match=r"^2 runs begin with '20261121': .*; give more of the id\.$"):
        find_run("20261121", tmp_path)
    for beginning in ("", "20261121"):
        with pytest.raises(RunNotFoundError, match="There is no run"):
            find_run_by_id(beginning, tmp_path)


def test_unknown_run_is_refused_with_those_there_are(tmp_path: Path, model: Any) -> None:
    """An unknown run is refused with the names of the known ones."""
    names = sorted(saved(tmp_path, model).folder.name for _ in range(2))
    with pytest.raises(RunNotFoundError) as caught:
        find_run("three", tmp_path)
    assert f"There is no run 'three' under {tmp_path}; the last runs are {', '.join(names)}. `graft train`" in str(
        caught.value
    )


@pytest.mark.parametrize("name", ["latest", "one"])
def test_run_of_an_empty_folder_is_refused(tmp_path: Path, name: str) -> None:
    """Where there are no runs yet, any name is refused with that."""
    with pytest.raises(RunNotFoundError, match="there are none yet"):
        find_run(name, tmp_path / "runs")


def test_unfinished_run_is_no_run_yet(tmp_path: Path, model: Any) -> None:
    """A run that was begun and not completed is not listed, and whoever asks for it is told how to continue it."""
    path = begun(tmp_path, model)
    assert list_runs(tmp_path) == []
    assert unfinished_runs(tmp_path) == [path]
    with pytest.raises(RunNotFoundError, match=f"is not finished; continue it with graft train --resume {path.name}"):
        find_run(path.name, tmp_path)


def test_interrupted_run_is_reopened_with_what_it_began_with(tmp_path: Path, model: Any) -> None:
    """A run that was interrupted is opened by id, by folder and as `latest`, with its beginning and first weights."""
    path = begun(tmp_path, model)
    for name, runs in ((path.name, tmp_path), (str(path), tmp_path / "elsewhere"), ("latest", tmp_path)):
        with reopened_run(name, runs) as folder:
            assert (folder.path, folder.start) == (path, START)
            for first, weight in zip(folder.first_weights(), model.get_weights(), strict=True):
                np.testing.assert_array_equal(first, weight)


def test_run_cannot_be_trained_twice_at_once(tmp_path: Path, model: Any) -> None:
    """A run that a process has open is refused to another."""
    with (
        begun_run(tmp_path, START, TrainingConfig(), model.get_weights()) as folder,
        pytest.raises(RunNotFoundError, match="is being trained by another process"),
        reopened_run(folder.path.name, tmp_path),
    ):
        pytest.fail("it was opened twice")


def test_only_an_interrupted_run_can_be_resumed(tmp_path: Path, model: Any) -> None:
    """A finished run, one that had not begun, and a name of none are each refused in a sentence."""
    finished = saved(tmp_path, model)
    (tmp_path / "early" / CHECKPOINT).mkdir(parents=True)
    for name, message in (
        (finished.folder.name, "is finished; there is nothing to resume"),
        ("early", "was interrupted before its first epoch; start it again"),
        ("none", "There is no interrupted run 'none' under .*; interrupted runs: early"),
    ):
        with pytest.raises(RunNotFoundError, match=message), reopened_run(name, tmp_path):
            pytest.fail("it was opened")


def test_folder_that_holds_no_run_is_refused(tmp_path: Path) -> None:
    """A folder without a record is refused with the system's reason."""
    with pytest.raises(RunNotFoundError, match=r"^No run can be read at .*: No such file or directory\.$"):
        read_run(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[]"])
def test_record_that_cannot_be_understood_is_refused(tmp_path: Path, text: str) -> None:
    """A broken record is refused in one line with its path."""
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(RunNotFoundError, match=r"run\.json is not the record of a run: ") as caught:
        read_run(tmp_path)
    assert "\n" not in str(caught.value)


def test_digest_of_tensors_is_of_values_and_order(model: Any) -> None:
    """The digest of a model's tensors changes with one bit of one value, and with their order."""
    one, two = np.arange(4, dtype=np.float32), np.ones((2, 3), np.float32)
    changed = one.copy()
    changed[0] = np.nextafter(changed[0], np.float32(1))
    digests = {digest_of_tensors(tensors) for tensors in ([one, two], [two, one], [changed, two])}
    assert len(digests) == 3
    assert digest_of_tensors([one, two.T.copy().T]) == digest_of_tensors([one, two])


def test_images_are_answered_as_the_served_model_answers(model: Any) -> None:
    """Each image has its probabilities, and one that is none has zeros and is not valid."""
    contents = [encoded(solid((0, 0, 255)), "PNG"), b"no image", encoded(solid((255, 0, 0)), "PNG")]
    predictions = predict_decoded(model, INPUT, decode_each(INPUT, contents))
    assert predictions.valid.tolist() == [True, False, True]
    likely = float(np.exp(5) / (np.exp(5) + 1))
    expected = np.array([[likely, 1 - likely], [0, 0], [1 - likely, likely]])
    np.testing.assert_allclose(predictions.probabilities, expected, rtol=1e-4, atol=1e-7)
    assert predictions.probabilities.dtype == np.float32
