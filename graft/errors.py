"""How a verb ends when it cannot do what was asked: one clear line, and an exit code that a script can read."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract.errors import ContractError
from contract.plain_text import plain_text
from contract.storage.unwritable import FULL, why_unwritable
from exporter.errors import (
    ExpectationError,
    ExportError,
    LiteGateError,
    OperationError,
    ParityError,
    RegressionError,
    UnchangedError,
)
from lineage.errors import LineageError
from modelserver.errors import ServingError
from trainer.errors import TrainerError
from trainer.interruption import TerminatedError

DONE, GATE_SAID_NO, BAD_INPUT, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143

_GATES = (ExpectationError, LiteGateError, OperationError, ParityError, RegressionError, UnchangedError)
_BAD_INPUT = (ContractError, ExportError, LineageError, ServingError, TrainerError)


class CommandError(Exception):
    """The command line asks for what cannot be done; the message is one sentence that says what to do."""


class ImageRefusedError(Exception):
    """An image cannot be read, or a version does not take it; the message is one sentence."""


@contextmanager
def one_clear_line() -> Iterator[None]:
    """Turn what may go wrong in a verb into a line on standard error and an exit code.

    Errors that are in no family of ours are defects, and keep their traceback.

    Raises:
        SystemExit: with 1 where a gate said no, 2 for bad input, 130 after Ctrl-C, 143 after SIGTERM.
    """
    try:
        yield
    except KeyboardInterrupt:
        _leave("Stopped.", INTERRUPTED)
    except TerminatedError:
        _leave("Stopped.", TERMINATED)
    except _GATES as error:
        _leave(str(error), GATE_SAID_NO)
    except (CommandError, *_BAD_INPUT) as error:
        _leave(str(error), BAD_INPUT)
    except OSError as error:  # a full disk, a folder that may not be written
        _leave(_in_words(error), BAD_INPUT)


def _in_words(error: OSError) -> str:
    if error.filename and error.errno in {*FULL, errno.EROFS}:
        path = Path(os.fsdecode(error.filename))
        return f"{why_unwritable(error, path if path.is_dir() else path.parent)}; make room, and run it again."
    if error.errno in FULL:  # such as standard output into a file
        return f"A disk is full ({error.strerror}): that of standard output, or of the folder for temporary files."
    return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"


def _leave(message: str, code: int) -> None:
    sys.stdout.flush()
    print(plain_text(message), file=sys.stderr)  # noqa: T201 - this is the command's own output
    raise SystemExit(code)
