"""The flags of `graft train` as Keras users type them."""

from pathlib import Path
from typing import Any

import pytest

from graft.actions.settings import settings_of
from graft.actions.train import TrainingRequest, given_settings
from graft.cli import app
from graft.errors import CommandError
from graft.verbs.train_flags import MEANT
from trainer.config import TrainingConfig, parse_assignment


def settings(*assignments: str, **options: Any) -> TrainingConfig:
    """Return the settings of these options and `--set` assignments."""
    return TrainingRequest(None, None, None, given_settings(**options), assignments, Path("runs")).settings()


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the one line in which `graft train` refuses the arguments; nothing of TensorFlow is needed for it."""
    with pytest.raises(SystemExit) as end:
        app(["train", "nowhere", "--name", "x", *arguments])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_one_number_is_for_both_phases() -> None:
    """`--epochs 5` is at most five epochs in each phase, and `--patience 2` ends either of them."""
    config = settings(epochs=[5], patience=[2])
    assert (config.phase_one.epochs, config.phase_two.epochs) == (5, 5)
    assert (config.phase_one.patience, config.phase_two.patience) == (2, 2)


def test_two_numbers_are_one_for_each_phase() -> None:
    """`--epochs 5,3 --learning-rate 0.01,0.0002` says both phases."""
    config = settings(epochs=[5, 3], learning_rate=[0.01, 0.0002])
    assert (config.phase_one.epochs, config.phase_two.epochs) == (5, 3)
    assert (config.phase_one.learning_rate, config.phase_two.learning_rate) == (0.01, 0.0002)


def test_phase_two_has_a_tenth_of_one_learning_rate() -> None:
    """`--learning-rate 0.01` leaves phase two as gentle as it is by default."""
    config = settings(learning_rate=[0.01])
    assert config.phase_one.learning_rate == 0.01
    assert config.phase_two.learning_rate == pytest.approx(0.001)


def test_a_setting_counts_more_than_a_flag() -> None:
    """`--set phase_two.epochs=1` is for phase two alone, beside `--epochs`."""
    config = settings("phase_two.epochs=1", epochs=7)
    assert (config.phase_one.epochs, config.phase_two.epochs) == (7, 1)


def test_three_numbers_are_too_many() -> None:
    """There are two phases."""
    with pytest.raises(CommandError, match="--learning-rate takes one number, or one for each of the two phases; 3"):
        given_settings(learning_rate=[0.1, 0.01, 0.001])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--epochs", "0"], "phase_one.epochs does not fit: Input should be greater than 0, not 0."),
        (["--epochs", "5,x"], "phase_two.epochs does not fit: Input should be a valid integer"),
        (["--epochs", "2.5"], "phase_one.epochs does not fit: Input should be a valid integer"),
        (["--patience=-1"], "phase_one.patience does not fit: Input should be greater than 0, not -1."),
        (["--batch-size", "0"], "data.batch_size does not fit: Input should be greater than 0, not 0."),
        (["--learning-rate", "fast"], "phase_one.learning_rate does not fit: Input should be a valid number"),
        (["--learning-rate", "5"], "phase_one.learning_rate does not fit: Input should be less than or equal to 1"),
        (["--learning-rate", "nan"], "phase_one.learning_rate does not fit: Input should be a finite number"),
        (["--learning-rate", "0.1,0.1"], "phase_two.learning_rate must be 10 to 100 times lower"),
        (["--seed", "5000000000"], "seed does not fit: Input should be less than 4294967296"),
        (["--set", "head.l2=inf"], "head.l2 does not fit: Input should be a finite number, not inf."),
        (["--set", 'augmentation.steps=[{kind="zoom",amount=inf}]'], "Input should be a finite number"),
    ],
)
def test_a_value_out_of_range_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What does not fit is said at once, with what was given."""
    assert sentence in error_of(capsys, *arguments)


@pytest.mark.parametrize(
    ("flag", "meant"),
    [
        ("--epoch", "--epochs"),
        ("--lr", "--learning-rate"),
        ("--learning_rate", "--learning-rate"),
        ("--batch_size=8", "--batch-size"),
        ("--validation_split=0.2", "--set data.validation_share=0.15"),
        ("--dropout", "--set head.dropout=VALUE"),
        ("--label-smoothing", "--set head.label_smoothing=VALUE"),
        ("--phase-two.epochs", "--set phase_two.epochs=VALUE"),
        ("--data_dir", "the folder alone, graft train DATA"),
    ],
)
def test_an_unknown_flag_is_told_what_is_meant(flag: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Flags of Keras scripts, misspelled ones and settings are refused with what they are called here."""
    assert error_of(capsys, flag) == f"There is no option {flag.partition('=')[0]}; did you mean {meant}?"


def test_a_flag_like_no_other_is_told_where_all_are(capsys: pytest.CaptureFixture[str]) -> None:
    """What has no likeness here gets no guess."""
    assert error_of(capsys, "--zzz") == (
        "There is no option --zzz; see graft train --help, and graft settings train for --set."
    )


def test_what_is_meant_exists() -> None:
    """Every setting that is named for a flag of Keras is one."""
    names = {each.name for each in settings_of("train")}
    given = [meant.removeprefix("--set ").strip("'") for meant in MEANT.values() if meant.startswith("--set ")]
    assert given
    assert {parse_assignment(each)[0] for each in given} <= names
