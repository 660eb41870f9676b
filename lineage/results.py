"""What a lineage returns: records with their ids, times and relations."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from lineage.records import ExportRecord, LiteFileRecord, PublicationRecord, TrainingRunRecord, WithdrawalRecord

Kind = Literal["data set", "run", "version", "TFLite file"]


@dataclass(frozen=True)
class StoredRun:
    """A run as it was recorded, but without the list of images, which may be long."""

    lineage_id: int
    recorded: datetime
    record: TrainingRunRecord


@dataclass(frozen=True)
class StoredPublication:
    """A publication, and its withdrawal if there is one."""

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
        """Whether it was published, and every publication was withdrawn."""
        return bool(self.publications) and all(publication.withdrawal for publication in self.publications)


@dataclass(frozen=True)
class Ancestry:
    """Where a version came from.

    `runs` are the run that made it, the run that this one was fine-tuned from, and so on; `unknown_parent` is the id of
    the next one where it is not recorded here.
    """

    export: StoredExport
    runs: tuple[StoredRun, ...]
    unknown_parent: str | None


@dataclass(frozen=True)
class Descendants:
    """What was made from a run: its versions, and the runs that were fine-tuned from it."""

    run: StoredRun
    exports: tuple[StoredExport, ...]
    descended: tuple["Descendants", ...]


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
