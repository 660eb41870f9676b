"""A batch of no rows is answered with no rows by both engines, whichever way TensorFlow computes."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from modelserver.batching.runs import run_alone, run_batch
from modelserver.engines.graphs.no_rows import run_rows
from modelserver.engines.graphs.session import GraphSession
from modelserver.engines.graphs.signatures import SavedGraphs
from modelserver.engines.tensorflow.model import TensorFlowModel
from modelserver.errors import BadInputError, OutOfResourcesError
from modelserver.model.tensors import Array
from tests.places import ROOT

NONE = np.zeros((0, 4), np.float32)
WAYS = {
    "without oneDNN": {"TF_ENABLE_ONEDNN_OPTS": "0"},
    "with oneDNN": {"TF_ENABLE_ONEDNN_OPTS": "1"},
    "with oneDNN for AVX2": {"TF_ENABLE_ONEDNN_OPTS": "1", "DNNL_MAX_CPU_ISA": "AVX2"},
}
"""TensorFlow reads these when it is imported, so that each way needs a process of its own."""


class Network:
    """A graph that refuses batches of no rows, or gives one output of two rows to any batch."""

    def __init__(self, *, refuses: bool = True, outputs: int = 3, two_rows: bool = False) -> None:
        self._refuses, self._outputs, self._two_rows = refuses, outputs, two_rows
        self.seen: list[tuple[int, ...]] = []

    def run(self, arguments: Sequence[Array]) -> dict[str, Array]:
        """Give each row of the first argument three zeros."""
        (values, *_) = arguments
        self.seen.append(values.shape)
        if not len(values) and self._refuses:
            raise BadInputError("Matrix size-incompatible: In[0]: [0,4], In[1]: [8,3]")
        rows = 2 if self._two_rows else len(values)
        return {"y": np.zeros((rows, self._outputs if len(values) else 4), np.float32)}


def test_no_rows_that_the_graph_refuses_are_cut_off_one_row() -> None:
    """One row goes through the graph, and what it answers has no rows, of the right shape and type."""
    network = Network()
    outputs = run_rows(network.run, [NONE], {"y": (-1, 3)})
    assert outputs["y"].shape == (0, 3)
    assert outputs["y"].dtype == np.float32
    assert network.seen == [(0, 4), (1, 4)]


def test_no_rows_of_another_shape_than_the_signature_says_are_not_believed() -> None:
    """A network that ends with oneDNN's convolution answers no rows in the shape of its input."""
    assert run_rows(Network(refuses=False).run, [NONE], {"y": (-1, 3)})["y"].shape == (0, 3)
    assert run_rows(Network(refuses=False).run, [NONE], {})["y"].shape == (0, 4)  # nobody knows better


def test_no_rows_that_the_graph_answers_are_its_own() -> None:
    """A graph that can do it is asked once."""
    network = Network(refuses=False, outputs=4)
    assert run_rows(network.run, [NONE], {"y": (-1, 4)})["y"].shape == (0, 4)
    assert network.seen == [(0, 4)]


def test_rows_are_run_as_they_are() -> None:
    """Where there is a row, or an argument without a batch dimension, nothing is tried a second time."""
    for arguments in ([np.zeros((2, 4), np.float32)], [np.zeros((0, 4), np.float32), np.zeros((), np.float32)]):
        network = Network(refuses=False)
        run_rows(network.run, arguments, {"y": (-1, 3)})
        assert network.seen == [arguments[0].shape]


def test_outputs_that_are_no_rows_stay_refused() -> None:
    """Where one row has two rows of output, it cannot be said what no row has: the error is the graph's own."""
    with pytest.raises(BadInputError, match="Matrix size-incompatible"):
        run_rows(Network(two_rows=True).run, [NONE], {})


def test_lack_of_memory_is_not_tried_again() -> None:
    """More rows would not help."""

    def run(_arguments: Sequence[Array]) -> dict[str, Array]:
        raise OutOfResourcesError("OOM")

    with pytest.raises(OutOfResourcesError):
        run_rows(run, [NONE], {})


def save_convolution(folder: Path) -> Path:
    """Save a convolution before a matrix product as `serving_default`, and one that is all as `convolution`."""
    module = tf.Module()
    kernel, weights = tf.ones([3, 3, 3, 8]), tf.ones([8, 2])

    def convolve(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.conv2d(x, kernel, 2, "SAME")

    spec = tf.TensorSpec([None, 8, 8, 3], tf.float32, name="x")
    product = tf.function(lambda x: {"y": tf.reduce_mean(convolve(x), [1, 2]) @ weights}).get_concrete_function(spec)
    convolution = tf.function(lambda x: {"y": convolve(x)}).get_concrete_function(spec)
    signatures = {"serving_default": product, "convolution": convolution}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return folder


def respond_no_rows(folder: Path) -> None:
    """Ask both engines of TensorFlow's about no rows: alone, in a batch of none, and beside a row."""
    model = TensorFlowModel.load(folder)
    nothing, one = np.zeros((0, 8, 8, 3), np.float32), np.ones((1, 8, 8, 3), np.float32)
    for name, inner in (("serving_default", (2,)), ("convolution", (4, 4, 8))):
        session = GraphSession(SavedGraphs(folder).cut_out(name))
        assert session.run({"x": nothing}, ["y"])["y"].shape == (0, *inner)
        assert model.run(name, {"x": nothing})["y"].shape == (0, *inner)
        none, row = model.check(name, {"x": nothing}), model.check(name, {"x": one})
        assert run_alone(model.call, none)["y"].shape == (0, *inner)
        for calls in ([none, none], [none, row], [row, none]):
            responses = run_batch(model.call, calls, ())
            assert [response["y"].shape for response in responses if isinstance(response, dict)] == [
                (len(call.arguments[0]), *inner) for call in calls
            ]


@pytest.mark.parametrize("way", WAYS)
def test_both_ways_of_running_a_graph_answer_no_rows(tmp_path: Path, way: str) -> None:
    """A network with a convolution and a plain matrix product, and one that ends with a convolution."""
    folder = save_convolution(tmp_path / "1")
    code = "import pathlib, sys; from tests.modelserver.engines.graphs.test_no_rows import respond_no_rows as run"
    code += "; run(pathlib.Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        cwd=ROOT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | WAYS[way],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
