"""The verb `runs prune`: deletes runs that nothing needs, after it has shown which."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from contract.errors import ContractError
from contract.manifest import ModelManifest
from contract.storage.pruned import PRUNED, pruned_record
from contract.storage.unwritable import naming_folder, size_in_words
from contract.versions import MANIFEST
from graft.actions.default_lineage import default_lineage_if_any
from graft.actions.given.arguments import refuse_as_parent
from graft.actions.given.kinds import models_in, versions_of
from graft.errors import CommandError
from graft.tables import plain_table, print_line, wide_console
from lineage.people import current_user
from lineage.results import Descendants
from trainer.errors import RunNotFoundError
from trainer.runs.record import RunRecord, list_runs, read_record, unfinished_runs
from trainer.runs.tags import tags_of

_FROM_RUN = "run:"


@dataclass(frozen=True)
class PruneRequest:
    """What may be deleted: all finished runs but the newest `keep` of each name, those with a tag, and needed ones."""

    runs: Path
    models: Path
    keep: int
    unfinished: bool
    even_needed: bool
    delete: bool


def prune_runs(request: PruneRequest) -> None:
    """Print which runs nothing needs and what they take, and delete them if that was asked for.

    Raises:
        CommandError: the folder of runs is itself a run.
        LineageError: the lineage cannot be read, so that it is not known which runs are needed.
    """
    refuse_as_parent(request.runs, "--runs")
    _remove_leftovers(request.runs)
    kept = _kept(request)
    chosen = [folder for folder in _candidates(request) if folder.name not in kept]
    sizes = {folder: _bytes_in(folder) for folder in chosen}
    console = wide_console()
    for why in dict.fromkeys(kept.values()):
        print_line(console, f"Kept, {why}: {', '.join(sorted(each for each in kept if kept[each] == why))}")
    if not chosen:
        print_line(console, f"There is nothing to prune under {request.runs}.")
        return
    console.print(plain_table(("run", "MB"), ((each.name, f"{sizes[each] / 1e6:.1f}") for each in chosen), ("MB",)))
    total = size_in_words(sum(sizes.values()))
    if not request.delete:
        print_line(console, f"{len(chosen)} runs, {total}. Nothing was deleted; --yes deletes these.")
        return
    for folder in chosen:
        _prune(folder, sizes[folder])
    print_line(console, f"Deleted {len(chosen)} runs, which frees {total}.")


def _candidates(request: PruneRequest) -> list[Path]:
    unfinished = unfinished_runs(request.runs) if request.unfinished else []
    return sorted([*list_runs(request.runs), *unfinished])


def _kept(request: PruneRequest) -> dict[str, str]:
    """Return the runs that stay, by id, each with the first reason."""
    folders = list_runs(request.runs)
    records = {folder.name: record for folder in folders if (record := _record_of(folder))}
    needed = [] if request.even_needed else _needed(request, records)
    tagged = [folder.name for folder in [*folders, *unfinished_runs(request.runs)] if tags_of(folder)]
    unreadable = [folder.name for folder in folders if folder.name not in records]
    training = [folder.name for folder in unfinished_runs(request.runs) if _is_trained_now(folder)]
    reasons = {
        f"the newest {request.keep} of each name": _newest(records, request.keep),
        "tagged": tagged,
        "not readable": unreadable,
        "being trained": training,
        "needed by published versions (--even-needed deletes these too)": needed,
    }
    return {name: why for why, names in reasons.items() for name in names}


def _newest(records: Mapping[str, RunRecord], keep: int) -> list[str]:
    of_name: dict[str, list[str]] = {}
    for each in sorted(records, key=lambda each: records[each].ended, reverse=True):
        of_name.setdefault(records[each].name, []).append(each)
    return [each for named in of_name.values() for each in named[:keep]]


def _needed(request: PruneRequest, records: Mapping[str, RunRecord]) -> list[str]:
    """Return the runs of published versions, and those that these were fine-tuned from."""
    found = {manifest.run for manifest in _manifests(request.models)}
    with default_lineage_if_any() as lineage:
        if lineage is not None:
            found |= {each for each in records if any(map(_has_published, lineage.runs_with(run=each)))}
    above = list(found)
    while above:
        record = records.get(above.pop())
        source = record.base_weights.source if record else ""
        parent = source.removeprefix(_FROM_RUN)
        if source.startswith(_FROM_RUN) and parent not in found:
            found.add(parent)
            above.append(parent)
    return [each for each in records if each in found]


def _has_published(tree: Descendants) -> bool:
    published = any(export.publications and not export.withdrawn for export in tree.exports)
    return published or any(map(_has_published, tree.descended))


def _manifests(models: Path) -> Iterator[ModelManifest]:
    for version in (version for model in models_in(models) for version in versions_of(model)):
        try:
            yield ModelManifest.read(version / MANIFEST)
        except ContractError as error:
            raise CommandError(f"It is not known which run {version} needs, so nothing is pruned: {error}") from error


def _prune(folder: Path, size: int) -> None:
    """Write down that the run was pruned, take it out of sight in one step, then delete it."""
    written = pruned_record(folder.resolve())
    written.parent.mkdir(exist_ok=True)
    said = {"id": folder.name, "pruned": datetime.now(UTC).isoformat(), "who": current_user(), "freed_bytes": size}
    with naming_folder(written.parent):
        written.write_text(json.dumps(said, indent=2) + "\n")
    shutil.rmtree(folder.resolve().rename(written.with_suffix("")))


def _remove_leftovers(runs: Path) -> None:
    """Remove what a prune that was interrupted left out of sight."""
    hidden = runs / PRUNED
    for folder in [each for each in hidden.glob("*") if each.is_dir()]:
        shutil.rmtree(folder)


def _bytes_in(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _record_of(folder: Path) -> RunRecord | None:
    try:
        return read_record(folder)
    except RunNotFoundError:
        return None


def _is_trained_now(folder: Path) -> bool:
    with _opened(folder) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
