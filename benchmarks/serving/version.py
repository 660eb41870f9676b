"""The version that `bench_serving` serves: trained, exported and published by the commands that people use."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.photographs import draw, encode
from contract.versions import published_versions

NAME = "bench"
WEIGHTS = "mobilenet_v2_1.0_224_no_top.coral_int8_dequant.h5"
SMALL = ("--alpha", "0.35", "--image-size", "96", "--weights", "none", "--set", "data.batch_size=8")
_EPOCHS = 8
_NO_SECOND_PHASE = "gate.max_val_loss=1e-6"
_DRAWN_CLASSES, _DRAWN_PER_CLASS = "abcde", 12


class PreparationError(Exception):
    """The version to measure cannot be had; the message says why."""


@dataclass(frozen=True)
class Prepared:
    """A published version, and the run that it was made from."""

    models: Path
    name: str
    run: Path

    @property
    def version(self) -> Path:
        """The folder of the newest version."""
        base_path = self.models / self.name
        if not (numbers := published_versions(base_path)):
            raise PreparationError(f"There is no published version under {base_path}; `graft export` makes one.")
        return base_path / str(numbers[-1])


def prepare(folder: Path, data: Path, *, small: bool) -> Prepared:
    """Train a head on MobileNetV2 and export it to `folder`, or find what lies there from an earlier time.

    MobileNetV2 of width 1.0 at 224 pixels with weights from `data`, where they and photographs are; `small` takes
    another width and fewer pixels, which is quick and says nothing about speed.
    """
    prepared = Prepared(folder / "models", NAME, folder / "run")
    if not prepared.run.exists():
        images = data / "flowers"
        if small or not images.is_dir():
            images = draw_classes(folder / "images")
        weights = data / "weights" / WEIGHTS
        base = ("--weights", str(weights)) if weights.is_file() else ("--weights", "none")
        epochs = _EPOCHS if weights.is_file() and not small else 1
        settings = ("--set", f"phase_one.epochs={epochs}", "--set", _NO_SECOND_PHASE)
        runs = folder / "runs"
        model = SMALL if small else base
        run_graft(folder, "train", str(images), "--name", NAME, "--runs", str(runs), *model, *settings)
        run_graft(folder, "export", "latest", "--runs", str(runs), "--models", str(prepared.models))
        newest = max(path.parent for path in runs.glob(f"*-{NAME}/run.json"))  # an earlier export may have failed
        prepared.run.symlink_to(newest.resolve())
    return prepared


def draw_classes(folder: Path) -> Path:
    """Write a few drawn images of five classes to `folder/CLASS/`, and return `folder`."""
    for number, name in enumerate(_DRAWN_CLASSES):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(_DRAWN_PER_CLASS):
            content = encode(draw(1000 * number + index))
            (folder / name / f"{index:02d}.jpg").write_bytes(content)
    return folder


def write_unfolded(run: Path, folder: Path, flags: Sequence[str]) -> None:
    """Write the run's model as tutorials export it, in a process of its own, if it is not there.

    Raises:
        PreparationError: it did not work.
    """
    if not folder.exists():
        unfinished = folder.with_name(f".unfinished-{folder.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        _must(
            [sys.executable, "-m", "benchmarks.engines.unfolded_model", str(run), str(unfinished), *flags],
            "unfolded_model",
        )
        unfinished.rename(folder)


def run_graft(folder: Path, *arguments: str) -> None:
    """Run a verb of `graft`, with a lineage of its own in `folder`.

    Raises:
        PreparationError: it did not work.
    """
    lineage = {"GRAFT_LINEAGE_URL": f"sqlite:///{folder.resolve()}/lineage.db"}
    _must([sys.executable, "-m", "graft", *arguments], f"graft {arguments[0]}", lineage)


def _must(command: Sequence[str], what: str, environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | (environment or {}), check=False)
    if done.returncode:
        raise PreparationError(f"`{what}` failed: {' '.join((done.stdout + done.stderr).splitlines()[-3:])}")
