"""The verb `rollback`: the content of an older version becomes the newest one, and that is recorded."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from contract.blessing import Blessing, Rollback
from contract.errors import ContractError
from contract.publish import publish_version, read_version
from contract.versions import BLESSING, published_versions, staged_folder, withdrawn_versions
from graft.actions.default_lineage import default_lineage_if_any
from graft.actions.given.arguments import refuse_as_target
from graft.actions.versions.reason import Reason, published_line
from graft.actions.versions.server_watch import WATCHED_SECONDS, watch_published
from graft.errors import CommandError
from lineage.errors import LineageError, NotRecordedError
from lineage.records import PublicationRecord
from lineage.store import Lineage
from lineage.version_folder import describe_version
from trainer.progress import Progress, TerminalProgress


def roll_back(base_path: Path, to_version: int | None, reason: Reason, server: str | None = None) -> Path:
    """Publish the content of an older version under a new number, record it, and return the new folder.

    Without `to_version` it is the one published before the newest. With `server`, HOST:PORT, also say whether that
    model server loads it.

    Raises:
        CommandError: there is no such version to go back to.
        ContractError: its files were changed, or it cannot be read.
        LineageError: the lineage cannot be used. Before the new version appears nothing was changed.
    """
    served, target = _target(base_path, to_version)
    with default_lineage_if_any() as lineage, TerminalProgress() as progress:
        source = base_path / str(target)
        rollback = Rollback(
            to_version=target, from_version=served, who=reason.who, when=datetime.now(UTC), why=reason.why
        )
        folder = _publish_copy(source, rollback, progress)
        progress.on_note(
            f"Published {folder} with the content of version {target}, in the place of version {served}; servers that "
            f"watch {base_path} load it now."
        )
        progress.on_note(f"Next: graft check {folder}")
        _record_rollback(lineage, folder, rollback, progress)
        if server is not None:
            watch_published(server, folder.resolve().parent.name, int(folder.name), progress, WATCHED_SECONDS)
        return folder


def _target(base_path: Path, to_version: int | None) -> tuple[int, int]:
    """Return the version that is served now, and the one to go back to."""
    refuse_as_target(base_path)
    published = published_versions(base_path)
    if not published:
        raise CommandError(f"There is no published version under {base_path}; give models/NAME.")
    served = published[-1]
    if to_version is None:
        return served, _one_before(base_path, published)
    if to_version in withdrawn_versions(base_path):
        raise CommandError(
            f"Version {to_version} was withdrawn, so it is not published again; {published_line(base_path)}."
        )
    if to_version == served:
        raise CommandError(f"Version {served} is the one that is served already; {published_line(base_path)}.")
    if to_version not in published:
        raise CommandError(f"There is no version {to_version} under {base_path}; {published_line(base_path)}.")
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
            f"version is meant; {published_line(base_path)}."
        )
    return published[-2]


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
        progress.on_note(f"The run is not in this lineage, so the version was not recorded: {later}")
    except LineageError as error:
        raise type(error)(f"{error} The version is published: {later}") from error
