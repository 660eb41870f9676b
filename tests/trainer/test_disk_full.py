"""A run whose disk gets full: it says where and how much, leaves nothing that blocks, and goes on with --resume."""

from pathlib import Path

import numpy as np
import pytest

from contract.manifest import BaseWeights
from tests.drawn.images import write_classes
from tests.tiny_disk import fill, tiny_disk
from tests.trainer.conftest import SMALLEST, Listening
from trainer.config import TrainingConfig, read_config
from trainer.errors import StorageError
from trainer.progress import Epoch
from trainer.run_folder import Start, begun_run, now
from trainer.runs.record import unfinished_runs
from trainer.runs.room import check_room
from trainer.train import resume, train

ALWAYS_FULL = Path("/dev/full")
START = Start(
    name="x",
    started=now(),
    data=Path("data"),
    dataset_digest="sha256:0",
    base_weights=BaseWeights(source="none", digest=None),
)


class FillingUp(Listening):
    """Makes the disk full for the next checkpoint, as soon as the first epoch is saved."""

    def __init__(self, runs: Path) -> None:
        super().__init__()
        self._runs = runs

    def on_epoch(self, epoch: Epoch) -> None:
        """Let the next checkpoint be written where nothing fits."""
        super().on_epoch(epoch)
        (folder,) = self._runs.iterdir()
        (folder / "checkpoint" / ".epoch.npz").symlink_to(ALWAYS_FULL)


@pytest.mark.slow  # a run from scratch, in two parts
@pytest.mark.skipif(not ALWAYS_FULL.exists(), reason="there is no device here that is always full")
def test_a_run_goes_on_when_there_is_room_again(tmp_path: Path) -> None:
    """A checkpoint without room ends the run with folder, need and what to do; resumed, it has all of its epochs."""
    data, runs = write_classes(tmp_path / "data", per_class=8), tmp_path / "runs"
    heard = FillingUp(runs)
    config = read_config(None, SMALLEST | {"model.weights": "none"})
    with pytest.raises(StorageError) as caught:
        train(data, "colours", config, runs, heard)
    (folder,) = unfinished_runs(runs)
    assert str(caught.value).startswith(f"The disk of {folder} is full: ")
    assert str(caught.value).endswith(
        f"MB needed; every finished epoch is saved: make room, and graft train --resume {folder} goes on."
    )
    run = resume(str(folder), runs, Listening())
    assert [epoch.number for epoch in heard.epochs] == [1]
    assert (run.folder / "history.json").read_text().count('"number"') == 2
    assert unfinished_runs(runs) == []


def test_too_little_room_is_said_before_anything_is_decoded(tmp_path: Path) -> None:
    """A run that cannot fit is refused as soon as its network is known, and leaves nothing."""
    data = write_classes(tmp_path / "data", per_class=8)
    config = read_config(None, SMALLEST | {"model.weights": "none"})
    with tiny_disk(tmp_path / "disk", 1_000_000) as runs:
        with pytest.raises(
            StorageError, match=r"disk has too little room: 1\.0 MB free, .* needed for checkpoints and"
        ):
            train(data, "colours", config, runs, Listening())
        assert list(runs.iterdir()) == []


def test_a_run_that_cannot_begin_leaves_nothing(tmp_path: Path) -> None:
    """Where the first files of a run have no room, no folder is left that could not be resumed."""
    weights = [np.zeros(1000, np.float32)]
    with tiny_disk(tmp_path / "disk", 200_000) as runs:
        fill(runs)
        with (
            pytest.raises(StorageError, match=r"is full: 0\.0 MB free, 0\.0 MB needed; no run was begun"),
            begun_run(runs, START, TrainingConfig(), weights),
        ):
            pass
        assert [path.name for path in runs.iterdir()] == ["filler"]


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        ("/proc/nowhere", "/proc/nowhere cannot be written"),
        ("/dev/null", "/dev/null is not a folder, and cannot become one; no run was begun"),
        ("/dev/null/runs", "/dev/null/runs is not a folder, and cannot become one; no run was begun"),
    ],
)
def test_a_folder_that_cannot_be_written_is_refused(runs: str, sentence: str) -> None:
    """What cannot hold runs is refused before TensorFlow starts."""
    with pytest.raises(StorageError) as caught:
        check_room(Path(runs))
    assert str(caught.value).startswith(sentence)
