"""A published version, loaded from its final place: its answers, whatever the neighbours in a batch."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from contract.versions import FIXTURES, MANIFEST
from tests.drawn.images import encoded, speckled
from tests.exporter.conftest import Publication
from tests.exporter.runs import CLASSES, expected_of


@pytest.fixture(scope="module")
def signatures(first: Publication) -> "Loaded":
    """The signatures of the first version, as Python loads it."""
    loaded = tf.saved_model.load(str(first.folder))
    return Loaded(loaded, loaded.signatures)


class Loaded:
    """Asks a signature; keeps the loaded object alive, whose variables the signatures need."""

    def __init__(self, root: Any, signatures: Any) -> None:
        self.root = root
        self.signatures = signatures

    def predict(self, name: str, **inputs: Any) -> dict[str, Any]:
        """Ask one signature with named inputs."""
        return {key: value.numpy() for key, value in self.signatures[name](**inputs).items()}


def fixtures_of(folder: Path) -> list[bytes]:
    return [(folder / FIXTURES / entry["file"]).read_bytes() for entry in expected_of(folder)]


def assert_as_expected(folder: Path, prediction: dict[str, Any]) -> None:
    for entry, probabilities, label, valid in zip(
        expected_of(folder), prediction["probabilities"], prediction["label"], prediction["valid"], strict=True
    ):
        if entry["probabilities"] is None:
            assert (bool(valid), label, probabilities.tolist()) == (False, b"", [0.0, 0.0, 0.0])
        else:
            assert (bool(valid), label.decode()) == (True, CLASSES[int(np.argmax(entry["probabilities"]))])
            np.testing.assert_allclose(probabilities, entry["probabilities"], atol=1e-5)


def test_answers_by_python_are_those_expected(first: Publication, signatures: Loaded) -> None:
    """Loaded by Python, a version answers its own fixtures as it says."""
    prediction = signatures.predict("serving_default", image_bytes=tf.constant(fixtures_of(first.folder)))
    assert_as_expected(first.folder, prediction)


def test_describe_answers_with_the_manifest_in_every_row(first: Publication, signatures: Loaded) -> None:
    """`describe` answers each query with the manifest that lies beside the graph."""
    prediction = signatures.predict("describe", query=tf.constant(["a", "b", "c"]))
    assert prediction["manifest"].tolist() == 3 * [(first.folder / MANIFEST).read_bytes()]


def test_bad_rows_never_change_their_neighbours(signatures: Loaded) -> None:
    """Whichever rows of a batch are bad, the others have the answers that they have in a batch of good ones."""
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (120, 120, 20)]
    good = [encoded(speckled(colour, seed), "JPEG") for seed, colour in enumerate(colours)]
    bad = [b"", good[1][:300], b"\x89PNG\r\n\x1a\n" + bytes(60), b"text"]
    undisturbed = signatures.predict("serving_default", image_bytes=tf.constant(good))
    assert undisturbed["valid"].all()
    for subset in range(1, 2 ** len(good)):
        is_bad = [bool(subset >> row & 1) for row in range(len(good))]
        rows = [bad[row] if is_bad[row] else good[row] for row in range(len(good))]
        prediction = signatures.predict("serving_default", image_bytes=tf.constant(rows))
        for row in range(len(good)):
            expected = np.zeros(3) if is_bad[row] else undisturbed["probabilities"][row]
            np.testing.assert_allclose(prediction["probabilities"][row], expected, atol=1e-6)
            assert prediction["label"][row] == (b"" if is_bad[row] else undisturbed["label"][row])
            assert bool(prediction["valid"][row]) is not is_bad[row]


def test_pixels_and_bytes_have_the_same_answer(signatures: Loaded) -> None:
    """An image at the model's own size has one answer, given as pixels or as a file."""
    images = [speckled((200, 30, 30), 1, 32, 32), speckled((30, 30, 200), 2, 32, 32)]
    pixels = np.stack([np.asarray(image) for image in images])
    from_pixels = signatures.predict("serving_pixels", pixels=tf.constant(pixels))["probabilities"]
    files = tf.constant([encoded(image, "PNG") for image in images])
    from_bytes = signatures.predict("serving_default", image_bytes=files)["probabilities"]
    np.testing.assert_allclose(from_pixels, from_bytes, atol=1e-6)
    assert np.abs(from_pixels[0] - from_pixels[1]).max() > 1e-3
