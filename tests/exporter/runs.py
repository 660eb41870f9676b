"""A run whose model answers differently for different pictures, made without training.

A network with untouched BatchNorm statistics answers 1/C whatever it sees, so that every comparison of two such
networks succeeds; here the statistics are those of pictures.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np

from contract.manifest import BaseWeights
from tests.pictures import COLOURS, speckled, write_classes
from trainer.architectures import BASE, batch_norms, image_input_of
from trainer.config import TrainingConfig, read_config
from trainer.fine_tuning import add_head
from trainer.trained_model import Run, RunRecord, TestPicture, save_run

CLASSES = ("blue", "green", "red")
_ENDED = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
_CONFIG = {
    "model.alpha": 0.1,
    "model.image_size": 32,
    "model.weights": "none",
    "head.units": [8],
    "head.dropout": [0.1],
}


def small_base() -> Any:
    """Build a base of two blocks: an export does not depend on the architecture, and this one takes half the time."""
    pictures = keras.Input((32, 32, 3))
    values = pictures
    for block in (1, 2):
        values = keras.layers.Conv2D(6, 3, strides=4, name=f"conv_{block}")(values)
        values = keras.layers.BatchNormalization(name=f"norm_{block}")(values)
        values = keras.layers.ReLU(name=f"relu_{block}")(values)
    return keras.Model(pictures, values, name=BASE)


def small_run(folder: Path) -> Run:
    """Save a run of the small base, with three classes, under `folder`."""
    keras.utils.set_random_seed(4)
    config = read_config(None, _CONFIG)
    base = small_base()
    model = add_head(base, config.head, len(CLASSES))
    _follow_pictures(base)
    data = write_classes(folder / "pictures", per_class=3)
    return save_run(folder / "runs", _record(data, config), config, [], model)


def _follow_pictures(base: Any) -> None:
    pictures = np.stack([np.asarray(speckled(COLOURS[CLASSES[seed % 3]], seed, 32, 32)) for seed in range(12)])
    for layer in batch_norms(base):
        layer.momentum = 0.1
    for _ in range(2):
        base(pictures.astype(np.float32) / 127.5 - 1, training=True)


def _record(data: Path, config: TrainingConfig) -> RunRecord:
    return RunRecord(
        id="20261121-050000-colours",
        name="colours",
        ended=_ENDED,
        labels=CLASSES,
        image_input=image_input_of(config.model),
        architecture=config.model.architecture,
        base_weights=BaseWeights(source="none", digest=None),
        dataset_folder=data,
        dataset_digest="sha256:" + 64 * "0",
        pictures={"train": 1, "val": 1, "test": 9},
        test_pictures=tuple(TestPicture(path=path, label=path.parent.name) for path in sorted(data.rglob("*.jpg"))),
        kept_phase="from_scratch",
        code_version="0.1.0+g1a2b3c4",
        metrics={"test": {"accuracy": 0.5}},
    )


def expected_of(folder: Path) -> list[dict[str, Any]]:
    """Read the expected answers of a published version."""
    found: list[dict[str, Any]] = json.loads((folder / "assets.extra/fixtures/expected.json").read_text())
    return found
