"""The verb `withdraw`: a version is hidden from servers in one rename, and that is recorded."""

from datetime import UTC, datetime
from pathlib import Path

from contract.errors import ContractError
from contract.manifest import ModelManifest
from contract.versions import (
    MANIFEST,
    LastVersionError,
    published_place,
    published_versions,
    withdraw,
    withdrawn_place,
)
from graft.actions.default_lineage import default_lineage_if_any
from graft.actions.given.arguments import exact_version
from graft.actions.versions.listing import withdrawal_of
from graft.actions.versions.reason import Reason
from graft.actions.versions.server_watch import WATCHED_SECONDS, watch_withdrawn
from graft.errors import CommandError
from lineage.errors import AmbiguousError, LineageError, NotRecordedError
from lineage.records import WithdrawalRecord
from lineage.store import Lineage
from trainer.progress import Progress, TerminalProgress


def withdraw_version(folder: Path, reason: Reason, *, even_the_last: bool = False, server: str | None = None) -> None:
    """Hide the version in `folder` from servers, then record it; or complete what was interrupted between the two.

    With `server`, HOST:PORT, also say whether that model server lets go of it.

    Raises:
        CommandError: there is no such version, it is the last one, or it was withdrawn before.
        LineageError: the lineage cannot be used. Before the rename nothing was changed.
    """
    folder = published_place(folder)
    with default_lineage_if_any() as lineage, TerminalProgress() as progress:
        hidden = withdrawn_place(folder)
        interrupted = hidden.is_dir() and not folder.exists()
        if not interrupted:
            _hide(folder, even_the_last=even_the_last)
            progress.on_note(f"Withdrew {folder}, which lies at {hidden.name} beside it now. {_now_served(folder)}")
        _record_withdrawal(lineage, folder, reason, progress, interrupted=interrupted)
        if server is not None:
            watch_withdrawn(server, folder.resolve().parent.name, int(folder.name), progress, WATCHED_SECONDS)


def _hide(folder: Path, *, even_the_last: bool) -> Path:
    exact_version(folder)
    try:
        return withdraw(folder, even_the_last=even_the_last)
    except LastVersionError as error:
        raise CommandError(f"{error} --even-the-last withdraws it all the same.") from error


def _now_served(folder: Path) -> str:
    left = published_versions(folder.parent)
    if not left:
        return "Nothing is left; servers end what they have loaded, and answer NOT_FOUND."
    if left[-1] < int(folder.name):
        return f"Servers that watch {folder.parent} go back to version {left[-1]}."
    return f"Version {left[-1]} is served as before."


def _record_withdrawal(
    lineage: Lineage | None, folder: Path, reason: Reason, progress: Progress, *, interrupted: bool
) -> None:
    later = "`graft lineage record RUN` records the version, and then the same command again its withdrawal."
    if lineage is None:
        progress.on_note(f"There is no lineage here, so it is not recorded: {later}")
        return
    try:
        export = lineage.ancestry_of_version(*_identity(folder)).export
        if back := withdrawal_of(export):
            said = f"withdrawn already, {back.when:%Y-%m-%d %H:%M} UTC by {back.who}: {back.why}"
            if interrupted:
                raise CommandError(f"{folder} was {said}.")
            progress.on_note(f"It was recorded as {said}")
            return
        record = WithdrawalRecord(who=reason.who, when=datetime.now(UTC), why=reason.why)
        lineage.record_withdrawal(export.lineage_id, record)
        progress.on_note(f"Recorded that {reason.who} withdrew {folder}.")
    except (NotRecordedError, AmbiguousError) as error:
        progress.on_note(f"Not recorded: {error} {later}")
    except LineageError as error:
        raise type(error)(f"{error} The version is withdrawn; the same command again records it.") from error


def _identity(folder: Path) -> tuple[str, int, str | None]:
    """Return name, number and digest of a withdrawn version; of one that cannot be read, what its place says."""
    try:
        manifest = ModelManifest.read(withdrawn_place(folder) / MANIFEST)
    except ContractError:
        return folder.resolve().parent.name, int(folder.name), None
    return manifest.name, manifest.version, manifest.digest
