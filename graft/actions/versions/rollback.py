"""The verbs `withdraw` and `rollback`: what servers load is changed in one rename, and recorded."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from contract.blessing import Blessing, Rollback
from contract.errors import ContractError
from contract.manifest import ModelManifest
from contract.publish import publish_version, read_version
from contract.versions import (
    BLESSING,
    MANIFEST,
    LastVersionError,
    published_place,
    published_versions,
    staged_folder,
    withdraw,
    withdrawn_place,
    withdrawn_versions,
)
from graft.actions.versions.listing import withdrawal_of
from graft.errors import CommandError
from lineage.database.location import lineage_url
from lineage.errors import AmbiguousError, LineageError, NotRecordedError
from lineage.people import current_user
from lineage.records import PublicationRecord, WithdrawalRecord
from lineage.store import Lineage, open_lineage
from lineage.version_folder import describe_version
from trainer.progress import Progress, TerminalProgress


@dataclass(frozen=True)
class Reason:
    """Who wants a change, and why."""

    who: str
    why: str

    @classmethod
    def given(cls, why: str, who: str | None) -> "Reason":
        """Return what the command line gives, with this user where it names nobody.

        Raises:
            CommandError: there is no reason.
        """
        if not why.strip():
            raise CommandError("Say why, for those who ask later: --why TEXT.")
        return cls(who or current_user(), why)


def withdraw_version(folder: Path, reason: Reason, *, even_the_last: bool = False) -> None:
    """Hide the version in `folder` from servers, then record it; or complete what was interrupted between the two.

    Raises:
        CommandError: there is no such version, it is the last one, or it was withdrawn before.
        LineageError: the lineage cannot be used. Before the rename nothing was changed.
    """
    folder = published_place(folder)
    with _lineage() as lineage, TerminalProgress() as progress:
        hidden = withdrawn_place(folder)
        interrupted = hidden.is_dir() and not folder.exists()
        if not interrupted:
            _hide(folder, even_the_last=even_the_last)
            progress.on_note(f"Withdrew {folder}, which lies at {hidden.name} beside it now. {_now_served(folder)}")
        _record_withdrawal(lineage, folder, reason, progress, interrupted=interrupted)


def roll_back(base_path: Path, to_version: int | None, reason: Reason) -> Path:
    """Publish the content of an older version under a new number, record it, and return the new folder.

    Without `to_version` it is the one published before the newest.

    Raises:
        CommandError: there is no such version to go back to.
        ContractError: its files were changed, or it cannot be read.
        LineageError: the lineage cannot be used. Before the new version appears nothing was changed.
    """
    served, target = _target(base_path, to_version)
    with _lineage() as lineage, TerminalProgress() as progress:
        source = base_path / str(target)
        rollback = Rollback(
            to_version=target, from_version=served, who=reason.who, when=datetime.now(UTC), why=reason.why
        )
        folder = _publish_copy(source, rollback, progress)
        progress.on_note(
            f"Published {folder} with the content of version {target}, in the place of version {served}; servers that "
            f"watch {base_path} load it now.\nNext: graft check {folder}"
        )
        _record_rollback(lineage, folder, rollback, progress)
        return folder


def _hide(folder: Path, *, even_the_last: bool) -> Path:
    if not folder.is_dir():
        raise CommandError(f"There is no version at {folder}; {_published(folder.parent)}.")
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


def _target(base_path: Path, to_version: int | None) -> tuple[int, int]:
    """Return the version that is served now, and the one to go back to."""
    published = published_versions(base_path)
    if not published:
        raise CommandError(f"There is no published version under {base_path}; give models/NAME.")
    served = published[-1]
    if to_version is None:
        return served, _one_before(base_path, published)
    if to_version in withdrawn_versions(base_path):
        raise CommandError(
            f"Version {to_version} was withdrawn, so it is not published again; {_published(base_path)}."
        )
    if to_version == served:
        raise CommandError(f"Version {served} is the one that is served already; {_published(base_path)}.")
    if to_version not in published:
        raise CommandError(f"There is no version {to_version} under {base_path}; {_published(base_path)}.")
    return served, to_version


def _one_before(base_path: Path, published: list[int]) -> int:
    if len(published) == 1:
        raise CommandError(f"There is no version before {published[0]} under {base_path} to go back to.")
    try:
        rollback = Blessing.read(base_path / str(published[-1]) / BLESSING).rollback
    except ContractError:  # a damaged version is a reason to go back
        rollback = None
    if rollback:  # or the same command twice would bring back what was rolled back
        raise CommandError(
            f"Version {published[-1]} is a rollback to version {rollback.to_version} already; say with --to which "
            f"version is meant; {_published(base_path)}."
        )
    return published[-2]


def _published(base_path: Path) -> str:
    return f"published under {base_path}: {', '.join(map(str, published_versions(base_path))) or 'none'}"


def _publish_copy(source: Path, rollback: Rollback, progress: Progress) -> Path:
    progress.on_work(f"proving version {source.name}", 1)
    manifest = read_version(source)
    blessing = Blessing.read(source / BLESSING).model_copy(update={"rollback": rollback})
    progress.on_work(f"copying version {source.name}", sum(path.is_file() for path in source.rglob("*")))

    def copy(file: str, target: str) -> None:
        shutil.copy2(file, target)
        progress.on_step()

    with staged_folder(source.parent) as staged:
        shutil.copytree(source, staged, copy_function=copy, dirs_exist_ok=True)
        (staged / BLESSING).write_text(blessing.to_json())
        published = publish_version(source.parent, staged, manifest)
    return source.with_name(str(published.version))


def _record_rollback(lineage: Lineage | None, folder: Path, rollback: Rollback, progress: Progress) -> None:
    later = "`graft lineage record RUN` records it later."
    if lineage is None:
        progress.on_note(f"There is no lineage here, so it is not recorded: {later}")
        return
    why = f"rollback to version {rollback.to_version}: {rollback.why}"
    try:
        lineage.record_export(
            describe_version(folder), PublicationRecord(who=rollback.who, when=rollback.when, why=why)
        )
    except NotRecordedError:
        progress.on_note(f"Its run is not in this lineage, so the version is not either: {later}")
    except LineageError as error:
        raise type(error)(f"{error} The version is published: {later}") from error


@contextmanager
def _lineage() -> Iterator[Lineage | None]:
    """Open the lineage before anything is changed; None where there is none."""
    try:
        lineage = open_lineage(lineage_url(os.environ, Path.cwd()), create=False)
    except NotRecordedError:
        yield None
        return
    with lineage:
        yield lineage
