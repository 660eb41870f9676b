"""The verb `versions`: which versions of a model there are, how each one fared, and which were taken back."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter

from graft.actions.default_lineage import default_lineage
from graft.actions.given.arguments import given_model
from graft.actions.versions.summaries import VersionSummary, read_versions
from graft.tables import NOT_KNOWN, plain_table, print_line, wide_console
from lineage.errors import AmbiguousError, LineageError, NotRecordedError
from lineage.records import WithdrawalRecord
from lineage.results import StoredExport
from lineage.store import Lineage
from trainer.data.folders.walk import plain_name

_COLUMNS = ("version", "published", "accuracy", "95 % interval", "blessing", "MB", "digest", "run", "")
_DIGITS = slice(len("sha256:"), len("sha256:") + 12)


def list_versions(base_path: Path, *, as_json: bool = False) -> None:
    """Print a row for each version of the model in the folder `base_path`, the withdrawn ones last.

    Raises:
        CommandError: it is not the folder of a model.
    """
    base_path = given_model(base_path)
    found, note = _with_withdrawals(base_path.resolve().name, read_versions(base_path))
    if as_json:
        sys.stdout.write(TypeAdapter(list[VersionSummary]).dump_json(found, indent=2).decode() + "\n")
    else:
        _print(base_path, found, note)


def withdrawal_of(export: StoredExport) -> WithdrawalRecord | None:
    """Return who took the version back, when and why; None while a publication of it stands."""
    return export.publications[-1].withdrawal if export.withdrawn else None


def _with_withdrawals(name: str, found: Sequence[VersionSummary]) -> tuple[list[VersionSummary], str]:
    """Add what the lineage knows, and return what kept it from telling."""
    try:
        with default_lineage(create=False) as lineage:
            return [replace(each, withdrawal=_recorded_withdrawal(lineage, name, each)) for each in found], ""
    except NotRecordedError as error:  # there is none here, which matters only where something was withdrawn
        return list(found), str(error) if any(each.state == "withdrawn" for each in found) else ""
    except LineageError as error:
        return list(found), str(error)


def _recorded_withdrawal(lineage: Lineage, name: str, summary: VersionSummary) -> WithdrawalRecord | None:
    try:
        export = lineage.ancestry_of_version(name, summary.version, summary.digest).export
    except (NotRecordedError, AmbiguousError):
        return None
    return withdrawal_of(export)


def _print(base_path: Path, found: Sequence[VersionSummary], note: str) -> None:
    console = wide_console()
    if not found:
        print_line(console, f"There are no versions under {plain_name(base_path)}; graft export makes one.")
        return
    console.print(plain_table(_COLUMNS, (_cells(each) for each in found), to_the_right=("version", "accuracy", "MB")))
    for each in found:
        for line in _lines_below(each):
            print_line(console, line)
    if note:
        print_line(console, note)


def _cells(summary: VersionSummary) -> tuple[str, ...]:
    low, high = summary.accuracy_interval or (None, None)
    return (
        str(summary.version),
        f"{summary.published:%Y-%m-%d %H:%M}" if summary.published else NOT_KNOWN,
        "no test split" if summary.without_test else _share(summary.accuracy),
        f"{_share(low)} to {_share(high)}" if summary.accuracy_interval else NOT_KNOWN,
        _blessing(summary),
        f"{summary.size_bytes / 1e6:.1f}",
        summary.digest[_DIGITS] if summary.digest else NOT_KNOWN,
        summary.run or NOT_KNOWN,
        ", ".join(_marks(summary)),
    )


def _blessing(summary: VersionSummary) -> str:
    if summary.largest_difference is None:
        return "none"
    said = {True: "passed, ", False: "failed, ", None: ""}[summary.passed]
    return f"{said}{summary.largest_difference:.1e}"


def _marks(summary: VersionSummary) -> Iterator[str]:
    if summary.state == "newest":
        yield "newest" if summary.problem else "served"
    if summary.copy_of:
        yield f"content of {summary.copy_of}"
    if summary.state == "withdrawn":
        yield "withdrawn"
    if summary.problem:
        yield "damaged"


def _lines_below(summary: VersionSummary) -> Iterator[str]:
    back = summary.withdrawal
    if back:
        still = "" if summary.state == "withdrawn" else "; its folder is still there: graft withdraw takes it away"
        yield (
            f"Version {summary.version} was withdrawn {back.when:%Y-%m-%d %H:%M} UTC by {back.who}: {back.why}{still}"
        )
    if summary.problem:
        yield f"Version {summary.version}: {summary.problem}"


def _share(value: float | None) -> str:
    return f"{100 * value:.1f} %" if isinstance(value, float) else NOT_KNOWN
