"""The lineage entry of a finished run."""

from pathlib import Path

from contract.digests import digest_of_file
from lineage.records import BaseRecord, DataSetRecord, ImageRecord
from lineage.records import TrainingRunRecord as LineageRun
from trainer.data.image_folder import ImageFolder
from trainer.runs.record import MODEL, RunRecord, read_settings

_FROM_RUN = "run:"


def describe_run(folder: Path, record: RunRecord, found: ImageFolder) -> LineageRun:
    """Return the run in `folder`, with the images that were found for it, as an entry of the lineage."""
    source = record.base_weights.source
    return LineageRun(
        id=record.id,
        name=record.name,
        started=record.started,
        ended=record.ended,
        folder=folder.resolve(),
        configuration=read_settings(folder).model_dump(mode="json"),
        code_version=record.code_version,
        environment=record.environment,
        metrics=record.metrics,
        gates={
            "phase two": record.gate.model_dump() if record.gate else None,
            "forgetting": {"kept": record.kept_phase, "notes": list(record.notes)},
        },
        model_digest=digest_of_file(folder / MODEL),
        weights_digest=record.weights_digest,
        data_set=DataSetRecord.of_images(
            record.dataset_digest,
            record.dataset_folder,
            [
                ImageRecord(
                    split=entry.split,
                    label=entry.label,
                    path=entry.path.relative_to(record.dataset_folder),  # links stay links
                    digest=entry.digest,
                )
                for entry in found.entries()
            ],
        ),
        base=BaseRecord(architecture=record.architecture, source=source, digest=record.base_weights.digest),
        parent_run=source.removeprefix(_FROM_RUN) if source.startswith(_FROM_RUN) else None,
    )
