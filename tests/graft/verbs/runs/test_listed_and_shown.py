"""The verb `runs`: listing, showing and comparing what has been trained."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from graft.actions.runs.comparing import compare_runs, show_run
from graft.actions.runs.listing import list_runs
from tests.fakes.runs import write_run
from tests.places import ROOT
from trainer.config import TrainingConfig, read_config
from trainer.errors import RunFileError, RunNotFoundError
from trainer.runs.record import PREDICTIONS, RECORD, read_record
from trainer.runs.tags import write_tags

GOOD = [True] * 90 + [False] * 10
BAD = [True] * 60 + [False] * 40
OTHER = read_config(None, {"model.alpha": 0.35, "phase_two.unfreeze": [20, 40]})


class Screen(Console):
    """A console whose output can be read."""

    def __init__(self) -> None:
        self.output = io.StringIO()
        super().__init__(file=self.output, width=200, highlight=False)

    @property
    def text(self) -> str:
        """What was printed, with runs of blanks as one."""
        return "\n".join(" ".join(line.split()) for line in self.output.getvalue().splitlines())


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two runs on the same test images, of which the first is better."""
    write_run(tmp_path / "runs", "run-a", GOOD, TrainingConfig())
    write_run(tmp_path / "runs", "run-b", BAD, OTHER, dataset_digest="sha256:0dd", name="[red]ships[/red]")
    return tmp_path / "runs"


def listed(runs: Path) -> str:
    screen = Screen()
    list_runs(runs, screen)
    return screen.text


def compared(runs: Path, a: str, b: str) -> str:
    screen = Screen()
    compare_runs(runs, a, b, screen)
    return screen.text


def test_runs_are_listed_with_their_results(runs: Path) -> None:
    """Each run has its id, name, end, architecture, accuracy with interval, and the phase that was kept."""
    first = "run-a flowers 2026-11-21 14:03 mobilenet_v2 90.0 % 82.6 % to 94.5 % phase two"
    assert first in listed(runs)


def test_names_with_brackets_are_shown_as_they_are(runs: Path) -> None:
    """A name is not taken for the terminal's markup."""
    assert "run-b [red]ships[/red]" in listed(runs)


def test_a_run_that_is_not_finished_is_marked(runs: Path) -> None:
    """A run with a checkpoint only is listed with what continues it."""
    (runs / "run-c" / "checkpoint").mkdir(parents=True)
    assert "run-c not finished graft train --resume run-c" in listed(runs)


def test_a_run_that_cannot_be_read_does_not_hide_the_others(runs: Path) -> None:
    """A record of another version is named, and the other runs are listed."""
    (runs / "run-a" / RECORD).write_text("{}")
    assert "run-a cannot be read" in listed(runs)
    assert "60.0 %" in listed(runs)


def test_no_runs_are_one_sentence(tmp_path: Path) -> None:
    """Without runs the list says what makes one."""
    assert listed(tmp_path) == f"There are no runs under {tmp_path}; graft train makes one."


def test_a_run_is_shown(runs: Path) -> None:
    """One run is shown with what it is, how good it is, and each class."""
    screen = Screen()
    show_run(runs, "run-a", screen)
    assert "test accuracy 90.0 % of 100 images; 95 % interval 82.6 % to 94.5 %" in screen.text
    assert "gate The head has settled." in screen.text
    assert "a 100 100.0 % 90.0 % 94.7 %" in screen.text
    assert "b 0 0.0 % - 0.0 %" in screen.text


def test_an_unknown_run_is_refused(runs: Path) -> None:
    """A run that is not there is an error that names those that are."""
    with pytest.raises(RunNotFoundError, match="run-a, run-b"):
        show_run(runs, "run-x", Screen())


def test_comparing_names_what_differs(runs: Path) -> None:
    """Settings and data that differ are listed for both runs, and what is equal is not."""
    text = compared(runs, "run-a", "run-b")
    assert "model.alpha not set 0.35" in text
    assert "phase_two.unfreeze not set 20, 40" in text
    assert "digest sha256:da7a sha256:0dd" in text
    assert "model.architecture" not in text
    assert "accuracy 0.9000 0.6000" in text


def test_comparing_says_whether_it_is_more_than_chance(runs: Path) -> None:
    """The shared test images decide: 30 that only A got right are more than chance."""
    text = compared(runs, "run-a", "run-b")
    assert "Shared test images: 100; right: A 90, B 60; only A 30, only B 0" in text
    assert "A is ahead of B by 30.0 points; the difference is more than chance at the 5 % level" in text


def test_comparing_runs_on_other_images_is_honest(runs: Path) -> None:
    """Runs without shared test images are compared in all but significance."""
    write_run(runs, "run-d", GOOD, TrainingConfig(), first_image=500)
    text = compared(runs, "run-a", "run-d")
    assert "No setting differs." in text
    assert "They share no test images" in text
    assert "McNemar" not in text


def test_a_run_does_not_differ_from_itself(runs: Path) -> None:
    """A run compared with itself differs in nothing."""
    text = compared(runs, "run-a", "run-a")
    assert "No setting differs." in text
    assert "No data differs." in text
    assert "right and wrong on the same images" in text


def test_a_run_without_predictions_cannot_be_compared(runs: Path) -> None:
    """A run whose predictions are missing is an error that names the file."""
    (runs / "run-b" / PREDICTIONS).unlink()
    with pytest.raises(RunFileError, match=r"predictions\.csv"):
        compared(runs, "run-a", "run-b")


def test_the_list_as_json_is_as_documented(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` has every run with the fields that docs/training.md lists, and null for what is not known."""
    (runs / "run-c" / "checkpoint").mkdir(parents=True)
    (runs / "run-b" / RECORD).write_text("{}")
    write_tags(runs / "run-a", ["best"])
    list_runs(runs, as_json=True)
    finished, unreadable, unfinished = json.loads(capsys.readouterr().out)
    assert finished["id"] == "run-a"
    assert finished["ended"] == "2026-11-21T14:03:00+00:00"
    assert (finished["accuracy"], finished["test_images"], finished["kept"]) == (0.9, 100, "phase_two")
    assert finished["tags"] == ["best"]
    assert finished["accuracy_interval"][0] == pytest.approx(0.826, abs=0.001)
    assert (unreadable["id"], unreadable["state"], unreadable["accuracy"]) == ("run-b", "unreadable", None)
    assert (unfinished["id"], unfinished["state"]) == ("run-c", "unfinished")
    documented = (ROOT / "docs" / "training.md").read_text()
    assert [field for field in finished if f"`{field}`" not in documented] == []


def test_tags_are_listed(runs: Path) -> None:
    """A run's tags are in its row, and among its facts."""
    write_tags(runs / "run-a", ["on-the-phone", "best"])
    assert "phase two best, on-the-phone" in listed(runs)


def test_a_run_without_a_test_split_says_so(runs: Path) -> None:
    """It has no test accuracy in the list, its validation accuracy when shown, and is not compared on test images."""
    file = runs / "run-b" / RECORD
    record = read_record(runs / "run-b")
    metrics = {"validation": record.metrics["test"]}
    file.write_text(record.model_copy(update={"metrics": metrics}).model_dump_json())
    assert re.search(r"mobilenet_v2 no test split ", listed(runs))
    screen = Screen()
    show_run(runs, "run-b", screen)
    assert "validation accuracy 60.0 % of 100 images" in screen.text
    assert "Without test images (--no-test): run-b; nothing to compare on." in compared(runs, "run-a", "run-b")
