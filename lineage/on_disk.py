"""The files of the records, one folder at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from contract.storage.pruned import pruned_record
from contract.versions import withdrawn_place
from lineage.database import tables
from lineage.path_names import as_path
from lineage.reading import export_of
from lineage.results import RecordedFolder


@dataclass(frozen=True)
class Reader:
    """How to read the folders of one table, row by row; a table may have a million images."""

    table: type[tables.DataSetFolderRow | tables.ModelRow | tables.ExportRow | tables.LiteFileRow]
    folder: Callable[[Session, int], RecordedFolder]

    def keys(self, session: Session) -> Sequence[int]:
        """Return the ids of the table's rows, the oldest first."""
        return session.scalars(select(self.table.id).order_by(self.table.id)).all()


def _data_set(session: Session, key: int) -> RecordedFolder:
    row = session.get_one(tables.DataSetFolderRow, key)
    images = select(tables.DataSetImageRow.path, tables.DataSetImageRow.digest).filter_by(folder_id=key)
    files = {as_path(path).as_posix(): digest for path, digest in session.execute(images)}
    return RecordedFolder("data set", row.data_set.digest, as_path(row.folder), files)


def _model(session: Session, key: int) -> RecordedFolder:
    row = session.get_one(tables.ModelRow, key)
    folder = as_path(row.run.folder)
    pruned = pruned_record(folder).is_file()
    return RecordedFolder("run", row.run.run_id, folder, {row.file: row.digest}, may_be_gone=pruned)


def _export(session: Session, key: int) -> RecordedFolder:
    row = session.get_one(tables.ExportRow, key)
    stored = export_of(row)
    name = f"{row.name}/{row.version}"
    folder = _where_it_lies(as_path(row.folder))
    return RecordedFolder("version", name, folder, row.files, closed=True, may_be_gone=stored.withdrawn)


def _where_it_lies(folder: Path) -> Path:
    """Return the folder of a version, which a withdrawal moves before it is recorded."""
    hidden = withdrawn_place(folder)
    return hidden if hidden.is_dir() and not folder.exists() else folder


def _lite_file(session: Session, key: int) -> RecordedFolder:
    row = session.get_one(tables.LiteFileRow, key)
    file = as_path(row.file)
    return RecordedFolder("TFLite file", row.variant, file.parent, {file.name: row.digest})


READERS = (
    Reader(tables.DataSetFolderRow, _data_set),
    Reader(tables.ModelRow, _model),
    Reader(tables.ExportRow, _export),
    Reader(tables.LiteFileRow, _lite_file),
)
