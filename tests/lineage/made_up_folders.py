"""Folders as `graft train` and `graft export` leave them, without a network in them: lineage never looks inside."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from contract.digests import digest_of_file
from contract.image_input import ImageInput
from contract.manifest import BaseWeights, ModelManifest
from contract.versions import BLESSING, MANIFEST, digest_of_version
from tests.drawn.images import write_classes
from tests.lineage.made_up import MORNING, NOON, digest
from trainer.config import read_config
from trainer.data.image_folder import find_images
from trainer.runs.record import CONFIG, MODEL, RECORD, RunRecord, TestImage

LABELS = ("blue", "red")
_IMAGE_INPUT = ImageInput(height=32, width=32)


@dataclass(frozen=True)
class _Comparison:
    """As the exporter writes one."""

    signature: str = "serving_default"
    images: int = 10
    largest_difference: float = 1.2e-7


def make_run(root: Path, run_id: str, parent: str | None = None) -> RunRecord:
    """Write `root / runs / run_id`, trained on `root / data`, and return its record."""
    data, folder = root / "data", root / "runs" / run_id
    if not data.exists():
        write_classes(data, 6, LABELS)
    config = read_config(None, {"model.alpha": 0.35, "model.weights": f"run:{parent}" if parent else "imagenet"})
    found = find_images(data, config.data, config.seed)
    base = BaseWeights(source=f"run:{parent}" if parent else "imagenet", digest=digest(parent or "imagenet"))
    record = RunRecord(
        id=run_id,
        name="colours",
        started=MORNING,
        ended=NOON,
        labels=LABELS,
        image_input=_IMAGE_INPUT,
        architecture="mobilenet_v2",
        base_weights=base,
        dataset_folder=data.resolve(),
        dataset_digest=found.digest(),
        images={split: len(images) for split, images in found.images.items()},
        test_images=(TestImage(path=data / "blue" / "0.jpg", label="blue"),),
        kept_phase="phase_two",
        weights_digest=digest(f"weights of {run_id}"),
        code_version="0.2.0",
        environment={"python": "3.11.7"},
        metrics={"test": {"accuracy": 0.875, "images": 2}},
    )
    folder.mkdir(parents=True)
    (folder / MODEL).write_text(f"the model of {run_id}")
    (folder / CONFIG).write_text(config.to_toml())
    (folder / RECORD).write_text(record.model_dump_json())
    return record


def make_version(root: Path, run: RunRecord, version: int = 1) -> Path:
    """Write `root / models / colours / version`, made from the run, and return it."""
    folder = root / "models" / run.name / str(version)
    (folder / MANIFEST).parent.mkdir(parents=True)
    (folder / "saved_model.pb").write_text(f"the graph of {run.id}")
    manifest = ModelManifest(
        name=run.name,
        version=version,
        created=run.ended,
        labels=run.labels,
        image_input=run.image_input,
        signatures={},
        architecture=run.architecture,
        base_weights=run.base_weights,
        dataset_digest=run.dataset_digest,
        code_version=run.code_version,
        training_configuration={},
        metrics=run.metrics,
        run=run.id,
        digest=digest_of_version(folder),
    )
    (folder / MANIFEST).write_text(manifest.to_json())
    blessing = {"checked": "2026-11-21T13:00:00+00:00", "comparisons": [asdict(_Comparison())]}
    (folder / BLESSING).write_text(json.dumps(blessing))
    assert digest_of_file(folder / MANIFEST)
    return folder
