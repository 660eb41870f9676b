"""What is done to a TFLite file after the conversion: fewer bytes, halved weights, metadata."""

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from exporter.tflite.conversion import convert
from exporter.tflite.float16 import FEWEST_VALUES
from exporter.tflite.graph import PixelGraph
from exporter.tflite.interpreter import LiteModel
from exporter.tflite.metadata import Description, with_metadata
from exporter.tflite.packing import pack, unpack
from exporter.tflite.records import Variant
from tests.exporter.tflite_versions import DESCRIPTION, convolutions, draw, mean_colour, save_graph

IMAGES = draw(24)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> PixelGraph:
    """A small network."""
    return PixelGraph(save_graph(tmp_path_factory.mktemp("graph"), convolutions))


@pytest.fixture(scope="module")
def files(graph: PixelGraph) -> dict[Variant, bytes]:
    """Files of it."""
    variants: tuple[Variant, ...] = ("float32", "float16", "int8")
    return {variant: convert(graph, variant, IMAGES, DESCRIPTION) for variant in variants}


def constants(content: bytes, kind: int) -> list[int]:
    """Return the number of values of each constant tensor of a type."""
    model = unpack(content)
    (subgraph,) = model.subgraphs
    return [
        int(np.prod(tensor.shape))
        for tensor in subgraph.tensors
        if tensor.type == kind and model.buffers[tensor.buffer].data is not None
    ]


def test_only_large_weights_are_halved(files: dict[Variant, bytes]) -> None:
    """In the float16 file, constants from 2048 values on have 16 bits and the others 32, as in the float32 file."""
    whole = constants(files["float32"], schema.TensorType.FLOAT32)
    assert 9216 in whole
    halved = constants(files["float16"], schema.TensorType.FLOAT16)
    assert sorted(halved) == sorted(size for size in whole if size >= FEWEST_VALUES)
    assert sorted(constants(files["float16"], schema.TensorType.FLOAT32)) == sorted(
        size for size in whole if size < FEWEST_VALUES
    )
    assert len(files["float16"]) < 0.7 * len(files["float32"])


def test_halved_weights_answer_nearly_the_same(graph: PixelGraph, files: dict[Variant, bytes]) -> None:
    """Weights of 16 bits change probabilities by a little, but not by nothing."""
    difference = np.abs(LiteModel(files["float16"]).predict(IMAGES) - graph.predict(IMAGES)).max()
    assert 1e-6 < difference < 2e-3


def test_a_network_without_large_weights_stays_as_it_is(tmp_path: Path) -> None:
    """Where no tensor is large, the float16 file has the float32 file's numbers."""
    graph = PixelGraph(save_graph(tmp_path, mean_colour))
    content = convert(graph, "float16", IMAGES, DESCRIPTION)
    assert constants(content, schema.TensorType.FLOAT16) == []
    np.testing.assert_allclose(LiteModel(content).predict(IMAGES), graph.predict(IMAGES), rtol=0, atol=1e-6)


def test_equal_vectors_are_written_once(files: dict[Variant, bytes]) -> None:
    """The int8 file is smaller than the same content written by the library alone, and reads back the same."""
    model = unpack(files["int8"])
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    packed = pack(model)
    assert len(packed) < len(builder.Output()) - 300
    assert pack(unpack(packed)) == packed
    np.testing.assert_array_equal(LiteModel(packed).predict(IMAGES), LiteModel(bytes(builder.Output())).predict(IMAGES))


def test_labels_are_an_archive_behind_the_model(files: dict[Variant, bytes]) -> None:
    """The class names can be unzipped from the file, one a line, with a date that is always the same."""
    for content in files.values():
        with zipfile.ZipFile(BytesIO(content)) as archive:
            (entry,) = archive.infolist()
            assert (entry.filename, entry.date_time) == ("labels.txt", (1980, 1, 1, 0, 0, 0))
            assert archive.read(entry).decode().splitlines() == ["blue", "green", "red"]


def test_metadata_is_what_others_read(files: dict[Variant, bytes]) -> None:
    """MediaPipe's own reader of the schema finds name, version, RGB, the normalisation as it is, and the labels."""
    reader = pytest.importorskip("mediapipe.tasks.metadata.metadata_schema_py_generated", reason="no MediaPipe here")
    metadata = reader.ModelMetadataT.InitFromPackedBuf(metadata_of(files["int8"]), 0)
    assert (metadata.name, metadata.description, metadata.version) == (
        b"colours",
        b"Which colour an image has.",
        b"7",
    )
    assert (metadata.author, metadata.minParserVersion) == (b"", b"1.0.0")
    (subgraph,) = metadata.subgraphMetadata
    (taken,), (given,) = subgraph.inputTensorMetadata, subgraph.outputTensorMetadata
    assert taken.content.contentProperties.colorSpace == reader.ColorSpaceType.RGB
    (unit,) = taken.processUnits
    assert (list(unit.options.mean), list(unit.options.std)) == ([0.0], [1.0])
    assert (list(taken.stats.min), list(taken.stats.max)) == ([0.0], [255.0])
    (labels,) = given.associatedFiles
    assert (labels.name, labels.type) == (b"labels.txt", reader.AssociatedFileType.TENSOR_AXIS_LABELS)
    assert given.content.contentPropertiesType == reader.ContentProperties.FeatureProperties


def metadata_of(content: bytes) -> bytes:
    model = unpack(content)
    (entry,) = [entry for entry in model.metadata if entry.name == b"TFLITE_METADATA"]
    return bytes(model.buffers[entry.buffer].data)


def test_metadata_is_replaced_not_added(files: dict[Variant, bytes]) -> None:
    """A file that has metadata already has only the new one afterwards."""
    description = Description("others", "", "8", ("eins", "zwei", "drei"))
    changed = with_metadata(files["float32"], description)
    assert b"others" in metadata_of(changed)
    assert b"Which colour" not in metadata_of(changed)


def test_a_file_without_metadata_gets_some() -> None:
    """The smallest file there is, one tensor in and the same out, can be described too."""
    model: Any = schema.ModelT()
    tensor, graph = schema.TensorT(), schema.SubGraphT()
    tensor.name, tensor.shape, tensor.type = b"x", [1], schema.TensorType.FLOAT32
    graph.tensors, graph.inputs, graph.outputs, graph.operators = [tensor], [0], [0], []
    model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], [schema.BufferT()], []
    assert b"M001" in metadata_of(with_metadata(pack(model), DESCRIPTION))
