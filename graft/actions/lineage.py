"""The verb `lineage`: where a version came from, what came of something, and whether it is all still there."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter
from rich.console import Console

from contract.manifest import ModelManifest
from contract.versions import MANIFEST, published_versions, withdrawn_place, withdrawn_versions
from graft.actions.default_lineage import default_lineage
from graft.actions.given.arguments import exact_version, given_run, given_version
from graft.actions.given.kinds import Kind, instead, kind_of
from graft.actions.lineage_tree import ancestry_tree, checked_lines, descendants_tree, print_tree
from graft.actions.versions.reason import Reason
from graft.errors import CommandError
from graft.tables import print_line
from lineage.people import current_user
from lineage.records import PublicationRecord, WithdrawalRecord
from lineage.results import Ancestry, Descendants
from lineage.store import Lineage
from lineage.verification import Checked, check_everything
from lineage.version_folder import blessed_at, describe_version
from trainer.data.image_folder import find_images
from trainer.errors import RunNotFoundError
from trainer.progress import Progress, TerminalProgress
from trainer.runs.lineage_entry import describe_run
from trainer.runs.record import RunRecord, read_record, read_settings

_WIDE = 160  # columns where the output is a file or a pipe


def show(target: str, *, as_json: bool = False) -> None:
    """Print all that the version `target`, as models/NAME/VERSION, came from.

    Raises:
        CommandError: the target names no version.
        LineageError: it is not recorded, or the lineage cannot be read.
    """
    if kind_of(Path(target)) is not Kind.NOTHING:  # a version that is gone is found by its name
        target = str(given_version(Path(target)))
    with default_lineage(create=False) as lineage:
        ancestry = _ancestry(lineage, target)
    if as_json:
        _print_json(TypeAdapter(Ancestry).dump_json(ancestry, indent=2))
    else:
        print_tree(_console(), ancestry_tree(ancestry))


def find(*, as_json: bool = False, **given: str | None) -> None:
    """Print what came of the runs that fit: `weights_digest`, `dataset_digest`, `base_digest`, `code_version`, `run`.

    Raises:
        CommandError: nothing to look for was given, or no run fits.
        LineageError: no such digest is recorded, or the lineage cannot be read.
    """
    if not any(given.values()):
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise CommandError(f"Say what to look for: {options}.")
    with default_lineage(create=False) as lineage:
        found = lineage.runs_with(**given)
    if not found:
        raise CommandError("No such run is recorded.")
    if as_json:
        _print_json(TypeAdapter(list[Descendants]).dump_json(found, indent=2))
    else:
        for tree in found:
            print_tree(_console(), descendants_tree(tree))


def verify() -> bool:
    """Hash again what is recorded, print a line for each thing, and return whether all of it matches.

    Raises:
        LineageError: the lineage cannot be read.
    """
    all_checked: list[Checked] = []
    with default_lineage(create=False) as lineage, TerminalProgress(_console()) as progress:
        checks = check_everything(
            lineage,
            on_folder=lambda folder: progress.on_work(f"checking {folder.folder}", len(folder.files)),
            on_file=progress.on_step,
        )
        for checked in checks:
            all_checked.append(checked)
            for line in checked_lines(checked):
                progress.on_note(line)
        bad = sum(bool(checked.mismatches) for checked in all_checked)
        progress.on_note(f"{len(all_checked)} checked, {f'{bad} do not match' if bad else 'all as recorded'}.")
    return bad == 0


def withdraw(target: str, why: str, who: str | None = None) -> None:
    """Record that the version `target` was taken back, and leave its folder where it is.

    Raises:
        CommandError: the target is not a version, or no reason is given.
        LineageError: it is not recorded or not published, or the lineage cannot be written.
    """
    if not why.strip():
        raise CommandError("Say why it is withdrawn: --why TEXT.")
    if kind_of(Path(target)) is not Kind.NOTHING:
        exact_version(Path(target))
    with default_lineage(create=False) as lineage:
        export = _ancestry(lineage, target).export
        reason = Reason.given(why, who)
        record = WithdrawalRecord(who=reason.who, when=datetime.now(UTC), why=reason.why)
        lineage.record_withdrawal(export.lineage_id, record)
    print_line(
        _console(),
        f"Recorded that {record.who} withdrew {export.record.name}/{export.record.version}. It is served as long as "
        f"it lies at {export.record.folder}; `graft withdraw` takes it away from there.",
    )


def record(run: str, runs: Path, models: Path) -> None:
    """Record a finished run, the runs it was fine-tuned from and its versions under `models`, where not recorded yet.

    Raises:
        CommandError: its images are not those it was trained on.
        TrainerError: there is no such run, or its images are gone.
        ContractError: a version of it is not what its manifest says.
        LineageError: something else is recorded under its name, or the lineage cannot be written.
    """
    folder = given_run(run, runs)
    with default_lineage(create=True) as lineage, TerminalProgress(_console()) as progress:
        found = _record_run(lineage, folder, progress)
        for version in _versions_of(models / found.name, found.id):
            _record_version(lineage, version)
            progress.on_note(f"Recorded {version}")


def _record_run(lineage: Lineage, folder: Path, progress: Progress) -> RunRecord:
    record = read_record(folder)
    source = record.base_weights.source
    if source.startswith("run:"):
        _record_parent(lineage, folder.parent / source.removeprefix("run:"), progress)
    settings = read_settings(folder)
    images = find_images(record.dataset_folder, settings.data, settings.seed, progress)
    progress.on_work(f"reading the images of {record.id}", sum(record.images.values()))
    images.entries(progress.on_step)
    if images.digest() != record.dataset_digest:
        raise CommandError(
            f"The images in {record.dataset_folder} are not those that {record.id} was trained on; put them back."
        )
    lineage.record_run(describe_run(folder, record, images))
    progress.on_note(f"Recorded {folder}")
    return record


def _record_parent(lineage: Lineage, folder: Path, progress: Progress) -> None:
    try:
        _record_run(lineage, folder, progress)
    except RunNotFoundError:
        progress.on_note(f"{folder.name}, which it was fine-tuned from, is not beside it, and was not recorded")


def _record_version(lineage: Lineage, folder: Path) -> None:
    export = describe_version(folder)
    export_id = lineage.record_export(export)
    if not lineage.ancestry_of_version(export.name, export.version, export.digest).export.publications:
        publication = PublicationRecord(who=current_user(), when=blessed_at(folder), why="recorded afterwards")
        lineage.record_publication(export_id, publication)


def _versions_of(base_path: Path, run_id: str) -> list[Path]:
    folders = [base_path / str(version) for version in published_versions(base_path)]
    folders += [withdrawn_place(base_path / str(version)) for version in withdrawn_versions(base_path)]
    return [
        folder for folder in folders if _manifest_of(folder) and ModelManifest.read(folder / MANIFEST).run == run_id
    ]


def _ancestry(lineage: Lineage, target: str) -> Ancestry:
    folder = Path(target)
    if manifest := _manifest_of(folder):  # which says what it is, wherever it was copied to
        return lineage.ancestry_of_version(manifest.name, manifest.version, manifest.digest)
    if not (folder.name.isdecimal() and folder.parent.name):
        raise CommandError(instead(folder, "version", "models/NAME/VERSION"))
    return lineage.ancestry_of_version(folder.parent.name, int(folder.name))


def _manifest_of(folder: Path) -> ModelManifest | None:
    return ModelManifest.read(folder / MANIFEST) if (folder / MANIFEST).is_file() else None


def _print_json(text: bytes) -> None:
    sys.stdout.write(text.decode() + "\n")


def _console() -> Console:
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _WIDE
    return console
