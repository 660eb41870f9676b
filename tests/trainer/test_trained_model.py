"""Runs on disk: saved whole, found again, refused with the names of those there are."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from contract.image_input import ImageInput
from contract.manifest import BaseWeights
from tests.pictures import encoded, solid
from trainer.config import TrainingConfig
from trainer.errors import RunNotFoundError
from trainer.trained_model import RunRecord, answer_pictures, find_run, read_run, save_run

START = datetime(2026, 11, 21, tzinfo=UTC)
INPUT = ImageInput(height=4, width=4, scale=1 / 255)


def record(name: str, ended: datetime = START) -> RunRecord:
    return RunRecord(
        id=name,
        name="colours",
        ended=ended,
        labels=("blue", "red"),
        image_input=INPUT,
        architecture="mobilenet_v2",
        base_weights=BaseWeights(source="none", digest=None),
        dataset_folder=Path("/data"),
        dataset_digest="sha256:00",
        pictures={"train": 1, "val": 1, "test": 1},
        test_pictures=(),
        kept_phase="from_scratch",
        code_version="0.1.0",
        metrics={},
    )


@pytest.fixture(scope="module")
def model() -> Any:
    """A model that answers with the shares of blue and red."""
    pictures = keras.Input((4, 4, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(pictures)
    dense = keras.layers.Dense(2, use_bias=False, activation="softmax")
    model = keras.Model(pictures, dense(pooled))
    dense.set_weights([np.array([[0, 5], [0, 0], [5, 0]], np.float32)])
    return model


def saved(runs: Path, name: str, model: Any, ended: datetime = START) -> None:
    save_run(runs, record(name, ended), TrainingConfig(), [], model)


def test_saved_run_is_read_back(tmp_path: Path, model: Any) -> None:
    """A run read from its folder has the record, the settings and the model that were saved."""
    saved(tmp_path, "one", model)
    run = read_run(tmp_path / "one")
    assert (run.record, run.config()) == (record("one"), TrainingConfig())
    pictures = np.random.default_rng(1).uniform(0, 1, (3, 4, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(run.load_model()(pictures), model(pictures))


def test_saved_run_is_never_replaced(tmp_path: Path, model: Any) -> None:
    """Of two runs that would have the same id both are kept, the second under an id with a number."""
    saved(tmp_path, "one", model)
    second = save_run(tmp_path, record("one", START + timedelta(days=1)), TrainingConfig(), [], model)
    assert read_run(tmp_path / "one").record.ended == START
    assert second.record.id == "one-2"
    assert read_run(tmp_path / "one-2") == second
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "one-2"]


def test_run_is_found_by_id_folder_and_as_latest(tmp_path: Path, model: Any) -> None:
    """A run is found by its id, by its folder, and as `latest` by when it ended, not by its name."""
    saved(tmp_path, "b", model, START)
    saved(tmp_path, "a", model, START + timedelta(hours=1))
    assert find_run("b", tmp_path) == tmp_path / "b"
    assert find_run(str(tmp_path / "b"), tmp_path / "elsewhere") == tmp_path / "b"
    assert find_run("latest", tmp_path) == tmp_path / "a"


def test_unknown_run_is_refused_with_those_there_are(tmp_path: Path, model: Any) -> None:
    """An unknown run is refused with the names of the known ones."""
    saved(tmp_path, "one", model)
    saved(tmp_path, "two", model)
    with pytest.raises(
        RunNotFoundError, match=r"^There is no run 'three' under .*; there are one, two\. `graft train` "
    ):
        find_run("three", tmp_path)


@pytest.mark.parametrize("name", ["latest", "one"])
def test_run_of_an_empty_folder_is_refused(tmp_path: Path, name: str) -> None:
    """Where there are no runs yet, any name is refused with that."""
    with pytest.raises(RunNotFoundError, match="there are none yet"):
        find_run(name, tmp_path / "runs")


def test_folder_that_holds_no_run_is_refused(tmp_path: Path) -> None:
    """A folder without a record is refused with the system's reason."""
    with pytest.raises(RunNotFoundError, match=r"^No run can be read at .*: No such file or directory\.$"):
        read_run(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", "[]"])
def test_record_that_cannot_be_understood_is_refused(tmp_path: Path, text: str) -> None:
    """A broken record is refused in one line with its path."""
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunNotFoundError, match=r"run\.json is no record of a run: ") as caught:
        read_run(tmp_path)
    assert "\n" not in str(caught.value)


def test_pictures_are_answered_as_the_served_model_answers(model: Any) -> None:
    """Each picture has its probabilities, and one that is none has zeros and is not valid."""
    contents = [encoded(solid((0, 0, 255)), "PNG"), b"no picture", encoded(solid((255, 0, 0)), "PNG")]
    answers = answer_pictures(model, INPUT, contents)
    assert answers.valid.tolist() == [True, False, True]
    likely = float(np.exp(5) / (np.exp(5) + 1))
    expected = np.array([[likely, 1 - likely], [0, 0], [1 - likely, likely]])
    np.testing.assert_allclose(answers.probabilities, expected, rtol=1e-4, atol=1e-7)
    assert answers.probabilities.dtype == np.float32
