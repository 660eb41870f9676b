"""The verbs `runs show` and `runs compare`: how good a run is, and what differs between two."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from graft.actions.given.arguments import given_run
from graft.actions.runs.listing import interval, share
from graft.tables import NOT_KNOWN, plain_table, print_line, wide_console
from trainer.runs.phase_timing import PHASE_TITLES
from trainer.runs.record import (
    PREDICTIONS,
    REPORT,
    RunRecord,
    read_record,
    read_settings,
)
from trainer.runs.tags import tags_of


def show_run(runs: Path, name: str, console: Console | None = None) -> None:
    """Print what is known about one run.

    Raises:
        RunNotFoundError: there is no such run.
    """
    console = console or wide_console()
    folder = given_run(name, runs)
    record = read_record(folder)
    table = plain_table(("", ""), _facts(folder, record).items())
    table.show_header = False
    console.print(table)
    _print_classes(record.judged["per_class"], console)


def compare_runs(runs: Path, a: str, b: str, console: Console | None = None) -> None:
    """Print what differs between two runs, and whether the difference in accuracy is more than chance.

    Raises:
        RunNotFoundError: there is no such run.
        RunFileError: the predictions of one cannot be read.
    """
    # SciPy takes seconds, which listing runs should not cost
    from trainer.evaluation.comparison import compare_predictions, configuration_differences, shared_test_images
    from trainer.evaluation.predictions_file import read_predictions

    console = console or wide_console()
    one, other = given_run(a, runs), given_run(b, runs)
    records = read_record(one), read_record(other)
    for letter, record in zip("AB", records, strict=True):
        print_line(console, f"{letter}: {record.id}")
    console.print()
    settings = configuration_differences(read_settings(one), read_settings(other))
    _print_differences("setting", {each.name: (each.a, each.b) for each in settings}, console)
    _print_differences("data", _differing(*(_data_facts(record) for record in records)), console)
    _print_results(records[0], records[1], console)
    if without := [record.id for record in records if record.judged_on != "test"]:
        print_line(console, f"Without test images (--no-test): {', '.join(without)}; nothing to compare on.")
        return
    shared = shared_test_images(read_predictions(one / PREDICTIONS), read_predictions(other / PREDICTIONS))
    _print_verdict(compare_predictions(shared.a_right, shared.b_right), shared.relabelled, console)


def _facts(folder: Path, record: RunRecord) -> dict[str, str]:
    judged = record.judged
    report = folder / REPORT
    return {
        "run": record.id,
        "name": record.name,
        **({"tags": ", ".join(tags_of(folder))} if tags_of(folder) else {}),
        "ended": f"{record.ended:%Y-%m-%d %H:%M:%S %Z}",
        "architecture": record.architecture,
        "base weights": record.base_weights.source,
        "kept": PHASE_TITLES[record.kept_phase],
        **({"gate": record.gate.reason} if record.gate else {}),
        f"{record.judged_on} accuracy": (
            f"{share(judged['accuracy'])} of {judged['images']} images; 95 % interval {interval(judged)}"
        ),
        "temperature": f"{record.temperature:.3f}",
        "data": f"{record.dataset_folder} ({_counts(record)})",
        "code": record.code_version,
        **({"report": str(report)} if report.is_file() else {}),
        **{f"note {number}": note for number, note in enumerate(record.notes, start=1)},
    }


def _print_classes(per_class: Mapping[str, Any], console: Console) -> None:
    rows = [
        (name, str(each["images"]), *(share(each.get(key)) for key in ("precision", "recall", "f1")))
        for name, each in per_class.items()
    ]
    console.print()
    console.print(plain_table(("class", "images", "precision", "recall", "F1"), rows))


def _data_facts(record: RunRecord) -> dict[str, Any]:
    counts = {f"{split} images": count for split, count in record.images.items()}
    return {"digest": record.dataset_digest, "folder": str(record.dataset_folder), **counts, "classes": record.labels}


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (a.get(name), b.get(name)) for name in dict.fromkeys([*a, *b]) if a.get(name) != b.get(name)}


def _print_differences(what: str, differing: Mapping[str, tuple[Any, Any]], console: Console) -> None:
    if not differing:
        print_line(console, f"No {what} differs.")
        console.print()
        return
    rows = [(name, _value(a), _value(b)) for name, (a, b) in differing.items()]
    console.print(plain_table((what, "A", "B"), rows))
    console.print()


def _print_results(a: RunRecord, b: RunRecord, console: Console) -> None:
    measures = (("accuracy", "accuracy"), ("macro F1", "macro_f1"), ("cross-entropy, nats", "cross_entropy"))
    both = (a.judged, b.judged)
    rows = [(title, *(_measure(judged.get(key)) for judged in both)) for title, key in measures]
    rows.append(("95 % interval of accuracy", *map(interval, both)))
    if a.judged_on == b.judged_on == "test":
        rows.append(("test images", *(str(judged["images"]) for judged in both)))
        title = "result on test"
    else:
        rows.append(("images", *(f"{each.judged['images']} {each.judged_on}" for each in (a, b))))
        title = "result"
    console.print(plain_table((title, "A", "B"), rows))
    console.print()


def _print_verdict(paired: Any, relabelled: int, console: Console) -> None:
    from trainer.evaluation.comparison import verdict_in_words

    if relabelled:
        print_line(console, f"{relabelled} shared test images have another class in B, and are left out.")
    if paired.images:
        print_line(
            console,
            f"Shared test images: {paired.images}; right: A {paired.a_right}, B {paired.b_right}; "
            f"only A {paired.only_a_right}, only B {paired.only_b_right}; McNemar's exact p = {paired.p_value:.3g}",
        )
    print_line(console, verdict_in_words(paired, "A", "B"))


def _counts(record: RunRecord) -> str:
    return ", ".join(f"{count} {split}" for split, count in record.images.items())


def _measure(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{value:.4f}"


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_value(each) for each in value) or "none"
    return "not set" if value is None else str(value)
