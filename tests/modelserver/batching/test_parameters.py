import os
from pathlib import Path

import pytest

from modelserver.batching.parameters import BatchParameters, batch_parameters, read_batch_parameters
from modelserver.errors import SettingError
from modelserver.settings import ModelServerSettings


def _file(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "batching.config"
    file.write_text(text)
    return file


def test_a_file_is_read_as_tensorflow_serving_reads_it(tmp_path: Path) -> None:
    """Each field of the text proto has its place; numbers are wrapped in `value`."""
    text = """
        max_batch_size { value: 8 }  # rows
        batch_timeout_micros { value: 20000 }
        max_enqueued_batches { value: 100 }
        num_batch_threads { value: 3 }
        thread_pool_name { value: "pool" }
        allowed_batch_sizes: 2
        allowed_batch_sizes: 8
        pad_variable_length_inputs: false
    """
    assert read_batch_parameters(_file(tmp_path, text)) == BatchParameters(
        max_batch_size=8,
        batch_timeout_micros=20_000,
        max_enqueued_batches=100,
        num_batch_threads=3,
        thread_pool_name="pool",
        allowed_batch_sizes=(2, 8),
    )


def test_what_a_file_leaves_out_has_the_default_of_tensorflow_serving(tmp_path: Path) -> None:
    """An empty file, and no file, mean up to 1000 rows, no waiting, ten batches, and a thread per processor."""
    read = read_batch_parameters(_file(tmp_path, ""))
    settings = ModelServerSettings(model_base_path=tmp_path, enable_batching=True)
    assert read == batch_parameters(settings) == BatchParameters()
    assert (read.most_rows, read.batch_timeout_micros, read.max_enqueued_batches) == (1000, 0, 10)
    assert read.num_batch_threads == os.cpu_count()


def test_large_requests_may_be_split(tmp_path: Path) -> None:
    """With splitting switched on, batches and requests have bounds of their own; without, the batch's is not used."""
    sizes = "max_batch_size { value: 64 } max_execution_batch_size { value: 8 }"
    on = read_batch_parameters(_file(tmp_path, f"{sizes} enable_large_batch_splitting {{ value: true }}"))
    off = read_batch_parameters(_file(tmp_path, sizes))
    assert (on.max_batch_size, on.most_rows) == (64, 8)
    assert (off.max_batch_size, off.most_rows) == (64, 64)


def test_room_for_no_batch_is_room_for_one(tmp_path: Path) -> None:
    """A queue of length 0 would refuse everything, so that it is taken as 1, as in TensorFlow Serving."""
    read = read_batch_parameters(_file(tmp_path, "max_enqueued_batches { value: 0 }"))
    assert read.max_enqueued_batches == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "max_batch_size { value: 8 } allowed_batch_sizes: 4",
            "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 4; expected 8",
        ),
        (
            "allowed_batch_sizes: 4",
            "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 4; expected 1000",
        ),
        (
            "max_batch_size { value: 4 } allowed_batch_sizes: [4, 2, 4]",
            "allowed_batch_sizes must be positive and ascending; they were 4, 2, 4",
        ),
        ("num_batch_threads { value: 0 }", "num_batch_threads must be positive; was 0"),
        ("max_batch_size { value: 0 }", "max_batch_size must be positive; was 0"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros must be non-negative; was -1"),
        ("max_enqueued_batches { value: -1 }", "max_enqueued_batches must be non-negative; was -1"),
        (
            "max_batch_size { value: 4 } enable_large_batch_splitting { value: true } "
            "max_execution_batch_size { value: 8 }",
            "max_execution_batch_size must be positive and no larger than max_batch_size; they were 8 and 4",
        ),
        ("pad_variable_length_inputs: true", "pad_variable_length_inputs is not supported here"),
        ("max_batch_size: 8", "is not a BatchingParameters in text form"),
        ("max_rows { value: 8 }", 'has no field named "max_rows"'),
    ],
)
def test_a_file_that_cannot_be_followed_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    """What contradicts itself, or is not supported, is refused with the file's name and one sentence."""
    file = _file(tmp_path, text)
    with pytest.raises(SettingError) as caught:
        read_batch_parameters(file)
    assert str(file) in str(caught.value)
    assert problem in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(SettingError, match=r"nowhere cannot be read: No such file or directory\."):
        read_batch_parameters(tmp_path / "nowhere")


def test_parameters_without_batching_are_refused(tmp_path: Path) -> None:
    """A file of parameters, or their measurement, makes no sense while batching is off."""
    for given in ({"batching_parameters_file": tmp_path}, {"tune_batching": True}):
        with pytest.raises(ValueError, match="is set without setting enable_batching to true"):
            ModelServerSettings(model_base_path=tmp_path, **given)


@pytest.mark.parametrize(
    "parameters",
    [BatchParameters(8, None, 5, 6, 7, (2, 8)), BatchParameters(64, 8, batch_timeout_micros=0)],
    ids=["sizes", "splitting"],
)
def test_parameters_that_are_written_read_the_same(tmp_path: Path, parameters: BatchParameters) -> None:
    """The text form holds all that matters."""
    assert read_batch_parameters(_file(tmp_path, parameters.to_text())) == parameters
