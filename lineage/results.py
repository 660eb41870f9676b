"""What a lineage answers: records with the ids, times and relations they got."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from lineage.records import ExportRecord, LiteFileRecord, PublicationRecord, TrainingRunRecord, WithdrawalRecord

Kind = Literal["data set", "run", "version", "TFLite file"]


@dataclass(frozen=True)
class StoredRun:
    """A run as it was recorded, but for the list of pictures, which may be long and is left empty."""

    lineage_id: int
    recorded: datetime
    record: TrainingRunRecord


@dataclass(frozen=True)
class StoredPublication:
    """A publication, and its withdrawal if there was one."""

    lineage_id: int
    record: PublicationRecord
    withdrawal: WithdrawalRecord | None


@dataclass(frozen=True)
class StoredExport:
    """A version, what was made from it, and when it was visible."""

    lineage_id: int
    recorded: datetime
    record: ExportRecord
    lite_files: tuple[LiteFileRecord, ...]
    publications: tuple[StoredPublication, ...]

    @property
    def withdrawn(self) -> bool:
        """Whether it was published, and every publication was taken back."""
        return bool(self.publications) and all(publication.withdrawal for publication in self.publications)


@dataclass(frozen=True)
class Ancestry:
    """Where a version came from.

    `runs` are the run that made it, the run that this one was grown on, and so on; `unknown_parent` is the id of the
    next one where it is not recorded here.
    """

    export: StoredExport
    runs: tuple[StoredRun, ...]
    unknown_parent: str | None


@dataclass(frozen=True)
class Descendants:
    """What came of a run: its versions, and the runs that were grown on it."""

    run: StoredRun
    exports: tuple[StoredExport, ...]
    grown: tuple["Descendants", ...]


@dataclass(frozen=True)
class RecordedFolder:
    """What should lie in a folder: digests of `files` by relative name.

    `closed` says that nothing else may lie there, `may_be_gone` that the folder as a whole may be missing.
    """

    kind: Kind
    name: str
    folder: Path
    files: dict[str, str]
    closed: bool = False
    may_be_gone: bool = False
