"""Memory that a large data set needs."""

import resource
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.command import graft_process, must

IMAGES = 20_000
CLASSES = ("coarse", "fine")
MOST_KILOBYTES = 3 * 2**20
KILOBYTES_OF_PIXELS = IMAGES * 224 * 224 * 3 / 1024


def write_images(folder: Path) -> Path:
    """Draw noise in coarse and in fine patches, every image another."""
    random = np.random.default_rng(1)
    for name, side in zip(CLASSES, (4, 12), strict=True):
        (folder / name).mkdir(parents=True)
        for index in range(IMAGES // len(CLASSES)):
            patches = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
            Image.fromarray(patches).resize((96, 96), Image.Resampling.NEAREST).save(folder / name / f"{index:05d}.jpg")
    return folder


@pytest.mark.slow  # half an hour
@pytest.mark.timeout(3600)
def test_twenty_thousand_images_train_within_three_gigabytes(tmp_path: Path) -> None:
    """A data set whose decoded images take 2.9 GB trains in both phases within 3 GB of resident memory."""
    data = write_images(tmp_path / "data")
    settings = {"phase_one.epochs": 2, "phase_two.epochs": 1, "gate.force": "true", "data.allow_leakage": "true"}
    assignments = [argument for key, value in settings.items() for argument in ("--set", f"{key}={value}")]
    weights = ("--weights", _base(tmp_path))
    runs = ("--runs", tmp_path / "runs")
    done = graft_process(
        "train", data, "--name", "many", "--alpha", "0.35", *weights, *runs, *assignments, timeout=3000
    )
    assert done.returncode == 0, done.stdout + done.stderr
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # of the largest child, in kilobytes
    print(f"resident at most {used / 2**20:.2f} GB; decoded images {KILOBYTES_OF_PIXELS / 2**20:.2f} GB")  # noqa: T201
    assert used < MOST_KILOBYTES


def _base(folder: Path) -> Path:
    """Train the base on a few images: what it knows does not matter here."""
    few = folder / "few"
    for name in CLASSES:
        (few / name).mkdir(parents=True)
        for file in sorted((folder / "data" / name).iterdir())[:8]:
            (few / name / file.name).symlink_to(file)
    scratch = ("--weights", "none", "--set", "phase_one.epochs=1", "--set", "data.allow_leakage=true")
    must("train", few, "--name", "base", "--alpha", "0.35", *scratch, "--runs", folder / "bases")
    (run,) = (path.parent for path in (folder / "bases").glob("*/run.json"))
    return run
