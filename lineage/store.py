"""The lineage: each operation in a transaction of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from lineage import on_disk, reading, writing
from lineage.database.connections import file_of, make_engine, transaction
from lineage.database.location import URL_VARIABLE, describe, read_address
from lineage.database.schema import bring_up_to_date
from lineage.errors import NotRecordedError
from lineage.records import ExportRecord, LiteFileRecord, PublicationRecord, TrainingRunRecord, WithdrawalRecord
from lineage.results import Ancestry, Descendants, RecordedFolder


def open_lineage(url: str, *, create: bool = True) -> "Lineage":
    """Open the lineage at `url`, with its tables brought up to date; close it, or use it in a `with`.

    Without `create` a file that does not exist is an error, so that reading leaves no empty file behind.

    Raises:
        LineageAddressError: the address is not valid, or of a database that is not supported.
        LineageUnreadableError: the database cannot be reached or opened, or holds something else.
        LineageNewerError: a newer Graft wrote it.
        NotRecordedError: there is no file, and `create` is false.
    """
    address = read_address(url)
    file = file_of(address)
    if not create and file and not file.exists():
        raise NotRecordedError(
            f"There is no lineage at {describe(address)}; change to the folder of the training, or set {URL_VARIABLE}."
        )
    engine = make_engine(address)
    bring_up_to_date(engine)
    return Lineage(engine)


class Lineage:
    """An opened lineage. Everything it says it has recorded is on disk; nothing recorded ever changes.

    Each method may raise LineageUnreadableError where the database fails.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def record_run(self, run: TrainingRunRecord) -> int:
        """Record a run with its data set, base and model, and return its lineage id; a repetition is not an error.

        Raises:
            ConflictError: another run has this id.
        """
        with self._session(writes=True) as session:
            return writing.add_run(session, run).id

    def record_export(self, export: ExportRecord, publication: PublicationRecord | None = None) -> int:
        """Record a version and, in the same transaction, that it became visible; return the version's lineage id.

        Raises:
            NotRecordedError: its run is not recorded.
            ConflictError: it is already published, by another user or at another time.
        """
        with self._session(writes=True) as session:
            export_id = writing.add_export(session, export).id
            if publication is not None:
                writing.add_publication(session, export_id, publication)
            return export_id

    def record_lite_file(self, export_id: int, file: LiteFileRecord) -> int:
        """Record a TFLite file that was made from a version, and return the file's lineage id.

        Raises:
            NotRecordedError: no version has this lineage id.
        """
        with self._session(writes=True) as session:
            return writing.add_lite_file(session, export_id, file).id

    def record_publication(self, export_id: int, publication: PublicationRecord) -> int:
        """Record that a version became visible, for the first time or again, and return the publication's lineage id.

        Raises:
            NotRecordedError: no version has this lineage id.
            ConflictError: it is published already.
        """
        with self._session(writes=True) as session:
            return writing.add_publication(session, export_id, publication).id

    def record_withdrawal(self, export_id: int, withdrawal: WithdrawalRecord) -> int:
        """Record that a version was withdrawn, and return the withdrawal's lineage id.

        Raises:
            NotRecordedError: no version has this lineage id.
            ConflictError: it is not published now.
        """
        with self._session(writes=True) as session:
            return writing.add_withdrawal(session, export_id, withdrawal).id

    def ancestry_of_version(self, name: str, version: int, digest: str | None = None) -> Ancestry:
        """Return all that a version came from; `digest` says which, where its number was used more than once.

        Raises:
            NotRecordedError: it is not recorded.
            AmbiguousError: several contents are recorded under this number.
        """
        with self._session(writes=False) as session:
            return reading.ancestry_of(session, reading.find_export(session, name, version, digest))

    def splits_of_images(self, run: str) -> dict[str, str]:
        """Return the split of each image that a run had, by the digest of its file; none if it is not recorded."""
        with self._session(writes=False) as session:
            return reading.splits_of_images(session, run)

    def runs_with(
        self,
        *,
        weights_digest: str | None = None,
        dataset_digest: str | None = None,
        base_digest: str | None = None,
        code_version: str | None = None,
        run: str | None = None,
    ) -> list[Descendants]:
        """Return the runs that fit all that is given, with all that was made from them, the oldest first.

        The beginning of a digest is enough, with or without `sha256:`.

        Raises:
            NotRecordedError: there is no such digest.
            AmbiguousError: several digests begin so.
        """
        with self._session(writes=False) as session:
            return reading.descendants_with(
                session,
                weights_digest=weights_digest,
                dataset_digest=dataset_digest,
                base_digest=base_digest,
                code_version=code_version,
                run=run,
            )

    def everything_on_disk(self) -> Iterator[RecordedFolder]:
        """Yield each folder that holds something recorded. Between two of them no transaction is open."""
        for read in on_disk.READERS:
            with self._session(writes=False) as session:
                keys = read.keys(session)
            for key in keys:
                with self._session(writes=False) as session:
                    folder = read.folder(session, key)
                yield folder

    @contextmanager
    def _session(self, *, writes: bool) -> Iterator[Session]:
        with transaction(self._engine, writes=writes) as connection, Session(connection) as session:
            yield session
            session.flush()
