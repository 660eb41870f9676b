"""A published version in the lineage."""

from datetime import UTC, datetime

from exporter.export import Exported
from lineage.people import current_user
from lineage.records import PublicationRecord
from lineage.store import Lineage
from lineage.version_folder import describe_version


def record_export(lineage: Lineage, exported: Exported) -> None:
    """Record the version and that it was published now, by this user.

    Raises:
        NotRecordedError: the version's run is not in this lineage.
    """
    publication = PublicationRecord(who=current_user(), when=datetime.now(UTC), why=exported.blessing.why)
    lineage.record_export(describe_version(exported.folder), publication)
