"""The network of a version for servers with LiteRT: it answers as the SavedModel, or is not there."""

import re
import shutil
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from os import _exit
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from contract.blessing import Blessing
from contract.errors import ContractError
from contract.manifest import ServedGraph
from contract.publish import read_version
from contract.versions import BLESSING, LITERT_NETWORK, digest_of_version
from exporter.errors import ConversionError
from exporter.export import export
from exporter.proof.fixtures import Fixture
from exporter.proof.parity import Reference
from exporter.proof.rounding import LEAST_BOUND
from exporter.tflite.conversion import convert_network
from exporter.tflite.graph import PixelGraph
from exporter.tflite.interpreter import LiteModel
from exporter.tflite.litert_network import judge_network, write_litert_network
from tests.exporter.broken_writers import write_what_predictions_one_alone_otherwise
from tests.exporter.conftest import Publication
from tests.exporter.runs import expected_of
from tests.exporter.tflite_versions import CLASSES, SIZE, Prediction, draw, mean_colour, save_graph
from trainer.data.preprocessing import ImageDecoder
from trainer.progress import Progress
from trainer.runs.trained_model import MaskedPredictions

LARGEST = 100_000
FROZEN = ServedGraph(batch_norms_folded=0, batch_norms_kept=0, paddings_merged=0, frozen=True)


class Heard(Progress):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def on_note(self, text: str) -> None:
        """Keep a note."""
        self.notes.append(text)


def test_network_answers_the_fixtures_as_expected(first: Publication) -> None:
    """The published network takes one image of the version's size and answers as the trained model."""
    model = LiteModel((first.folder / LITERT_NETWORK).read_bytes())
    assert (model.input.name, model.input.dtype, model.input.shape) == ("pixels", "uint8", (1, 32, 32, 3))
    assert (model.output.name, model.output.dtype, model.output.shape) == ("probabilities", "float32", (1, 3))
    expected = [entry for entry in expected_of(first.folder) if entry["probabilities"]]
    contents = [(first.folder / "assets.extra/fixtures" / entry["file"]).read_bytes() for entry in expected]
    pixels, _ = ImageDecoder(first.exported.manifest.image_input).decode(contents)
    probabilities = [entry["probabilities"] for entry in expected]
    np.testing.assert_allclose(model.predict(pixels), probabilities, rtol=0, atol=LEAST_BOUND)


def test_network_has_the_signature_of_its_name(first: Publication) -> None:
    """The file says which signature it is, with the names of its tensors."""
    signatures = Interpreter(str(first.folder / LITERT_NETWORK)).get_signature_list()
    assert signatures == {"serving_pixels": {"inputs": ["pixels"], "outputs": ["probabilities"]}}


def test_network_is_the_same_to_the_byte_in_every_process(first: Publication) -> None:
    """What the export's process wrote is what this one converts the published graph to."""
    assert convert_network(first.folder) == (first.folder / LITERT_NETWORK).read_bytes()


def test_digest_covers_the_network(first: Publication, tmp_path: Path) -> None:
    """A version with another network, or without the one it had, is not the version that its manifest speaks of."""
    copy = shutil.copytree(first.folder, tmp_path / "1")
    content = bytearray((copy / LITERT_NETWORK).read_bytes())
    content[-1] ^= 1
    (copy / LITERT_NETWORK).write_bytes(content)
    assert digest_of_version(copy) != first.exported.manifest.digest
    with pytest.raises(ContractError, match="do not have the digest in its manifest"):
        read_version(copy)
    (copy / LITERT_NETWORK).unlink()
    with pytest.raises(ContractError, match="do not have the digest in its manifest"):
        read_version(copy)


def test_version_whose_network_answers_otherwise_is_published_without_it(first: Publication, tmp_path: Path) -> None:
    """A network that is off in LiteRT alone is left out, the blessing and one note say why; all else is published."""
    heard = Heard()
    exported = export(first.run, tmp_path, heard, write=write_what_predictions_one_alone_otherwise)
    assert not (exported.folder / LITERT_NETWORK).exists()
    assert read_version(exported.folder) == exported.manifest
    reason = Blessing.read(exported.folder / BLESSING).without_litert
    assert reason is not None
    assert reason.startswith("Loaded by LiteRT, serving_pixels differs from the trained model by 0.00")
    assert re.search(r" \(bound 1e-05; rounding alone moves this network's by \S+e-\d\d here\)\.$", reason)
    assert [comparison.loaded for comparison in exported.comparisons] == 2 * ["by Python"] + 2 * [
        "as TensorFlow Serving does"
    ]
    assert heard.notes == [f"This version has no LiteRT network, and servers run it with TensorFlow: {reason}"]


