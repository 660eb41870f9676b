"""Graphs of single signatures, cut out of a SavedModel and run by TensorFlow's library alone."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from contract.serving_messages import GraphDef
from modelserver.engines.graphs.session import GraphSession
from modelserver.engines.graphs.signatures import SavedGraphs, SignatureGraph
from modelserver.errors import BadInputError, LoadError
from tests.modelserver.litert_versions import SIZE, write_version


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a version."""
    return write_version(tmp_path_factory.mktemp("graphs") / "1", with_network=False)


def save(folder: Path, module: tf.Module, function: object) -> Path:
    """Save a module with one signature."""
    tf.saved_model.save(module, str(folder), signatures={"serving_default": function})
    return folder


def operations_of(definition: bytes) -> set[str]:
    return {node.op for function in GraphDef.FromString(definition).library.function for node in function.node_def}


def test_a_signature_is_cut_out_with_what_it_needs_alone(version: Path) -> None:
    """The graph that decodes has none of the network's convolutions, and is a part of the whole."""
    graphs = SavedGraphs(version)
    decoding, whole = (
        operations_of(graphs.cut_out(name).definition) for name in ("pixels_of_image", "serving_default")
    )
    assert "DecodeJpeg" in decoding
    assert "Conv2D" not in decoding
    assert decoding < whole


def test_it_runs_as_the_whole_model(version: Path) -> None:
    """Outputs are those of the SavedModel that Python loads, for any number of rows; of none there are none.

    With oneDNN TensorFlow itself refuses this graph's batch of no rows, so that there is nothing to compare with.
    """
    session = GraphSession(SavedGraphs(version).cut_out("serving_pixels"))
    signature = tf.saved_model.load(str(version)).signatures["serving_pixels"]
    for rows in (1, 3):
        pixels = np.random.default_rng(rows).integers(0, 256, (rows, SIZE, SIZE, 3), np.uint8)
        response = session.run({"pixels": pixels}, ["probabilities"])["probabilities"]
        np.testing.assert_allclose(response, signature(pixels=tf.constant(pixels))["probabilities"], atol=1e-6)
    nothing = session.run({"pixels": np.zeros((0, SIZE, SIZE, 3), np.uint8)}, ["probabilities"])["probabilities"]
    assert nothing.shape == (0, 3)
    assert nothing.dtype == np.float32


def test_rows_of_strided_arrays_are_read_right(version: Path) -> None:
    """An array that is a view, with gaps in memory, is sent as it is seen."""
    session = GraphSession(SavedGraphs(version).cut_out("serving_pixels"))
    pixels = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)
    one, other = (
        session.run({"pixels": array}, ["probabilities"])["probabilities"]
        for array in (pixels[::2], pixels[::2].copy())
    )
    np.testing.assert_array_equal(one, other)


def test_what_an_operation_refuses_is_bad_input(version: Path) -> None:
    """The error is the operation's own sentence, without names of nodes, and the session goes on."""
    session = GraphSession(SavedGraphs(version).cut_out("pixels_of_image"))
    broken = np.array(b"\xff\xd8\xff\xe0" + bytes(100), np.object_)
    for _ in range(3):
        with pytest.raises(BadInputError) as caught:
            session.run({"image_bytes": broken}, ["valid"])
        assert "{{" not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_strings_and_truth_values_go_through(tmp_path: Path) -> None:
    """Bytes of any length and content, in arrays of any shape, reach the graph whole."""
    spec = tf.TensorSpec([None, None], tf.string, name="text")
    lengths = tf.function(
        lambda text: {"hash": tf.cast(tf.strings.to_hash_bucket_fast(text, 2**20), tf.float32), "empty": text == b""}
    ).get_concrete_function(spec)
    session = GraphSession(SavedGraphs(save(tmp_path / "1", tf.Module(), lengths)).cut_out("serving_default"))
    text = np.array([[b"", b"\0\xff"], [b"long" * 5000, b"\0"]], np.object_)
    response = session.run({"text": text}, ["hash", "empty"])
    assert response["empty"].tolist() == [[True, False], [False, False]]
    np.testing.assert_array_equal(response["hash"], lengths(text=tf.constant(text))["hash"])


def test_a_signature_that_is_not_there_is_named(version: Path) -> None:
    """So that whoever loads an older version knows what to do."""
    with pytest.raises(LoadError, match="no signature other; export the run again"):
        SavedGraphs(version).cut_out("other")


def test_weights_outside_the_graph_are_not_forgotten(tmp_path: Path) -> None:
    """A signature with variables cannot run by its graph alone, and is not cut out."""
    module = tf.Module()
    module.weight = tf.Variable([2.0])
    spec = tf.TensorSpec([None], tf.float32, name="x")
    scale = tf.function(lambda x: {"y": x * module.weight}).get_concrete_function(spec)
    with pytest.raises(LoadError, match="has VarHandleOp, and not only constants"):
        SavedGraphs(save(tmp_path / "1", module, scale)).cut_out("serving_default")


def test_graphs_that_tensorflow_does_not_take_are_load_errors(version: Path) -> None:
    """An operation that nobody knows, and an output that is not there."""
    unknown = GraphDef(node=[{"name": "x", "op": "NoSuchOperation"}]).SerializeToString()
    with pytest.raises(LoadError, match="NoSuchOperation"):
        GraphSession(SignatureGraph(unknown, {}, {"y": "x:0"}))
    whole = SavedGraphs(version).cut_out("serving_pixels")
    with pytest.raises(LoadError, match="no operation nowhere"):
        GraphSession(SignatureGraph(whole.definition, whole.inputs, {"probabilities": "nowhere:0"}))
