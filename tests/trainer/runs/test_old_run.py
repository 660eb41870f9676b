"""A run that was trained before fields and modules were renamed: it is still listed, read, compared and resumed.

The files in `old_run` were written by the code of that time and are never renamed.
"""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from graft.actions.runs.comparing import compare_runs, show_run
from trainer.evaluation.comparison import shared_test_images
from trainer.evaluation.predictions_file import read_predictions
from trainer.run_folder import reopened_run
from trainer.runs.record import PREDICTIONS, find_run, list_runs, read_record, read_settings

OLD = Path(__file__).parent / "old_run"
FINISHED = ("run.json", "metrics.json", "history.json", "config.toml", "predictions.csv")


def old_json(name: str) -> dict[str, object]:
    content: dict[str, object] = json.loads((OLD / name).read_text())
    return content


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder of runs with the old one, as it lay on disk when it had ended."""
    folder = tmp_path / "runs" / str(old_json("run.json")["id"])
    folder.mkdir(parents=True)
    for name in FINISHED:
        shutil.copy(OLD / name, folder)
    return tmp_path / "runs"


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    """An old run that was interrupted in phase two: its settings, start, first weights and last epoch."""
    folder = tmp_path / "interrupted"
    (folder / "checkpoint").mkdir(parents=True)
    shutil.copy(OLD / "config.toml", folder)
    shutil.copy(OLD / "checkpoint" / "start.json", folder / "checkpoint")
    first: dict[str, Any] = {"00000": np.ones(2, np.float32)}
    np.savez(folder / "checkpoint" / "start.npz", **first)
    position = np.frombuffer((OLD / "checkpoint" / "position.json").read_bytes(), np.uint8)
    arrays: dict[str, Any] = {
        f"{name}/00000": np.full(3, 2, np.float32) for name in ("current", "best", "before", "optimizer")
    }
    np.savez(folder / "checkpoint" / "epoch.npz", position=position, **arrays)
    return folder


def test_the_record_of_an_old_run_is_read(runs: Path) -> None:
    """Its record has all that was written: labels, counts, test images, gate, reference and metrics."""
    assert [folder.name for folder in list_runs(runs)] == [old_json("run.json")["id"]]
    record = read_record(find_run("latest", runs))
    assert record.labels == ("blue", "green", "red")
    assert record.images == {"train": 24, "val": 6, "test": 5}
    assert [image.path.parent.name == image.label for image in record.test_images] == [True] * 5
    assert record.gate is not None
    assert record.gate.forced
    assert record.reference is not None
    assert (record.reference.images, record.kept_phase) == (5, "phase_one")
    assert record.metrics["test"]["accuracy"] == 0.4


def test_the_settings_of_an_old_run_are_read(runs: Path) -> None:
    """Its configuration file is valid, so that the run can be repeated and exported."""
    config = read_settings(find_run("latest", runs))
    assert (config.seed, config.data.test_share, config.model.alpha) == (1, 0.15, 0.1)
    assert config.phase_two.unfreeze == (8,)


def test_the_predictions_of_an_old_run_are_read(runs: Path) -> None:
    """Its predictions are compared image by image with those of another run."""
    rows = read_predictions(find_run("latest", runs) / PREDICTIONS)
    assert {row.split for row in rows} == {"val", "test"}
    assert sum(shared_test_images(rows, rows).a_right) == 2


def test_an_old_run_is_shown_and_compared(runs: Path) -> None:
    """`graft runs show` and `graft runs compare` find its accuracy, its classes and its images."""
    shown = Console(file=io.StringIO(), width=200)
    name = str(old_json("run.json")["id"])
    show_run(runs, name, shown)
    compare_runs(runs, name, name, shown)
    text = shown.file.getvalue()  # type: ignore[attr-defined]  # it is a StringIO
    assert "40.0 %" in text
    assert "5 shared test" in text


def test_an_old_run_is_resumed(interrupted: Path) -> None:
    """Its checkpoint says where it stopped: in phase two, after three epochs, with its weights."""
    with reopened_run(str(interrupted), interrupted.parent) as folder:
        assert (folder.start.name, folder.start.data) == ("colours", Path("/data/colours"))
        assert [weights.tolist() for weights in folder.first_weights()] == [[1, 1]]
        position, arrays = folder.checkpoint.load()
    assert [epoch.phase for epoch in position.epochs] == ["phase_one", "phase_one", "phase_two"]
    assert {epoch.images for epoch in position.epochs} == {24}
    assert position.stage is not None
    assert (position.stage.stage.unfrozen, position.stage.epoch) == (8, 1)
    assert set(arrays) == {"current", "best", "before", "optimizer"}
