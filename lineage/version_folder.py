"""A published version's folder as lineage records it."""

from datetime import datetime
from pathlib import Path

from contract.blessing import Blessing
from contract.digests import digest_of_file
from contract.publish import read_version
from contract.versions import BLESSING, MANIFEST, published_place
from lineage.records import ExportRecord


def describe_version(folder: Path) -> ExportRecord:
    """Return the record of the version in `folder`, with the place where it was published if it was withdrawn.

    Raises:
        ContractError: there is no version, or its files do not have the manifest's digest.
    """
    manifest = read_version(folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return ExportRecord(
        name=manifest.name,
        version=manifest.version,
        folder=published_place(folder.resolve()),
        digest=manifest.digest,
        manifest_digest=digest_of_file(folder / MANIFEST),
        files={path.relative_to(folder).as_posix(): digest_of_file(path) for path in files},
        parity=Blessing.read(folder / BLESSING).comparisons,
        run_id=manifest.run,
    )


def blessed_at(folder: Path) -> datetime:
    """Return when the version in `folder` was published: after it passed its checks, or at a rollback.

    Raises:
        ContractError: its blessing cannot be read.
    """
    return Blessing.read(folder / BLESSING).published
