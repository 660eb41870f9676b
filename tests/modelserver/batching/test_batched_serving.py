"""Batching in a whole server: the recorded answers of TensorFlow Serving, and what is better here."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf

from contract import serving_messages as messages
from contract.versions import WARMUP
from modelserver.model.tensors import to_array
from tests.fakes.tensors import to_tensor

SCENARIO = "batching"
STEPS = 100_000
"""What a graph that is to be busy for a while counts to."""
PARAMETERS = """
    max_batch_size {{ value: {most} }}
    batch_timeout_micros {{ value: {micros} }}
    max_enqueued_batches {{ value: {queue} }}
    num_batch_threads {{ value: 1 }}
    {more}
"""


class Reciprocal(tf.Module):  # type: ignore[misc]
    """x -> 1 / x, which fails where a number is 0; `slow` counts to a number first."""

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, name="x")])  # type: ignore[untyped-decorator]
    def reciprocal(self, x: Any) -> Any:
        """Map x [N,K] -> y [N,K], rows [N]: how many rows were in the batch."""
        with tf.control_dependencies([tf.debugging.assert_none_equal(x, 0.0, message="a number is zero")]):
            return {"y": 1.0 / x, "rows": tf.fill(tf.shape(x)[:1], tf.shape(x)[0])}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32, name="n")])  # type: ignore[untyped-decorator]
    def slow(self, n: Any) -> Any:
        """Map n [N] -> counted [N], after as many steps as the largest n."""
        (counted,) = tf.while_loop(lambda i: i < tf.reduce_max(n), lambda i: [i + 1], [0])
        return {"counted": tf.fill(tf.shape(n), counted)}


@pytest.fixture(scope="module")
def base_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("batched") / "reciprocal"
    module = Reciprocal()
    tf.saved_model.save(
        module, str(folder / "1"), signatures={"serving_default": module.reciprocal, "slow": module.slow}
    )
    return folder


@pytest.fixture
def start(
    base_path: Path, tmp_path: Path, start_server: Callable[..., Any], eventually: Callable[..., None]
) -> Callable[..., Any]:
    """Return a function that serves the model with batching; where it is to be full, a batch waits for that."""

    def _start(most: int = 0, queue: int = 100, more: str = "") -> Any:
        file = tmp_path / "batching.config"
        file.write_text(PARAMETERS.format(most=most or 8, micros=30_000_000 if most else 0, queue=queue, more=more))
        client = start_server(base_path, "reciprocal", enable_batching=True, batching_parameters_file=file)
        eventually(lambda: client.is_available(1, "reciprocal"))
        return client

    return _start


def _send(client: Any, *rows: list[float], **more: Any) -> Any:
    """Start a call about rows; its answer is a future."""
    return client.start_predict({"x": np.array(rows, np.float32)}, name="reciprocal", **more)


def _rows(future: Any) -> list[list[float]]:
    values: list[list[float]] = to_array(future.result().outputs["y"], "y").tolist()
    return values


def _batch_sizes(future: Any) -> set[int]:
    return set(future.result().outputs["rows"].int_val)


def test_requests_of_several_clients_share_a_run(start: Callable[..., Any]) -> None:
    """Calls that are in flight together are answered from one batch, each with its own rows."""
    client = start(most=3)
    futures = [_send(client, [1, 2]), _send(client, [4, 5]), _send(client, [8, 10])]
    assert [_rows(future) for future in futures] == [
        [[1, 0.5]],
        [[0.25, pytest.approx(0.2)]],
        [[0.125, pytest.approx(0.1)]],
    ]
    assert [_batch_sizes(future) for future in futures] == [{3}] * 3


def test_a_request_that_the_graph_refuses_harms_no_other(start: Callable[..., Any]) -> None:
    """Of a batch with a bad row, only the request with that row gets the graph's error."""
    client = start(most=4)
    good, bad, other = _send(client, [1, 2]), _send(client, [1, 0]), _send(client, [4, 8], [2, 1])
    assert (_rows(good), _rows(other)) == ([[1, 0.5]], [[0.25, 0.125], [0.5, 1]])
    with pytest.raises(grpc.RpcError) as caught:
        bad.result()
    error: Any = caught.value
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "a number is zero" in error.details()


