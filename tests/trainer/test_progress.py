"""What a person sees of a training."""

import io
import itertools

import pytest
from rich.console import Console
from rich.progress import Progress as Bars

from trainer.progress import Epoch, RateColumn, TerminalProgress


def shown(*, terminal: bool) -> str:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=200, highlight=False, soft_wrap=True)
    with TerminalProgress(console) as progress:
        progress.on_note("left out: [red]a[/red].jpg")
        progress.on_phase("phase_one", 2, 1)
        for number in (1, 2):
            progress.on_step()
            progress.on_epoch(Epoch("phase_one", number, 2, 0.5, 0.75, 0.25, 1.0))
        progress.on_work("exporting", 1)
        progress.on_step()
    return output.getvalue()


def test_a_log_has_one_line_per_note_and_epoch() -> None:
    """Where the output is no terminal there are only lines, names with brackets included, and no bar."""
    assert shown(terminal=False).splitlines() == [
        "left out: [red]a[/red].jpg",
        "  phase one  1/2   train loss 0.500, accuracy 0.750   validation loss 0.250, accuracy 1.000",
        "  phase one  2/2   train loss 0.500, accuracy 0.750   validation loss 0.250, accuracy 1.000",
    ]


def test_a_terminal_has_a_bar_for_each_piece_of_work() -> None:
    """On a terminal the bar is called by what goes on."""
    output = shown(terminal=True)
    assert "exporting" in output
    assert "validation loss 0.250" in output


@pytest.mark.parametrize(("seconds", "rate"), [(1.0, "20/s"), (8.0, "2.5/s")])
def test_a_bar_says_how_fast_it_goes(seconds: float, rate: str) -> None:
    """Beside the bar stands the rate: a whole number where it is quick, a decimal where it is slow."""
    ticks = itertools.count()
    bars = Bars(RateColumn(), get_time=lambda: seconds * next(ticks))
    task = bars.add_task("work", total=100)
    for _ in range(3):  # twenty steps each time that the clock is looked at
        bars.advance(task, 20)
    assert str(RateColumn().render(bars.tasks[0])) == rate


def test_a_bar_that_has_not_moved_has_no_rate() -> None:
    """Before the first step nothing is claimed."""
    bars = Bars(RateColumn())
    bars.add_task("work", total=100)
    assert str(RateColumn().render(bars.tasks[0])) == ""
