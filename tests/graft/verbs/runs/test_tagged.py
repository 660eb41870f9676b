"""The verb `runs tag`: a tag names a run wherever a run can be named."""

from datetime import timedelta
from pathlib import Path

import pytest

from graft.actions.runs.tagging import tag_run, untag_run
from graft.errors import CommandError
from tests.fakes.runs import ENDED, write_run
from trainer.config import TrainingConfig
from trainer.errors import RunFileError, RunNotFoundError
from trainer.runs.record import find_run
from trainer.runs.tags import TAGS, tags_of
from trainer.runs.unfinished import find_unfinished


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two finished runs of the name flowers, and one that is not finished."""
    write_run(tmp_path, "20261121-a", [True], TrainingConfig())
    write_run(tmp_path, "20261122-b", [True], TrainingConfig(), ended=ENDED + timedelta(days=1))
    (tmp_path / "20261123-c" / "checkpoint").mkdir(parents=True)
    return tmp_path


def test_a_tag_names_a_run(runs: Path) -> None:
    """A tagged run is found by its tag, which may be given by any of the run's names, until it is removed."""
    tag_run(runs, "20261121", "best")
    tag_run(runs, "best", "on-the-phone")
    assert find_run("best", runs) == find_run("on-the-phone", runs) == runs / "20261121-a"
    assert tags_of(runs / "20261121-a") == ("best", "on-the-phone")
    untag_run(runs, "on-the-phone", "best")
    with pytest.raises(RunNotFoundError):
        find_run("best", runs)


def test_an_unfinished_run_is_resumed_by_its_tag(runs: Path) -> None:
    """A tag stays while a run is trained, and names what --resume continues; so does the beginning of its id."""
    tag_run(runs, "20261123-c", "overnight")
    assert find_unfinished("overnight", runs) == find_unfinished("20261123", runs) == runs / "20261123-c"
    tag_run(runs, "20261121-a", "done")
    with pytest.raises(RunNotFoundError, match="20261121-a is finished; there is nothing to resume"):
        find_unfinished("done", runs)


@pytest.mark.parametrize(
    ("tag", "sentence"),
    [
        ("latest", "would be taken for the latest run"),
        ("2026", "would be taken for the beginning of a run's id"),
        ("flowers", "would be taken for the name of runs"),
        ("a/b", "A tag may have letters, digits"),
        ("", "A tag may have letters, digits"),
        ("best", "The run 20261122-b has the tag best; graft runs tag 20261122-b best --remove takes it away."),
    ],
)
def test_a_tag_that_means_something_else_is_refused(runs: Path, tag: str, sentence: str) -> None:
    """A tag is never another run's name, and nothing is changed by a refusal."""
    tag_run(runs, "20261122-b", "best")
    with pytest.raises(CommandError) as caught:
        tag_run(runs, "20261121-a", tag)
    assert sentence in str(caught.value)
    assert tags_of(runs / "20261121-a") == ()


def test_what_a_run_does_not_have_cannot_be_removed(runs: Path) -> None:
    """Removing another tag says which tags there are."""
    tag_run(runs, "20261121-a", "best")
    with pytest.raises(CommandError, match="20261121-a does not have the tag worst; it has best"):
        untag_run(runs, "20261121-a", "worst")


def test_a_damaged_file_of_tags_is_one_sentence(runs: Path) -> None:
    """Tags that cannot be read are no reason for a traceback."""
    (runs / "20261121-a" / TAGS).write_text("{")
    with pytest.raises(RunFileError, match=r"cannot be read .*; remove the file to have none"):
        find_run("best", runs)
