"""A published version as lineage records it."""

import getpass
import os
from dataclasses import asdict
from datetime import UTC, datetime

from contract.digests import digest_of_file
from contract.versions import MANIFEST
from exporter.export import Exported
from lineage.records import ExportRecord, PublicationRecord
from lineage.store import Lineage


def record_export(lineage: Lineage, exported: Exported) -> None:
    """Record the version and that it was published now, by this user.

    Raises:
        NotRecordedError: the version's run is not in this lineage.
    """
    folder, manifest = exported.folder, exported.manifest
    files = (path for path in folder.rglob("*") if path.is_file())
    record = ExportRecord(
        name=manifest.name,
        version=manifest.version,
        folder=folder.resolve(),
        digest=manifest.digest,
        manifest_digest=digest_of_file(folder / MANIFEST),
        files={path.relative_to(folder).as_posix(): digest_of_file(path) for path in files},
        parity=[asdict(comparison) for comparison in exported.comparisons],
        run_id=manifest.run,
    )
    lineage.record_export(record, PublicationRecord(who=_who(), when=datetime.now(UTC)))


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"user {os.getuid()}"