def test_rows_of_other_widths_are_both_answered(start: Callable[..., Any]) -> None:
    """Requests that differ in an inner dimension do not fail each other, as they do in TensorFlow Serving."""
    client = start()
    narrow, wide = _send(client, [1, 2]), _send(client, [1, 2, 4])
    assert (_rows(narrow), _rows(wide)) == ([[1, 0.5]], [[1, 0.5, 0.25]])


def test_zero_rows_are_answered_with_allowed_sizes(start: Callable[..., Any]) -> None:
    """A request without rows, which ends TensorFlow Serving's process, is answered, and so is the next."""
    client = start(more="allowed_batch_sizes: [4, 8]")
    empty = client.start_predict({"x": np.zeros((0, 2), np.float32)}, name="reciprocal")
    assert to_array(empty.result().outputs["y"], "y").shape == (0, 2)
    padded = _send(client, [1, 2], [4, 8], [2, 1])
    assert _rows(padded) == [[1, 0.5], [0.25, 0.125], [0.5, 1]]
    assert _batch_sizes(padded) == {4}


def test_a_full_queue_is_unavailable(start: Callable[..., Any]) -> None:
    """What finds the queue full is refused as UNAVAILABLE, which clients may try again, with the real text."""
    client = start(most=1, queue=1)

    def count() -> Any:
        future = client.start_predict({"n": np.array([STEPS], np.int32)}, "slow", "reciprocal")
        client.states("reciprocal")  # answered on the same connection: the call has arrived before
        return future

    running, waiting, refused = count(), count(), count()
    with pytest.raises(grpc.RpcError) as caught:
        refused.result()
    error: Any = caught.value
    assert (error.code(), error.details()) == (
        grpc.StatusCode.UNAVAILABLE,
        "The batch scheduling queue to which this task was submitted is full; currently 1 batches enqueued and "
        "max_enqueued_batches is 1",
    )
    assert [list(each.result().outputs["counted"].int_val) for each in (running, waiting)] == [[STEPS], [STEPS]]


def test_outputs_may_be_filtered_in_a_batch(start: Callable[..., Any]) -> None:
    """Requests that want different outputs share a batch, and each gets those it asked for."""
    client = start(most=2)
    one, other = _send(client, [1, 2], output_filter=["rows"]), _send(client, [4, 8], output_filter=["y"])
    assert _batch_sizes(one) == {2}
    assert set(one.result().outputs) == {"rows"}
    assert set(other.result().outputs) == {"y"}


def test_a_measurement_at_the_start_chooses_the_parameters(
    base_path: Path,
    tmp_path: Path,
    start_server: Callable[..., Any],
    eventually: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With a warm-up request to measure with, the server says what it chose; large requests are answered."""
    warmed = tmp_path / "reciprocal"
    _copy_with_warmup(base_path / "1", warmed / "1")
    with caplog.at_level("INFO"):
        client = start_server(warmed, "reciprocal", enable_batching=True, tune_batching=True)
        eventually(lambda: client.is_available(1, "reciprocal"))
    assert any(
        re.search(r"Batching up to \d+ rows on \d+ threads?: up to \d+ rows/s", line) for line in caplog.messages
    )
    many = _rows(_send(client, *[[1.0, number + 1.0] for number in range(250)]))
    assert [round(1 / second) for _, second in many] == [*range(1, 251)]


def test_a_version_without_warm_up_requests_is_served_with_defaults(
    base_path: Path, start_server: Callable[..., Any], eventually: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    """Where there is nothing to measure with, the server says so and batches with the defaults."""
    with caplog.at_level("INFO"):
        client = start_server(base_path, "reciprocal", enable_batching=True, tune_batching=True)
        eventually(lambda: client.is_available(1, "reciprocal"))
    assert any("the version has no warm-up request" in line for line in caplog.messages)
    assert _rows(_send(client, [1, 2])) == [[1, 0.5]]


def _copy_with_warmup(source: Path, target: Path) -> None:
    shutil.copytree(source, target)
    request = messages.PredictRequest(model_spec={"name": "reciprocal"})
    request.inputs["x"].CopyFrom(to_tensor(np.ones((1, 2), np.float32)))
    (target / WARMUP).parent.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(target / WARMUP)) as writer:
        writer.write(messages.PredictionLog(predict_log={"request": request}).SerializeToString())
