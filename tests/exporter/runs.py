"""A run whose model answers differently for different images, made without training.

A network with untouched BatchNorm statistics answers 1/C whatever it sees, so that every comparison of two such
networks succeeds; here the statistics are those of images.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np

from contract.manifest import BaseWeights
from tests.drawn.images import COLOURS, speckled, write_classes
from trainer.config import TrainingConfig, read_config
from trainer.models.architectures import BASE, image_input_of
from trainer.models.base import batch_norms
from trainer.models.head import add_head
from trainer.run_folder import Start, begun_run
from trainer.runs.record import MODEL, RunRecord, TestImage
from trainer.runs.trained_model import Run, digest_of_tensors

CLASSES = ("blue", "green", "red")
_STARTED = datetime(2026, 11, 21, 4, 50, tzinfo=UTC)
_ENDED = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
_DIGEST = "sha256:" + 64 * "0"
_NO_WEIGHTS = BaseWeights(source="none", digest=None)
_CONFIG = {
    "model.alpha": 0.1,
    "model.image_size": 32,
    "model.weights": "none",
    "head.units": [8],
    "head.dropout": [0.1],
}


def small_base() -> Any:
    """Build a base of two blocks: an export does not depend on the architecture, and this one takes half the time."""
    images = keras.Input((32, 32, 3))
    values = images
    for block in (1, 2):
        values = keras.layers.Conv2D(6, 3, strides=4, name=f"conv_{block}")(values)
        values = keras.layers.BatchNormalization(name=f"norm_{block}")(values)
        values = keras.layers.ReLU(name=f"relu_{block}")(values)
    return keras.Model(images, values, name=BASE)


def small_run(folder: Path, seed: int = 4, settings: Mapping[str, Any] | None = None) -> Run:
    """Save a run of the small base, with three classes, under `folder`; another seed, another model."""
    keras.utils.set_random_seed(seed)
    config = read_config(None, {**_CONFIG, **(settings or {})})
    base = small_base()
    model = add_head(base, config.head, len(CLASSES))
    _follow_images(base)
    data = write_classes(folder / "images", per_class=3)
    start = Start(name="colours", started=_STARTED, data=data, dataset_digest=_DIGEST, base_weights=_NO_WEIGHTS)
    with begun_run(folder / "runs", start, config, model.get_weights()) as run:
        model.save(run.path / MODEL, include_optimizer=False)
        record = _record(run.path.name, start, config, digest_of_tensors(model.get_weights()))
        run.complete(record, {})
    return Run(run.path, record)


def _follow_images(base: Any) -> None:
    images = np.stack([np.asarray(speckled(COLOURS[CLASSES[seed % 3]], seed, 32, 32)) for seed in range(12)])
    for layer in batch_norms(base):
        layer.momentum = 0.1
    for _ in range(2):
        base(images.astype(np.float32) / 127.5 - 1, training=True)


def _record(name: str, start: Start, config: TrainingConfig, weights_digest: str) -> RunRecord:
    return RunRecord(
        id=name,
        name=start.name,
        started=start.started,
        ended=_ENDED,
        labels=CLASSES,
        image_input=image_input_of(config.model),
        architecture=config.model.architecture,
        base_weights=start.base_weights,
        dataset_folder=start.data,
        dataset_digest=start.dataset_digest,
        images={"train": 1, "val": 1, "test": 9},
        test_images=tuple(TestImage(path=path, label=path.parent.name) for path in sorted(start.data.rglob("*.jpg"))),
        kept_phase="from_scratch",
        temperature=1.25,
        weights_digest=weights_digest,
        code_version="0.1.0+g1a2b3c4",
        metrics={"test": {"accuracy": 0.5}},
    )


def expected_of(folder: Path) -> list[dict[str, Any]]:
    """Read the expected answers of a published version."""
    found: list[dict[str, Any]] = json.loads((folder / "assets.extra/fixtures/expected.json").read_text())
    return found
