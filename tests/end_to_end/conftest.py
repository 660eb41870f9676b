"""One small model for all of these tests, and one of flowers: each is trained and exported once a session."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.drawn.images import write_classes
from tests.end_to_end.command import Service, keep_lineage_in, must, must_as_process, started
from tests.places import DATA
from tests.sharing import made_once

WEIGHTS = DATA / "weights" / "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
FLOWERS: tuple[str | Path, ...] = ("--weights", WEIGHTS, "--alpha", "0.35")
SERVED = r"Serving at (http://[\d.]+:\d+)"


@dataclass(frozen=True)
class Trained:
    """A trained and exported model with its folders."""

    name: str
    runs: Path
    models: Path

    @cached_property
    def run(self) -> Path:
        """The folder of the newest run."""
        return max(path.parent for path in self.runs.glob(f"*-{self.name}/run.json"))

    @cached_property
    def record(self) -> dict[str, Any]:
        """What the newest run says of itself."""
        record: dict[str, Any] = json.loads((self.run / "run.json").read_text())
        return record


@pytest.fixture(scope="session")
def shared_lineage(shared_folder: Path) -> None:
    """Let the verbs of all workers record their work in one place."""
    keep_lineage_in(shared_folder)


@pytest.fixture(scope="session")
def colours(shared_folder: Path, shared_lineage: None) -> Trained:
    """Train and export a model of three colours, on images drawn here, from scratch."""
    folder = shared_folder / "colours"
    made_once(folder, _make_colours)
    return Trained("colours", folder / "runs", folder / "models")


def _make_colours(folder: Path) -> None:
    data = write_classes(folder / "data", per_class=20)
    settings = {
        "model.alpha": 0.35,
        "model.image_size": 64,
        "head.units": [16],
        "head.dropout": [0.0],
        "data.batch_size": 8,
        "phase_one.epochs": 15,  # with fewer it would answer 1/3 to everything, and every comparison would hold
        "phase_one.patience": 15,
    }
    assignments = [argument for key, value in settings.items() for argument in ("--set", f"{key}={value}")]
    must_as_process("train", data, "--name", "colours", "--runs", folder / "runs", "--weights", "none", *assignments)
    must("export", "latest", "--runs", folder / "runs", "--models", folder / "models")


@pytest.fixture(scope="session")
def colours_service(colours: Trained) -> Iterator[Service]:
    """Serve the model of colours."""
    with started("up", "--models", colours.models, "--port", "0", announces=SERVED) as service:
        yield service


@pytest.fixture(scope="session")
def flowers(shared_folder: Path, shared_lineage: None) -> Trained:
    """Fine-tune MobileNetV2 0.35 at 224 px on real photographs from ImageNet weights, and export it."""
    if not WEIGHTS.is_file():
        pytest.skip(f"no photographs and ImageNet weights at {DATA} (set GRAFT_DATA)")
    folder = shared_folder / "flowers"
    made_once(folder, _make_flowers)
    return Trained("flowers", folder / "runs", folder / "models")


def _make_flowers(folder: Path) -> None:
    must("train", DATA / "flowers", "--name", "flowers", *FLOWERS, "--runs", folder / "runs")
    must("export", "latest", "--runs", folder / "runs", "--models", folder / "models")


@pytest.fixture(scope="session")
def flowers_service(flowers: Trained) -> Iterator[Service]:
    """Serve the model of flowers."""
    with started("up", "--models", flowers.models, "--port", "0", announces=SERVED) as service:
        yield service
