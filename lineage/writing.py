"""From records to rows. Rows that several writers share are found or added; concurrent writers make one row."""

from typing import TypeVar

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from lineage.database import tables
from lineage.errors import ConflictError, NotRecordedError
from lineage.path_names import as_text
from lineage.records import (
    BaseRecord,
    DataSetRecord,
    ExportRecord,
    LiteFileRecord,
    PublicationRecord,
    TrainingRunRecord,
    WithdrawalRecord,
)

_LOCK = 0x657870  # "exp": with an export's id, any pair of numbers that no other application would lock
_Row = TypeVar("_Row", bound=tables.Table)


def add_run(session: Session, record: TrainingRunRecord) -> tables.RunRow:
    """Return the row of the run, added where it is new.

    Raises:
        ConflictError: another run has this id.
    """
    data_set = record.data_set.model_copy(update={"images": ()})  # the digest says which they are
    content = record.model_copy(update={"data_set": data_set}).content_digest()
    found = session.scalar(select(tables.RunRow).filter_by(run_id=record.id))
    if found is None:
        # the shared rows always in this order, so that no two writers wait for each other
        base, folder = _add_base(session, record.base), _add_data_set_folder(session, record.data_set)
        found, _ = _find_or_add(session, _run_row(record, content, base.id, folder.id), run_id=record.id)
    if found.content != content:
        raise ConflictError(f"Another run {record.id} is recorded already, of {found.folder}; records never change.")
    return found


def add_export(session: Session, record: ExportRecord) -> tables.ExportRow:
    """Return the row of the version, added where it is new.

    Raises:
        NotRecordedError: its run is not recorded.
    """
    run = session.scalar(select(tables.RunRow).filter_by(run_id=record.run_id))
    if run is None:
        raise NotRecordedError(f"The run {record.run_id} is not recorded; record it first.")
    made = tables.ExportRow(
        model_id=run.model.id,
        folder=as_text(record.folder),
        content=record.content_digest(),
        **record.model_dump(include={"name", "version", "digest", "manifest_digest", "files", "parity"}),
    )
    return _find_or_add(session, made, content=made.content)[0]


def add_lite_file(session: Session, export_id: int, record: LiteFileRecord) -> tables.LiteFileRow:
    """Return the row of the TFLite file, added where it is new.

    Raises:
        NotRecordedError: there is no such export.
    """
    export = _lock_export(session, export_id)
    content = record.content_digest()
    values = record.model_dump(include={"variant", "digest", "parity"})
    made = tables.LiteFileRow(export_id=export.id, file=as_text(record.file), content=content, **values)
    return _find_or_add(session, made, export_id=export.id, content=content)[0]


def add_publication(session: Session, export_id: int, record: PublicationRecord) -> tables.PublicationRow:
    """Return the row of the publication, added where it is new.

    Raises:
        NotRecordedError: there is no such export.
        ConflictError: it is published already, and was not withdrawn.
    """
    export = _lock_export(session, export_id)
    content = record.content_digest()
    for publication in export.publications:
        if publication.content == content:
            return publication
        if publication.withdrawal is None:
            raise ConflictError(
                f"{export.folder} was published by {publication.who} at {publication.at:%Y-%m-%d %H:%M} UTC; "
                "withdraw it first."
            )
    made = tables.PublicationRow(export_id=export.id, content=content, who=record.who, at=record.when, why=record.why)
    session.add(made)
    session.flush()
    return made


def add_withdrawal(session: Session, export_id: int, record: WithdrawalRecord) -> tables.WithdrawalRow:
    """Return the new row of the withdrawal.

    Raises:
        NotRecordedError: there is no such export.
        ConflictError: it is not published now.
    """
    export = _lock_export(session, export_id)
    standing = [publication for publication in export.publications if publication.withdrawal is None]
    if not standing:
        last = export.publications[-1].withdrawal if export.publications else None
        since = f"; {last.who} withdrew it at {last.at:%Y-%m-%d %H:%M} UTC" if last else ""
        raise ConflictError(f"{export.folder} is not published{since}, so there is nothing to withdraw.")
    made = tables.WithdrawalRow(publication_id=standing[0].id, who=record.who, at=record.when, why=record.why)
    session.add(made)
    session.flush()
    return made


def _run_row(record: TrainingRunRecord, content: str, base_id: int, folder_id: int) -> tables.RunRow:
    same = {"name", "started", "ended", "configuration", "code_version", "environment", "metrics", "gates"}
    return tables.RunRow(
        run_id=record.id,
        folder=as_text(record.folder),
        base_id=base_id,
        data_set_folder_id=folder_id,
        parent_run=record.parent_run,
        content=content,
        model=tables.ModelRow(file=record.model_file, digest=record.model_digest, weights_digest=record.weights_digest),
        **record.model_dump(include=same),
    )


def _add_base(session: Session, record: BaseRecord) -> tables.BaseRow:
    made = tables.BaseRow(content=record.content_digest(), **record.model_dump())
    return _find_or_add(session, made, content=made.content)[0]


def _add_data_set_folder(session: Session, record: DataSetRecord) -> tables.DataSetFolderRow:
    data_set, _ = _find_or_add(
        session, tables.DataSetRow(digest=record.digest, counts=record.counts), digest=record.digest
    )
    made = tables.DataSetFolderRow(
        data_set_id=data_set.id, folder=as_text(record.folder), listing=record.content_digest()
    )
    folder, is_new = _find_or_add(session, made, listing=made.listing)
    if is_new and record.images:
        rows = [{"folder_id": folder.id, **image.model_dump()} for image in record.images]
        session.execute(insert(tables.DataSetImageRow), rows)
    return folder


def _find_or_add(session: Session, made: _Row, **key: object) -> tuple[_Row, bool]:
    """Return the row with this key and whether it is `made`."""
    wanted = select(type(made)).filter_by(**key)
    found = session.scalar(wanted)
    if found is not None:
        return found, False
    try:
        with session.begin_nested():
            session.add(made)
    except IntegrityError:  # another writer was faster; its row is visible now
        return session.scalars(wanted).one(), False
    return made, True


def _lock_export(session: Session, export_id: int) -> tables.ExportRow:
    """Return the row, locked: one transaction at a time changes what depends on it, as always in SQLite."""
    if session.get_bind().dialect.name == "postgresql":  # FOR UPDATE would need the right to update
        session.execute(select(func.pg_advisory_xact_lock(_LOCK, export_id)))
    export = session.get(tables.ExportRow, export_id)
    if export is None:
        raise NotRecordedError(f"No version with the lineage id {export_id} is recorded.")
    return export
