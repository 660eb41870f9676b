"""What the oldest supported TensorFlow Serving does not know is found, wherever in a graph it hides."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from contract.manifest import ModelManifest
from contract.versions import MANIFEST
from exporter.saved_model.operations import known_operations, serving_target, unknown_operations
from tests.exporter.conftest import Publication


def save(folder: Path, prediction: Callable[[Any], Any]) -> Path:
    """Write a SavedModel of a function of strings."""
    function = tf.function(prediction).get_concrete_function(tf.TensorSpec([None], tf.string, name="x"))
    tf.saved_model.save(tf.Module(), str(folder), signatures={"serving_default": function})
    return folder


def changed(source: Path, target: Path, change: Callable[[Any], None]) -> Path:
    """Write the graph of a SavedModel with a change of its message."""
    model = saved_model_pb2.SavedModel.FromString((source / "saved_model.pb").read_bytes())
    change(model.meta_graphs[0].graph_def)
    target.mkdir()
    (target / "saved_model.pb").write_bytes(model.SerializeToString())
    return target


def test_published_version_uses_only_what_is_known(first: Publication) -> None:
    """A version as it is exported has nothing that TensorFlow 2.18 does not have."""
    assert unknown_operations(first.folder) == []


def test_list_is_that_of_the_release() -> None:
    """The list has the operations that a served image needs, with attributes, and none that came later."""
    known = known_operations()
    assert len(known) > 1500
    assert "dct_method" in known["DecodeJpeg"]
    assert "ParallelMapDatasetV2" in known
    assert not known.keys() & {"DecodeWebP", "DecodeJxl"}


def test_targets_differ_in_webp() -> None:
    """TensorFlow Serving 2.18 has no operation that decodes WebP; our own model server has."""
    theirs, ours = serving_target("tensorflow-serving"), serving_target("graft")
    assert (theirs.server, theirs.encodings) == ("TensorFlow Serving 2.18", ("jpeg", "png", "bmp"))
    assert (ours.server, ours.encodings) == ("graft modelserver", ("jpeg", "png", "bmp", "webp"))


def test_version_says_what_it_is_for(first: Publication) -> None:
    """An export without an option is for TensorFlow Serving, and its manifest says so; its graph decodes all kinds."""
    manifest = ModelManifest.read(first.folder / MANIFEST)
    assert manifest.target == serving_target("tensorflow-serving")
    assert "webp" in manifest.image_input.encodings


def test_newer_operation_is_found_inside_functions(tmp_path: Path) -> None:
    """An operation in a branch of a dataset's function is two functions deep, and is found."""

    def decode(content: Any) -> Any:
        return tf.cond(
            tf.strings.length(content) > 9,
            lambda: tf.shape(tf.raw_ops.DecodeWebP(contents=content, channels=3))[0],
            lambda: 0,
        )

    def predict(contents: Any) -> dict[str, Any]:
        sizes = tf.data.Dataset.from_tensor_slices(contents).map(decode).batch(2)
        return {"size": sizes.get_single_element()}

    assert unknown_operations(save(tmp_path / "model", predict)) == ["DecodeWebP"]


def add_attribute(graph: Any) -> None:
    function = graph.library.function[0]
    function.node_def[0].attr["novel"].b = True
    function.node_def[0].attr["_hint"].b = True


def raise_version(graph: Any) -> None:
    graph.versions.min_consumer = 1995


@pytest.mark.parametrize(("change", "found"), [(add_attribute, r"\w+\.novel"), (raise_version, "graph version 1995")])
def test_newer_attribute_or_graph_is_found(
    first: Publication, tmp_path: Path, change: Callable[[Any], None], found: str
) -> None:
    """A known operation with an attribute that 2.18 lacks is named with it; hints do not count; so is a newer graph."""
    (unknown,) = unknown_operations(changed(first.folder, tmp_path / "model", change))
    assert re.fullmatch(found, unknown)
