"""What a person sees of a training."""

import io

from rich.console import Console

from trainer.progress import Epoch, TerminalProgress


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
