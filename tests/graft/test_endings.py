"""How a verb ends: the exit code tells a script what happened, and one line tells a person."""

import errno
import re
from pathlib import Path

import pytest

from contract.errors import ContractError
from exporter.errors import ExportError, FixtureError, ParityError
from graft.errors import CommandError, one_clear_line
from modelserver.errors import ServingError
from trainer.errors import TrainerError, WeightsError
from trainer.interruption import TerminatedError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ParityError("off by 0.1"), 1),
        (ExportError("no"), 2),
        (FixtureError("no"), 2),
        (ContractError("no"), 2),
        (TrainerError("no"), 2),
        (WeightsError("no"), 2),
        (ServingError("no"), 2),
        (CommandError("no"), 2),
        (KeyboardInterrupt(), 130),
        (TerminatedError(), 143),
    ],
)
def test_each_kind_of_error_has_its_exit_code(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A gate that said no exits with 1, bad input with 2 and Ctrl-C with 130, each with its sentence."""
    with pytest.raises(SystemExit) as ended, one_clear_line():
        raise error
    assert ended.value.code == code
    assert capsys.readouterr().err.strip() == (str(error) or "Stopped.")


def test_a_full_disk_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A full disk is named by its folder, with what is free there, and the command exits with 2."""
    with pytest.raises(SystemExit) as ended, one_clear_line():
        raise OSError(errno.ENOSPC, "No space left on device", "models/x")
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert re.fullmatch(r"The disk of models is full: [\d,.]+ MB free; make room, and run it again\.\n", said)


def test_another_error_of_a_file_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    """An error of the operating system names what it is and the file."""
    with pytest.raises(SystemExit), one_clear_line():
        raise OSError(errno.EIO, "Input/output error", "models/x")
    assert capsys.readouterr().err == "Input/output error: models/x\n"


def test_a_defect_keeps_its_traceback(tmp_path: Path) -> None:
    """An error that is in no family of ours is not dressed up as bad input."""
    with pytest.raises(ZeroDivisionError), one_clear_line():
        _ = len(str(tmp_path)) // 0
