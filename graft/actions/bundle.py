"""The verb `tflite`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from contract.manifest import ModelManifest
from contract.publish import read_version
from exporter.bundle.image_source import find_source, find_split_images
from exporter.bundle.install import check_place, check_room
from exporter.tflite.records import REPORT_FILE, REQUESTED, MobileBundle, RefusedVariant, Requested, WrittenVariant
from graft.actions.default_lineage import default_lineage
from graft.actions.given.arguments import given_version
from graft.errors import CommandError
from lineage.errors import LineageError, NotRecordedError
from lineage.records import LiteFileRecord
from lineage.results import Ancestry
from trainer.progress import Progress, TerminalProgress
from trainer.tensorflow_start import start_tensorflow


@dataclass(frozen=True)
class MobileRequest:
    """What was asked for on the command line; `variants` as it was written there."""

    version: Path
    out: Path
    variants: str
    max_accuracy_drop: float
    data: Path | None
    replace: bool
    runs: Path

    def chosen(self) -> list[Requested]:
        """Return the variants, each once.

        Raises:
            CommandError: there is no such variant.
        """
        names = [name.strip() for name in self.variants.split(",") if name.strip()]
        unknown = [name for name in names if name not in REQUESTED]
        if unknown or not names:
            raise CommandError(
                f"--variants takes some of {', '.join(REQUESTED)}; {unknown[0] if unknown else 'none'} was given."
            )
        return [variant for variant in REQUESTED if variant in names]


def run_tflite(request: MobileRequest) -> None:
    """Make the bundle of a version and say what is in it.

    Raises:
        CommandError: the options cannot be used.
        ContractError: there is no such version.
        ExportError: the images cannot be had, or nothing can be made that is good enough.
        LineageError: the lineage cannot be read or written.
    """
    variants = request.chosen()
    request = replace(request, version=given_version(request.version))
    manifest = read_version(request.version)
    check_place(request.out, replace=request.replace)
    check_room(request.out, request.version, variants)
    ancestry = _ancestry(manifest)
    source = find_source(manifest, request.data, request.runs, ancestry)
    with TerminalProgress() as progress:
        split = find_split_images(manifest, source, progress)
        progress.on_work("starting TensorFlow", 1)
        start_tensorflow()
        from exporter.bundle.build import BundleRequest, make_bundle  # takes seconds

        lineage_id = ancestry.export.lineage_id if ancestry else None
        wanted = BundleRequest(
            request.version, request.out, variants, request.max_accuracy_drop, request.replace, lineage_id
        )
        bundle = make_bundle(wanted, manifest, split, progress)
        _tell(bundle, request.out, progress)
        _record(bundle, request.out, progress)


def _ancestry(manifest: ModelManifest) -> Ancestry | None:
    try:
        with default_lineage(create=False) as lineage:
            return lineage.ancestry_of_version(manifest.name, manifest.version, manifest.digest)
    except NotRecordedError:
        return None


def _tell(bundle: MobileBundle, out: Path, progress: Progress) -> None:
    reference = bundle.saved_model
    progress.on_note(f"  {'SavedModel':<10} {reference.share:>6.1%} of {reference.images} test images")
    for record in bundle.written:
        progress.on_note(_written_line(record))
    for refused in bundle.refused:
        for line in _refused_lines(refused):
            progress.on_note(line)
    for warning in bundle.warnings:
        progress.on_note(f"Warning: {warning}")
    progress.on_note(f"Wrote {out}; look at {out / REPORT_FILE}")


def _written_line(record: WrittenVariant) -> str:
    measured = record.measured
    times = " and ".join(f"{milliseconds:.1f}" for milliseconds in measured.latency_ms.values())
    instead = f", instead of {record.instead_of}" if record.instead_of else ""
    return (
        f"  {record.variant:<10} {measured.accuracy.share:>6.1%}, "
        f"largest difference {measured.largest_difference:.1e}, "
        f"{times} ms on 1 and 2 threads, {measured.file_bytes / 1e6:.2f} MB{instead}"
    )


def _refused_lines(refused: RefusedVariant) -> Sequence[str]:
    tried = f" (tried instead of {refused.tried_for})" if refused.tried_for else ""
    return [
        f"  {refused.variant:<10} NOT WRITTEN{tried}: {refused.reason}",
        *(f"  {'':<10} tried next: {sentence}" for sentence in refused.tried_next),
    ]


def _record(bundle: MobileBundle, out: Path, progress: Progress) -> None:
    run, lineage_id = bundle.source.run, bundle.source.lineage_id
    if lineage_id is None:
        progress.on_note(
            f"The version is not in this lineage, so the files were not recorded: record it with graft lineage record "
            f"{run}, and make the bundle again."
        )
        return
    try:
        with default_lineage(create=False) as lineage:
            for record in bundle.written:
                lineage.record_lite_file(lineage_id, _as_lineage_record(record, out))
    except LineageError as error:
        raise type(error)(
            f"{error} The bundle is written; make it again with --replace to record its files."
        ) from error


def _as_lineage_record(record: WrittenVariant, out: Path) -> LiteFileRecord:
    comparison = {"against": "serving_pixels", **record.measured.model_dump(mode="json")}
    return LiteFileRecord(
        file=out.resolve() / record.file, variant=record.variant, digest=record.digest, parity=[comparison]
    )
