"""What lies beside the graph in a published version, and how the version appears."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contract.manifest import ModelManifest, Signature
from contract.versions import BLESSING, MANIFEST, AlreadyPublishedError, digest_of_version, next_version, publish
from exporter.parity import LARGEST_DIFFERENCE, Comparison
from trainer.trained_model import Run


def make_manifest(run: Run, staged: Path, version: int, signatures: dict[str, Signature]) -> ModelManifest:
    """Describe the version in `staged`, whose graph, assets, fixtures and warmup file are written already."""
    record = run.record
    return ModelManifest(
        name=record.name,
        version=version,
        created=record.ended,
        labels=record.labels,
        image_input=record.image_input,
        signatures=signatures,
        architecture=record.architecture,
        base_weights=record.base_weights,
        dataset_digest=record.dataset_digest,
        code_version=record.code_version,
        training_configuration=run.config().model_dump(mode="json", exclude_none=True),
        metrics=_without_confusions(record.metrics),
        temperature=record.temperature,
        reference=record.reference,
        run=record.id,
        digest=digest_of_version(staged),
    )


def write_manifest(staged: Path, manifest: ModelManifest) -> str:
    """Write the manifest to its place in `staged`, and return its text."""
    text = manifest.to_json()
    (staged / MANIFEST).write_text(text)
    return text


def write_blessing(staged: Path, comparisons: Sequence[Comparison]) -> None:
    """Write what was checked, when, and with what result."""
    blessing = {
        "checked": datetime.now(UTC).isoformat(timespec="seconds"),
        "bound": LARGEST_DIFFERENCE,
        "comparisons": [asdict(comparison) for comparison in comparisons],
    }
    (staged / BLESSING).write_text(json.dumps(blessing, indent=2) + "\n")


def publish_version(base_path: Path, staged: Path, manifest: ModelManifest) -> ModelManifest:
    """Make the version appear; under the next free number if another export took its number meanwhile."""
    while True:
        try:
            publish(staged, base_path / str(manifest.version))
        except AlreadyPublishedError:
            manifest = manifest.model_copy(update={"version": next_version(base_path)})
            write_manifest(staged, manifest)
        else:
            return manifest


def _without_confusions(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the confusion matrices: they grow with the square of the classes, and the run has them."""
    return {
        name: _without_confusions(value) if isinstance(value, Mapping) else value
        for name, value in metrics.items()
        if name != "confusion"
    }
