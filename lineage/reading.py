"""From rows to results: up to what a version came from, and down to what was made from a run."""

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from lineage.database import tables
from lineage.errors import AmbiguousError, NotRecordedError
from lineage.path_names import as_path
from lineage.records import (
    BaseRecord,
    DataSetRecord,
    ExportRecord,
    LiteFileRecord,
    PublicationRecord,
    TrainingRunRecord,
    WithdrawalRecord,
)
from lineage.results import Ancestry, Descendants, StoredExport, StoredPublication, StoredRun

_DIGEST = re.compile("(?:sha256:)?([0-9a-f]{1,64})")


def find_export(session: Session, name: str, version: int, digest: str | None) -> tables.ExportRow:
    """Return the newest record of a version; `digest` says which, where the number was used more than once.

    Raises:
        NotRecordedError: there is none.
        AmbiguousError: there are several with different digests.
    """
    wanted = select(tables.ExportRow).filter_by(name=name, version=version).order_by(tables.ExportRow.id.desc())
    found = session.scalars(wanted).all()
    if digest is not None and found:
        found = [export for export in found if export.digest == digest]
        if not found:
            raise NotRecordedError(f"Version {version} of {name} is recorded, but with another digest than {digest}.")
    if not found:
        raise NotRecordedError(f"No version {version} of {name} is recorded.")
    digests = list(dict.fromkeys(export.digest for export in found))
    if len(digests) > 1:
        raise AmbiguousError(
            f"Version {version} of {name} is recorded {len(digests)} times with different contents; "
            f"say which digest is meant: {', '.join(digests)}."
        )
    return found[0]


def ancestry_of(session: Session, export: tables.ExportRow) -> Ancestry:
    """Follow a version back to the run that made it, and on to the runs it was fine-tuned from."""
    runs = [export.model.run]
    parent = runs[0].parent_run
    while parent is not None and parent not in {run.run_id for run in runs}:
        row = session.scalar(select(tables.RunRow).filter_by(run_id=parent))
        if row is None:
            break
        runs.append(row)
        parent = row.parent_run
    unknown = parent if parent not in {run.run_id for run in runs} else None
    return Ancestry(export_of(export), tuple(run_of(run) for run in runs), unknown)


def descendants_with(session: Session, **digests_or_names: str | None) -> list[Descendants]:
    """Return what was made of the runs that fit all that is given, the oldest first.

    A run that was fine-tuned from another one of them is only listed there.
    """
    wanted = select(tables.RunRow).join(tables.RunRow.model).join(tables.RunRow.base)
    wanted = (
        wanted.join(tables.RunRow.data_set_folder).join(tables.DataSetFolderRow.data_set).order_by(tables.RunRow.id)
    )
    for key, given in digests_or_names.items():
        if given is not None:
            column = _COLUMNS[key]
            value = _whole_digest(session, column, given) if key.endswith("digest") else given
            wanted = wanted.where(column == value)
    trees = {run.id: _descendants(session, run, frozenset()) for run in session.scalars(wanted)}
    below = {key: set(_below(tree)) for key, tree in trees.items()}
    # of two runs that are each other's parents both stay
    return [
        tree
        for key, tree in trees.items()
        if not any(key in lower and other not in below[key] for other, lower in below.items())
    ]


def splits_of_images(session: Session, run: str) -> dict[str, str]:
    """Return the split of each image of a run by the digest of its file."""
    image, folder = tables.DataSetImageRow, tables.RunRow.data_set_folder_id
    found = session.execute(
        select(image.digest, image.split)
        .join(tables.RunRow, folder == image.folder_id)
        .where(tables.RunRow.run_id == run)
    )
    return {digest: split for digest, split in found}  # noqa: C416 - rows are not pairs to a type checker


def run_of(row: tables.RunRow) -> StoredRun:
    """Return the run as it was recorded, without its images."""
    data_set = DataSetRecord(
        digest=row.data_set_folder.data_set.digest,
        folder=as_path(row.data_set_folder.folder),
        counts=row.data_set_folder.data_set.counts,
    )
    record = TrainingRunRecord(
        id=row.run_id,
        data_set=data_set,
        base=BaseRecord(architecture=row.base.architecture, source=row.base.source, digest=row.base.digest),
        model_digest=row.model.digest,
        weights_digest=row.model.weights_digest,
        model_file=row.model.file,
        **_same_fields(row, TrainingRunRecord),
    )
    return StoredRun(row.id, row.recorded, record)


def export_of(row: tables.ExportRow) -> StoredExport:
    """Return the version as it was recorded, with what came of it."""
    record = ExportRecord(run_id=row.model.run.run_id, **_same_fields(row, ExportRecord))
    lite_files = tuple(LiteFileRecord(**_same_fields(file, LiteFileRecord)) for file in row.lite_files)
    publications = tuple(_publication_of(publication) for publication in row.publications)
    return StoredExport(row.id, row.recorded, record, lite_files, publications)


def _publication_of(row: tables.PublicationRow) -> StoredPublication:
    back = row.withdrawal
    return StoredPublication(
        row.id,
        PublicationRecord(who=row.who, when=row.at, why=row.why),
        WithdrawalRecord(who=back.who, when=back.at, why=back.why) if back else None,
    )


_COLUMNS: dict[str, InstrumentedAttribute[Any]] = {
    "weights_digest": tables.ModelRow.weights_digest,
    "dataset_digest": tables.DataSetRow.digest,
    "base_digest": tables.BaseRow.digest,
    "code_version": tables.RunRow.code_version,
    "run": tables.RunRow.run_id,
}


def _whole_digest(session: Session, column: InstrumentedAttribute[Any], given: str) -> str:
    """Return the one recorded digest that begins as given."""
    digits = _DIGEST.fullmatch(given.lower())
    if digits is None:
        raise NotRecordedError(f"{given!r} is not a digest; give its first hex digits, with or without sha256: before.")
    wanted = select(column).where(column.startswith(f"sha256:{digits[1]}")).distinct().order_by(column).limit(5)
    found: list[str] = list(session.scalars(wanted))
    if not found:
        raise NotRecordedError(f"No digest of this kind that begins with {digits[1]} is recorded.")
    if len(found) > 1:
        raise AmbiguousError(f"Several digests begin with {digits[1]}; give more digits: {', '.join(found)}.")
    return found[0]


def _descendants(session: Session, run: tables.RunRow, above: frozenset[int]) -> Descendants:
    descended = session.scalars(select(tables.RunRow).filter_by(parent_run=run.run_id).order_by(tables.RunRow.id))
    above |= {run.id}  # parents are names that are not checked, so they could form a circle
    return Descendants(
        run_of(run),
        tuple(export_of(export) for export in run.model.exports),
        tuple(_descendants(session, child, above) for child in descended if child.id not in above),
    )


def _below(tree: Descendants) -> Iterator[int]:
    for child in tree.descended:
        yield child.run.lineage_id
        yield from _below(child)


def _same_fields(row: tables.Table, record: type[TrainingRunRecord | ExportRecord | LiteFileRecord]) -> dict[str, Any]:
    """Return the columns that have the name of one of the record's fields."""
    names = (set(record.model_fields) & set(row.__mapper__.columns.keys())) - {"id", "run_id"}
    values = {name: getattr(row, name) for name in names}
    return {name: as_path(value) if name in {"file", "folder"} else value for name, value in values.items()}
