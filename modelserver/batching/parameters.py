"""TensorFlow Serving's parameters of batching, and the file they stand in (`--batching_parameters_file`)."""

import os
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from contract.serving_messages import BatchingParameters
from modelserver.errors import SettingError
from modelserver.settings import ModelServerSettings
from modelserver.text_files import read_text_message

_NUMBERS = ("max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads")


@dataclass(frozen=True)
class BatchParameters:
    """How requests are merged; the defaults are those of TensorFlow Serving."""

    max_batch_size: int = 1000
    """Rows in a request at most, and in a batch where `max_execution_batch_size` says nothing else."""
    max_execution_batch_size: int | None = None
    """Rows in a batch at most; larger requests are split. None splits none."""
    batch_timeout_micros: int = 0
    """Microseconds that a request waits for others although a thread is free."""
    max_enqueued_batches: int = 10
    """Batches of one signature that wait for a thread at most; what needs another is refused."""
    num_batch_threads: int = os.cpu_count() or 1
    """Batches that run at a time."""
    allowed_batch_sizes: tuple[int, ...] = ()
    """The sizes up to which batches are filled with rows that belong to no request, ascending; empty for any size."""
    thread_pool_name: str = "batch_threads"
    """What the names of the threads begin with."""
    gather_micros: int = 0
    """How long a request waits that is not alone, where `batch_timeout_micros` is 0. TensorFlow Serving lacks it."""

    @property
    def most_rows(self) -> int:
        """Rows in a batch at most."""
        return self.max_execution_batch_size or self.max_batch_size

    def to_text(self) -> str:
        """Return a BatchingParameters message in text form, as this server and TensorFlow Serving read it."""
        message = BatchingParameters(allowed_batch_sizes=self.allowed_batch_sizes)
        for name in _NUMBERS:
            getattr(message, name).value = getattr(self, name)
        if self.max_execution_batch_size:
            message.enable_large_batch_splitting.value = True
            message.max_execution_batch_size.value = self.max_execution_batch_size
        return text_format.MessageToString(message)


def batch_parameters(settings: ModelServerSettings) -> BatchParameters:
    """Return the parameters of the settings' file, or TensorFlow Serving's defaults where there is none.

    Raises:
        SettingError: the file cannot be used.
    """
    path = settings.batching_parameters_file
    return BatchParameters() if path is None else read_batch_parameters(path)


def read_batch_parameters(path: Path) -> BatchParameters:
    """Return what a file says; what it leaves out has TensorFlow Serving's default.

    Raises:
        SettingError: the file cannot be read, is not a BatchingParameters message in text form, or has
            values that are not possible.
    """
    message = read_text_message(path, BatchingParameters, "file of batching parameters")
    given: dict[str, Any] = {name: getattr(message, name).value for name in _NUMBERS if message.HasField(name)}
    if message.HasField("thread_pool_name"):
        given["thread_pool_name"] = message.thread_pool_name.value
    if message.enable_large_batch_splitting.value and message.HasField("max_execution_batch_size"):
        given["max_execution_batch_size"] = message.max_execution_batch_size.value
    parameters = BatchParameters(**given, allowed_batch_sizes=tuple(message.allowed_batch_sizes))
    if message.pad_variable_length_inputs:
        raise SettingError(
            f"{path}: pad_variable_length_inputs is not supported here, where rows of other shapes go into other "
            "batches; take the line out, or let clients pad."
        )
    if problem := _problem_with(parameters):
        raise SettingError(f"{path}: {problem}")
    if parameters.max_enqueued_batches == 0:  # no request could ever wait; TensorFlow Serving makes it 1 too
        return replace(parameters, max_enqueued_batches=1)
    return parameters


def _problem_with(given: BatchParameters) -> str:
    """Return what is wrong with the numbers, in TensorFlow Serving's words as far as it has any; else nothing."""
    sizes = given.allowed_batch_sizes
    if sizes and sizes[-1] != given.max_batch_size:
        return (
            "Last entry in allowed_batch_sizes must match max_batch_size; last entry was "
            f"{sizes[-1]}; expected {given.max_batch_size}"
        )
    if given.num_batch_threads < 1:
        return f"num_batch_threads must be positive; was {given.num_batch_threads}"
    if given.max_batch_size < 1:
        return f"max_batch_size must be positive; was {given.max_batch_size}"
    if given.max_execution_batch_size is not None and not 0 < given.max_execution_batch_size <= given.max_batch_size:
        return (
            "max_execution_batch_size must be positive and no larger than max_batch_size; they were "
            f"{given.max_execution_batch_size} and {given.max_batch_size}"
        )
    if given.batch_timeout_micros < 0:
        return f"batch_timeout_micros must be non-negative; was {given.batch_timeout_micros}"
    if given.max_enqueued_batches < 0:
        return f"max_enqueued_batches must be non-negative; was {given.max_enqueued_batches}"
    if any(size < 1 for size in sizes) or any(one >= other for one, other in pairwise(sizes)):
        return f"allowed_batch_sizes must be positive and ascending; they were {', '.join(map(str, sizes))}"
    return ""