def reference_of(folder: Path) -> Reference:
    """Return what the graph in `folder` answers, as the reference."""
    pixels = draw(4)
    predictions = MaskedPredictions(PixelGraph(folder).predict(pixels), np.ones(4, np.bool_))
    return Reference([Fixture(f"{row}.png", b"", CLASSES[0]) for row in range(4)], CLASSES, predictions, pixels)


def done(folder: Path, served_graph: ServedGraph = FROZEN) -> "Future[None]":
    """Write the network of the graph in `folder`, as a process does for the export."""
    future: Future[None] = Future()
    try:
        write_litert_network(folder, served_graph, LARGEST)
        future.set_result(None)
    except ConversionError as error:
        future.set_exception(error)
    return future


def test_network_that_is_good_enough_stays(tmp_path: Path) -> None:
    """A network within the bound stays, and how far it is off is told; nothing else is left behind."""
    save_graph(tmp_path, mean_colour)
    before = {path.name for path in tmp_path.iterdir()}
    verdict = judge_network(done(tmp_path), tmp_path, reference_of(tmp_path))
    assert verdict.reason is None
    assert verdict.comparison is not None
    assert (verdict.comparison.loaded, verdict.comparison.signature) == ("by LiteRT", "serving_pixels")
    assert (verdict.comparison.images, verdict.comparison.largest_difference <= LEAST_BOUND) == (4, True)
    assert (tmp_path / LITERT_NETWORK).is_file()
    assert {path.name for path in tmp_path.iterdir()} == {*before, "assets.extra"}


def nothing_but_nan(values: tf.Tensor) -> tf.Tensor:
    """Answer everything with NaN."""
    return mean_colour(values) * tf.sqrt(tf.reduce_mean(values) - 256.0)


def test_network_that_answers_nan_is_not_good_enough(tmp_path: Path) -> None:
    """A difference that is no number is beyond any bound."""
    reference = reference_of(save_graph(tmp_path / "right", mean_colour))
    save_graph(tmp_path / "wrong", nothing_but_nan)
    verdict = judge_network(done(tmp_path / "wrong"), tmp_path / "wrong", reference)
    assert verdict.comparison is None
    assert "differs from the trained model by nan" in (verdict.reason or "")
    assert not (tmp_path / "wrong" / LITERT_NETWORK).exists()


def antialiased(values: tf.Tensor) -> tf.Tensor:
    """Answer after a resize that TFLite has no operation for."""
    return mean_colour(tf.image.resize(values, [SIZE // 2, SIZE // 2], antialias=True))


def heavy(values: tf.Tensor) -> tf.Tensor:
    """Answer with the help of many numbers."""
    numbers = np.random.default_rng(1).normal(size=(3, LARGEST // 4)).astype(np.float32)
    return mean_colour(values) + 0.0 * tf.reduce_mean(tf.reduce_mean(values, [1, 2]) @ numbers)


@pytest.mark.parametrize(
    ("prediction", "served_graph", "reason"),
    [
        (antialiased, FROZEN, r"^The network has operations that TFLite does not \(ScaleAndTranslate\), .*\.$"),
        (
            mean_colour,
            FROZEN.model_copy(update={"frozen": False}),
            r"^The network is too large .* are not constants\.$",
        ),
        (heavy, FROZEN, r"^The network is too large to convert, with \d MB\.$"),
    ],
)
def test_network_that_cannot_be_converted_is_left_out(
    tmp_path: Path, prediction: Prediction, served_graph: ServedGraph, reason: str
) -> None:
    """Operations that only TensorFlow has, or more weights than a graph holds, leave no file, and a reason."""
    save_graph(tmp_path, prediction)
    verdict = judge_network(done(tmp_path, served_graph), tmp_path, reference_of(tmp_path))
    assert verdict.comparison is None
    assert re.match(reason, verdict.reason or "")
    assert not (tmp_path / LITERT_NETWORK).exists()


def test_process_that_dies_over_the_conversion_is_survived(tmp_path: Path) -> None:
    """Native code that ends its process, or the lack of memory, leaves a version without the file, half or whole."""
    save_graph(tmp_path, mean_colour)
    write_litert_network(tmp_path, FROZEN)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        verdict = judge_network(pool.submit(_exit, 1), tmp_path, reference_of(tmp_path))
    assert verdict.reason == "The process that converted the network ended before it was done."
    assert not (tmp_path / LITERT_NETWORK).exists()
