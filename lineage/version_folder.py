"""A published version's folder as lineage records it."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from contract.digests import digest_of_file
from contract.errors import ContractError
from contract.manifest import ModelManifest
from contract.versions import BLESSING, MANIFEST, digest_of_version
from lineage.records import ExportRecord


def describe_version(folder: Path) -> ExportRecord:
    """Return the version in `folder` as its files say it is.

    Raises:
        ContractError: there is no version, or its files are not those that its manifest speaks of.
    """
    manifest = ModelManifest.read(folder / MANIFEST)
    if digest_of_version(folder) != manifest.digest:
        raise ContractError(f"The files of {folder} are not those that its manifest speaks of; export the run again.")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return ExportRecord(
        name=manifest.name,
        version=manifest.version,
        folder=folder.resolve(),
        digest=manifest.digest,
        manifest_digest=digest_of_file(folder / MANIFEST),
        files={path.relative_to(folder).as_posix(): digest_of_file(path) for path in files},
        parity=_blessing(folder)["comparisons"],
        run_id=manifest.run,
    )


def blessed_at(folder: Path) -> datetime:
    """Return when the version in `folder` passed its checks, which is when it was published.

    Raises:
        ContractError: it does not say.
    """
    return datetime.fromisoformat(_blessing(folder)["checked"])


def _blessing(folder: Path) -> dict[str, Any]:
    try:
        blessing: dict[str, Any] = json.loads((folder / BLESSING).read_bytes())
        return {"comparisons": blessing["comparisons"], "checked": blessing["checked"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ContractError(f"{folder / BLESSING} does not say what was checked, and when; export again.") from error
