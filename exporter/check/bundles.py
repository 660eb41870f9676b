"""The TFLite files that a check compares: those in given bundles, and those that the lineage knows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contract.digests import digest_of_file
from contract.manifest import ModelManifest
from exporter.errors import CheckError
from exporter.tflite.records import MobileBundle
from lineage.records import LiteFileRecord


@dataclass(frozen=True)
class TfliteFile:
    """A TFLite file of a variant: float32, float16, dynamic, int8 or int16x8."""

    path: Path
    variant: str


def files_in_bundles(folders: Sequence[Path], manifest: ModelManifest) -> list[TfliteFile]:
    """Find the TFLite files in bundles that `graft tflite` made of the version.

    Raises:
        ContractError: a folder is not a bundle.
        CheckError: one was made from another model, or its files were changed.
    """
    return [file for folder in folders for file in _files_in_bundle(folder, manifest)]


def recorded_files(records: Sequence[LiteFileRecord]) -> list[TfliteFile]:
    """Return those of the recorded files that are still there as they were recorded."""
    return [
        TfliteFile(record.file, record.variant)
        for record in records
        if record.file.is_file() and digest_of_file(record.file) == record.digest
    ]


def _files_in_bundle(folder: Path, manifest: ModelManifest) -> list[TfliteFile]:
    bundle = MobileBundle.read(folder)
    if bundle.source.digest != manifest.digest:
        raise CheckError(
            f"The bundle {folder} was made from another model, {bundle.source.name}/{bundle.source.version} with the "
            f"digest {bundle.source.digest}, not {manifest.digest}; make it again with graft tflite."
        )
    for record in bundle.written:
        _see_unchanged(folder / record.file, record.digest)
    return [TfliteFile(folder / record.file, record.variant) for record in bundle.written]


def _see_unchanged(path: Path, digest: str) -> None:
    if not path.is_file() or digest_of_file(path) != digest:
        raise CheckError(f"{path} is not the file that its bundle speaks of; make the bundle again with graft tflite.")
