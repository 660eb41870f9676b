"""What lies beside the graph in a published version, and how the version appears."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from contract.blessing import Blessing
from contract.image_input import ImageInput
from contract.manifest import ModelManifest, ServingTarget
from contract.versions import BLESSING, MANIFEST, digest_of_version
from exporter.proof.parity import Comparison, Reference
from exporter.saved_model.writer import Written
from trainer.data.orientation.reading import EXIF_ENCODINGS
from trainer.runs.trained_model import Run


def make_manifest(
    run: Run, staged: Path, version: int, image_input: ImageInput, written: Written, target: ServingTarget
) -> ModelManifest:
    """Describe the version in `staged`, whose graph, assets, fixtures and warmup file are written already."""
    record = run.record
    return ModelManifest(
        name=record.name,
        version=version,
        created=record.ended,
        labels=record.labels,
        image_input=image_input,
        signatures=written.signatures,
        architecture=record.architecture,
        base_weights=record.base_weights,
        dataset_digest=record.dataset_digest,
        code_version=record.code_version,
        training_configuration=run.config().model_dump(mode="json", exclude_none=True),
        metrics=_without_confusions(record.metrics),
        temperature=record.temperature,
        reference=record.reference,
        served_graph=written.served_graph,
        target=target,
        exif_encodings=tuple(each for each in EXIF_ENCODINGS if each in target.encodings),
        jpeg_without_end=True,
        run=record.id,
        digest=digest_of_version(staged),
    )


def write_manifest(staged: Path, manifest: ModelManifest) -> str:
    """Write the manifest to its place in `staged`, and return its text."""
    text = manifest.to_json()
    (staged / MANIFEST).write_text(text)
    return text


def write_blessing(staged: Path, blessing: Blessing) -> None:
    """Write what was checked, when, and with what result."""
    (staged / BLESSING).write_text(blessing.to_json())


def make_blessing(comparisons: Sequence[Comparison], reference: Reference, **more: Any) -> Blessing:
    """Return the blessing of a version that passed these comparisons with `reference` now; `more` are other fields."""
    return Blessing(
        checked=datetime.now(UTC).replace(microsecond=0),
        bound=reference.bound,
        noise=reference.noise,
        comparisons=[asdict(comparison) for comparison in comparisons],
        **more,
    )


def _without_confusions(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the confusion matrices: they grow with the square of the classes, and the run has them."""
    return {
        name: _without_confusions(value) if isinstance(value, Mapping) else value
        for name, value in metrics.items()
        if name != "confusion"
    }
