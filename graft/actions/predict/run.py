"""Predict images by a running gateway, and write what came of them."""

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from contract.storage.unwritable import why_unwritable
from contract.storage.whole_file import write_whole
from graft.actions.predict.inputs import inputs_of
from graft.actions.predict.outputs import Format, print_table, written
from graft.actions.predict.requests import GatewayTarget, Outcome, SentImages
from graft.errors import CommandError
from graft.tables import print_line, wide_console
from trainer.progress import TerminalProgress


@dataclass(frozen=True)
class PredictImages:
    """What `graft predict` was asked for; without `out` the result goes to standard output."""

    images: Sequence[str]
    gateway: GatewayTarget
    form: Format = "table"
    top_k: int = 1
    out: Path | None = None


def predict_images(wanted: PredictImages) -> bool:
    """Send all images, write the result, list on standard error what has no prediction; return whether all have one.

    After Ctrl-C, what came back until then is written.

    Raises:
        CommandError: the arguments stand for no image, the result cannot be written, or no gateway predicts.
    """
    if wanted.out:
        _check_writable(wanted.out)
    inputs = inputs_of(wanted.images)
    with TerminalProgress(Console(stderr=True, highlight=False)) as progress:
        progress.on_work("Predicting", len(inputs))
        predictions = SentImages(inputs, progress.on_step)
        try:
            asyncio.run(predictions.fetch(wanted.gateway))
        except (KeyboardInterrupt, CommandError):
            _write(wanted, [each for each in predictions.outcomes if each and each.predicted])
            raise
    outcomes = [each for each in predictions.outcomes if each]
    _write(wanted, outcomes)
    rejected = [each for each in outcomes if not each.predicted]
    _list(rejected, len(outcomes))
    return not rejected


def _check_writable(out: Path) -> None:
    folder = out.resolve().parent
    if out.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise CommandError(f"The predictions cannot be written to {out}: --out takes a file in a folder that is yours.")


def _write(wanted: PredictImages, outcomes: Sequence[Outcome]) -> None:
    if not outcomes:
        return
    if wanted.out is None and wanted.form == "table":
        print_table(outcomes)
        return
    text = written(outcomes, wanted.form, wanted.top_k)
    if wanted.out is None:
        sys.stdout.write(text)
        sys.stdout.flush()
        return
    try:
        write_whole(wanted.out, text)
    except OSError as error:
        sys.stdout.write(text)  # or minutes of predictions would be lost
        why = why_unwritable(error, wanted.out.absolute().parent, len(text.encode()))
        raise CommandError(f"{why}; the predictions are on standard output instead of in {wanted.out}.") from error


def _list(rejected: Sequence[Outcome], of: int) -> None:
    if rejected:
        console = wide_console(to_stderr=True)
        print_line(console, f"{len(rejected)} of {of} images have no prediction:")
        for each in rejected:
            print_line(console, f"  {each.name}: {each.detail}")
