"""How a check looks on a terminal."""

from collections.abc import Iterator

from rich.console import Console

from exporter.check.report import CheckReport, PredictorResult
from graft.tables import NOT_KNOWN, plain_table, print_line

_SHOWN = 5
"""Broken images that are shown of each; all that are named are in the JSON."""

_COLUMNS = ("predictor", "images", "largest", "mean", "top-1 agrees", "p50 ms", "bound", "verdict")


def print_report(report: CheckReport, console: Console) -> None:
    """Print the table, the first images that broke a bound, and the verdict."""
    on = ", ".join(f"{count} {what}" for what, count in report.images.items())
    print_line(console, f"{report.name}/{report.version}, {report.digest[:19]}, on {on}")
    console.print(plain_table(_COLUMNS, (_cells(row) for row in report.rows), _COLUMNS[1:7]))
    for row in report.rows:
        for line in _broken_lines(row):
            print_line(console, line)
    for note in report.notes:
        print_line(console, f"Note: {note}")
    print_line(console, _verdict(report))


def _cells(row: PredictorResult) -> tuple[str, ...]:
    agreement = NOT_KNOWN if row.top1_agreement is None else f"{100 * row.top1_agreement:.2f} %"
    return (
        row.name,
        str(row.images or NOT_KNOWN),
        _number(row.largest_difference),
        _number(row.mean_difference),
        agreement,
        NOT_KNOWN if row.latency_p50_ms is None else f"{row.latency_p50_ms:.1f}",
        ", ".join(f"{bound:.1e}".replace(".0e", "e") for bound in row.bounds) or NOT_KNOWN,
        row.verdict,
    )


def _number(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{value:.1e}"


def _broken_lines(row: PredictorResult) -> Iterator[str]:
    if not row.broken:
        return
    worst = f"; the worst is {row.worst_image}, off by {row.largest_difference:.2g}" if row.worst_image else ""
    yield f"{row.name}: {row.broken} of {row.images} images{worst}"
    for breach in row.breaches[:_SHOWN]:
        yield f"  {breach.image}: {breach.what}"
    if row.broken > _SHOWN:
        yield f"  and {row.broken - _SHOWN} more"


def _verdict(report: CheckReport) -> str:
    broken = [row.name for row in report.rows if row.broken]
    if broken:
        return f"Not the same: {', '.join(broken)}."
    return "All answer the same, within their bounds."
