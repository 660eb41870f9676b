"""Predictions as a table, as JSON, and as CSV."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Literal

from rich.console import Console

from graft.actions.predict.requests import Outcome
from graft.tables import plain_table, wide_console

Format = Literal["table", "json", "csv"]


def written(outcomes: Sequence[Outcome], form: Format, top_k: int) -> str:
    """Return the outcomes as text, in their order."""
    if form == "json":
        return _as_json(outcomes)
    return _as_csv(outcomes, top_k) if form == "csv" else _as_table(outcomes)


def print_table(outcomes: Sequence[Outcome]) -> None:
    """Print the table, as wide as the terminal."""
    wide_console().print(_table(outcomes))


def _as_json(outcomes: Sequence[Outcome]) -> str:
    return json.dumps({"images": [_entry(each) for each in outcomes]}, indent=2) + "\n"


def _entry(outcome: Outcome) -> dict[str, object]:
    if not outcome.predicted:
        return {"image": outcome.name, "error": {"code": outcome.code, "detail": outcome.detail}}
    label, probability = outcome.top[0]
    top = [{"label": label, "probability": probability} for label, probability in outcome.top]
    return {
        "image": outcome.name,
        "version": outcome.version,
        "label": label,
        "probability": probability,
        "top": top,
    }


def _as_csv(outcomes: Sequence[Outcome], top_k: int) -> str:
    text = io.StringIO()
    ranks = [""] + [f"_{rank}" for rank in range(2, top_k + 1)]
    pairs = [f"{name}{rank}" for rank in ranks for name in ("label", "probability")]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", *pairs, "version", "error", "detail"])
    for each in outcomes:
        values = [value for pair in each.top[:top_k] for value in pair]
        missing = [""] * (len(pairs) - len(values))
        writer.writerow([each.name, *values, *missing, each.version if each.predicted else "", each.code, each.detail])
    return text.getvalue().encode("utf-8", "backslashreplace").decode()


def _as_table(outcomes: Sequence[Outcome]) -> str:
    text = io.StringIO()
    Console(file=text, highlight=False, width=160).print(_table(outcomes))
    return text.getvalue()


def _table(outcomes: Sequence[Outcome]) -> object:
    return plain_table(("image", "prediction", "probability"), map(_row, outcomes), to_the_right=("probability",))


def _row(outcome: Outcome) -> tuple[str, str | list[str], str | list[str]]:
    if not outcome.predicted:
        return outcome.name, f"rejected: {outcome.detail}", ""
    return outcome.name, [label for label, _ in outcome.top], [f"{share:.3f}" for _, share in outcome.top]
