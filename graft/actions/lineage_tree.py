"""How answers of the lineage look on a terminal."""

import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from contract.storage.pruned import pruned_record
from graft.tables import as_text, print_line
from lineage.records import DataSetRecord
from lineage.results import Ancestry, Descendants, StoredExport, StoredPublication, StoredRun
from lineage.verification import Checked, Mismatch
from trainer.config import TrainingConfig

_GUIDES = ("│   ", "├── ", "└── ", "    ")
_ASCII = ("|   ", "+-- ", "`-- ", "    ")
_MOST_LINES = 20
"""Mismatches that are named of one folder; of a data set that was replaced, thousands would not match."""


def print_tree(console: Console, tree: Tree) -> None:
    """Print a tree with every line as long as it is: a terminal may break one, but digests and paths are never cut."""
    for line in _lines(tree, _ASCII if console.options.ascii_only else _GUIDES):
        print_line(console, line)


def _lines(tree: Tree, guides: tuple[str, str, str, str]) -> Iterator[str]:
    yield str(tree.label)
    down, beside, last, below = guides
    for number, child in enumerate(tree.children, start=1):
        is_last = number == len(tree.children)
        first, *more = _lines(child, guides)
        yield (last if is_last else beside) + first
        yield from ((below if is_last else down) + line for line in more)


def ancestry_tree(ancestry: Ancestry) -> Tree:
    """Return a version, the run that made it, and the runs below that one."""
    tree = _version_tree(ancestry.export)
    branch = tree
    for depth, run in enumerate(ancestry.runs):
        branch = _branch(branch, _run_tree(run, "fine-tuned from run" if depth else "run"))
    if ancestry.unknown_parent:
        _branch(branch, _line(f"fine-tuned from run {ancestry.unknown_parent}, which is not recorded here"))
    return tree


def descendants_tree(found: Descendants) -> Tree:
    """Return a run, its versions, and the runs that were fine-tuned from it with theirs."""
    record = found.run.record
    tree = _line(f"run {record.id}, ended {_time(record.ended)}{_accuracy(record.metrics)}")
    _branch(tree, _line(f"weights {record.weights_digest}"))
    for export in found.exports:
        _branch(tree, _version_tree(export))
    if not found.exports:
        _branch(tree, _line("never exported"))
    for child in found.descended:
        branch = descendants_tree(child)
        branch.label = Text("fine-tuned from it: ").append_text(Text(str(branch.label)))
        _branch(tree, branch)
    return tree


def checked_lines(checked: Checked) -> Iterator[str]:
    """Yield a line on a folder that was checked, and one for each thing that does not match."""
    folder, wrong = checked.folder, checked.mismatches
    what = f"{folder.kind} {folder.name} at {folder.folder}"
    if wrong:
        yield f"differs  {what}"
        yield from (f"         {_mismatch(mismatch)}" for mismatch in wrong[:_MOST_LINES])
        if len(wrong) > _MOST_LINES:
            yield f"         and {len(wrong) - _MOST_LINES} more"
    elif not folder.files:
        yield f"unknown  {what}: its images were not recorded one by one"
    elif folder.may_be_gone and not folder.folder.exists():
        yield f"gone     {what}, which was {'pruned' if folder.kind == 'run' else 'withdrawn'}"
    else:
        yield f"ok       {what}, files: {len(folder.files)}"


def _mismatch(mismatch: Mismatch) -> str:
    if mismatch.problem == "changed":
        return f"changed: {mismatch.path} (recorded {mismatch.recorded}, found {mismatch.found})"
    reason = f" ({mismatch.found})" if mismatch.found else ""
    return f"{mismatch.problem}: {mismatch.path}{reason}"


def _version_tree(export: StoredExport) -> Tree:
    record = export.record
    tree = _line(f"version {record.name}/{record.version}{' (withdrawn)' if export.withdrawn else ''}")
    _branch(tree, _line(f"digest {record.digest}"), _line(f"folder {record.folder}"))
    for publication in export.publications:
        _branch(tree, *(_line(line) for line in _publication_lines(publication)))
    if not export.publications:
        _branch(tree, _line("never published"))
    for comparison in record.parity:
        _branch(tree, _line(f"parity: {_pairs(comparison)}"))
    for file in export.lite_files:
        branch = _branch(tree, _line(f"TFLite file {file.variant}: {file.file}"))
        _branch(branch, _line(f"digest {file.digest}"))
    return tree


def _publication_lines(publication: StoredPublication) -> Iterator[str]:
    made, back = publication.record, publication.withdrawal
    yield f"published {_time(made.when)} by {made.who}{f': {made.why}' if made.why else ''}"
    if back:
        yield f"withdrawn {_time(back.when)} by {back.who}: {back.why}"


def _run_tree(run: StoredRun, title: str) -> Tree:
    record = run.record
    took = timedelta(seconds=round((record.ended - record.started).total_seconds()))
    tree = _line(f"{title} {record.id}, ended {_time(record.ended)} after {took}{_accuracy(record.metrics)}")
    gates = [f"gate {name}: {_said(said)}" for name, said in record.gates.items()]
    lines = [
        f"folder {record.folder}{_pruned(record.folder)}",
        f"weights {record.weights_digest}",
        f"code {record.code_version}",
        f"environment: {_pairs(record.environment)}",
        f"settings other than the defaults: {_pairs(_unusual(record.configuration)) or 'none'}",
        *gates,
    ]
    _branch(tree, *(_line(line) for line in lines), _data_set_tree(record.data_set))
    base = _branch(tree, _line(f"base {record.base.architecture}, weights: {record.base.source}"))
    if record.base.digest:
        _branch(base, _line(f"digest {record.base.digest}"))
    return tree


def _pruned(folder: Path) -> str:
    was = os.path.isfile(pruned_record(folder))  # noqa: PTH113 - pathlib raises for a name too long
    return " (pruned)" if was and not folder.exists() else ""


def _data_set_tree(data_set: DataSetRecord) -> Tree:
    tree = _line(f"data set {data_set.folder}")
    _branch(tree, _line(f"digest {data_set.digest}"))
    for split, counts in data_set.counts.items():
        _branch(tree, _line(f"{split}: {sum(counts.values())} images ({_pairs(counts)})"))
    return tree


def _unusual(configuration: Mapping[str, Any]) -> dict[str, Any]:
    usual = dict(_flat(TrainingConfig().model_dump(mode="json")))
    return {name: value for name, value in _flat(configuration) if name not in usual or usual[name] != value}


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _accuracy(metrics: Mapping[str, Any]) -> str:
    test = metrics.get("test")
    if test is None and "validation" in metrics:
        return ", no test split"
    accuracy = test.get("accuracy") if isinstance(test, Mapping) else None
    return f", test accuracy {accuracy:.3f}" if isinstance(accuracy, float) else ""


def _said(outcome: object) -> str:
    return _pairs(outcome) if isinstance(outcome, Mapping) else str(outcome or "did not apply")


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in values.items())


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _line(text: str) -> Tree:
    return Tree(as_text(text))


def _branch(tree: Tree, *lower: Tree) -> Tree:
    """Hang trees below another, and return the last of them."""
    tree.children.extend(lower)
    return lower[-1]
