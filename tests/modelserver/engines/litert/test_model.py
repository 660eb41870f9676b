"""Versions whose network LiteRT runs answer as TensorFlow runs them, and need no Python of TensorFlow's."""

import gc
import shutil
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from contract.versions import LITERT_NETWORK
from modelserver.engines.litert.model import LitertModel
from modelserver.engines.litert.threads import EngineThreads
from modelserver.engines.tensorflow.model import TensorFlowModel
from modelserver.errors import BadInputError, LoadError, SignatureNotFoundError
from modelserver.model.tensors import Array
from tests.modelserver.litert_versions import (
    CONTENTS,
    LABELS,
    MANIFEST_TEXT,
    SIZE,
    assert_same,
    image,
    strings,
    write_version,
)
from tests.places import ROOT

WITHOUT_TENSORFLOW = """
import sys
from pathlib import Path
import numpy as np
from modelserver.engines.litert.model import LitertModel
folder, file = map(Path, sys.argv[1:])
asked = {"image_bytes": np.array([file.read_bytes()], object)}
by_litert = LitertModel.load(folder).run("serving_default", asked)
assert not {"tensorflow", "keras"} & set(sys.modules), "TensorFlow was imported"
import hashlib, hmac, secrets, ssl
hmac.new(b"key", b"text", hashlib.sha256).hexdigest()
ssl.create_default_context()
from modelserver.engines.tensorflow.model import TensorFlowModel
by_tensorflow = TensorFlowModel.load(folder).run("serving_default", asked)
np.testing.assert_allclose(by_litert["probabilities"], by_tensorflow["probabilities"], atol=1e-6)
again = LitertModel.load(folder).run("serving_default", asked)
np.testing.assert_array_equal(again["probabilities"], by_litert["probabilities"])
"""


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a version with a network for LiteRT."""
    return write_version(tmp_path_factory.mktemp("litert") / "1")


@pytest.fixture(scope="module")
def model(version: Path) -> LitertModel:
    """The version, run by LiteRT."""
    return LitertModel.load(version)


@pytest.fixture(scope="module")
def by_tensorflow(version: Path) -> TensorFlowModel:
    """The same version, run by TensorFlow."""
    return TensorFlowModel.load(version)


def copy_of(version: Path, parent: Path) -> Path:
    """Return the folder of a copy that may be changed."""
    return Path(shutil.copytree(version, parent / "copy"))


@pytest.mark.parametrize("contents", [CONTENTS, CONTENTS[:1], CONTENTS[1:2], []], ids=["all", "good", "bad", "none"])
def test_images_are_answered_as_by_tensorflow(
    model: LitertModel, by_tensorflow: TensorFlowModel, contents: list[bytes]
) -> None:
    """Probabilities, labels, validity and brightness are the same, row by row, for good images and bad ones."""
    called = {"image_bytes": strings(contents)}
    assert_same(model.run("serving_default", called), by_tensorflow.run("serving_default", called))


def test_bad_rows_have_zeros_and_no_label(model: LitertModel) -> None:
    """What is no image is not valid, and its neighbours are answered."""
    response = model.run("serving_default", {"image_bytes": strings(CONTENTS)})
    assert response["valid"].tolist() == [True, False, False, True, False, False, True]
    assert not response["probabilities"][~response["valid"]].any()
    assert set(response["label"][~response["valid"]]) == {b""}
    assert set(response["label"][response["valid"]]) <= {label.encode() for label in LABELS}


def test_pixels_are_answered_as_by_tensorflow(model: LitertModel, by_tensorflow: TensorFlowModel) -> None:
    """Images that come as pixels have the same answers, also none at all."""
    pixels = np.random.default_rng(0).integers(0, 256, (5, SIZE, SIZE, 3), np.uint8)
    for rows in (pixels, pixels[:0]):
        assert_same(
            model.run("serving_pixels", {"pixels": rows}), by_tensorflow.run("serving_pixels", {"pixels": rows})
        )


def test_one_image_becomes_the_same_pixels(model: LitertModel, by_tensorflow: TensorFlowModel) -> None:
    """`pixels_of_image` is there too, and refuses what is an image by its header alone."""
    called = {"image_bytes": np.array(image(1), np.object_)}
    assert_same(model.run("pixels_of_image", called), by_tensorflow.run("pixels_of_image", called))
    with pytest.raises(BadInputError, match="JPEG"):
        model.run("pixels_of_image", {"image_bytes": np.array(image(1)[:400], np.object_)})


def test_it_describes_itself_as_by_tensorflow(model: LitertModel, by_tensorflow: TensorFlowModel) -> None:
    """`describe` answers with the manifest, as often as it is asked."""
    called = {"query": strings([b"", b"anything"])}
    response = model.run("describe", called)
    assert_same(response, by_tensorflow.run("describe", called))
    assert response["manifest"].tolist() == [MANIFEST_TEXT.encode()] * 2


def test_signatures_and_filters_are_as_by_tensorflow(model: LitertModel, by_tensorflow: TensorFlowModel) -> None:
    """The definitions are the graph's own, an output can be asked for alone, and there is no other signature."""
    assert model.signature_definitions == by_tensorflow.signature_definitions
    called = {"image_bytes": strings(CONTENTS)}
    assert list(model.run("serving_default", called, ["valid"])) == ["valid"]
    with pytest.raises(SignatureNotFoundError, match="__saved_model_init_op"):
        model.run("__saved_model_init_op", {})


@pytest.mark.parametrize(
    ("signature", "name", "array", "message"),
    [
        ("serving_default", "image_bytes", np.array(b"", np.object_), r"the shape \[N\], not \[\]"),
        ("serving_pixels", "pixels", np.zeros((1, SIZE, 1, 3), np.uint8), r"\[N,24,24,3\], not \[1,24,1,3\]"),
        ("serving_pixels", "pixels", np.zeros((SIZE, SIZE, 3), np.uint8), r"not \[24,24,3\]"),
        ("pixels_of_image", "image_bytes", strings([b""]), r"the shape \[\], not \[1\]"),
    ],
)
def test_inputs_of_other_shapes_are_refused(
    model: LitertModel, signature: str, name: str, array: Array, message: str
) -> None:
    """The sentence says which shape is wanted and which was sent."""
    with pytest.raises(BadInputError, match=message):
        model.run(signature, {name: array})


def test_many_threads_at_once_have_their_own_answers(model: LitertModel) -> None:
    """Answers of 200 images in 16 threads are those that each image has alone."""
    contents = [CONTENTS[number % len(CONTENTS)] if number % 3 else image(number) for number in range(200)]

    def respond(content: bytes) -> list[float]:
        probabilities: list[float] = model.run("serving_default", {"image_bytes": strings([content])})[
            "probabilities"
        ].tolist()[0]
        return probabilities

    alone = [respond(content) for content in contents]
    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(respond, contents)) == alone


def test_a_model_that_is_replaced_is_gone_at_once(version: Path) -> None:
    """Nothing waits for the garbage collector, which would keep requests waiting."""
    gc.collect()
    gc.disable()
    try:
        replaced = LitertModel.load(version)
        replaced.run("serving_default", {"image_bytes": strings(CONTENTS)})
        gone = weakref.ref(replaced)
        del replaced
        assert gone() is None
    finally:
        gc.enable()


def test_tensorflow_is_imported_by_nobody_and_may_be_later(version: Path, tmp_path: Path) -> None:
    """TensorFlow's library leaves Python's own OpenSSL unharmed, and both engines can live in one process."""
    (tmp_path / "image.jpg").write_bytes(image(1))
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, str(version), str(tmp_path / "image.jpg")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_version_without_a_network_is_not_loaded(version: Path, tmp_path: Path) -> None:
    """The sentence names the file that is missing and what to do."""
    folder = copy_of(version, tmp_path)
    (folder / LITERT_NETWORK).unlink()
    with pytest.raises(LoadError, match=r"has no assets\.extra/network\.tflite: export the run again, or take"):
        LitertModel.load(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (LITERT_NETWORK, b"no network", "cannot be run by LiteRT"),
        ("saved_model.pb", b"no graph", "is not a SavedModel"),
        ("assets/labels.txt", b"red\n", r"has 3 classes, not 1"),
    ],
)
def test_a_damaged_version_is_not_loaded(
    version: Path, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    """The sentence names the file."""
    folder = copy_of(version, tmp_path)
    (folder / name).write_bytes(content)
    with pytest.raises(LoadError, match=message):
        LitertModel.load(folder)


def test_a_version_with_a_file_missing_is_not_loaded(version: Path, tmp_path: Path) -> None:
    """The sentence names the file."""
    folder = copy_of(version, tmp_path)
    (folder / "assets" / "labels.txt").unlink()
    with pytest.raises(LoadError, match=r"labels\.txt cannot be read: No such file"):
        LitertModel.load(folder)


@pytest.mark.parametrize(("intra_op", "inter_op", "rows", "each"), [(0, 3, 3, 1), (2, 3, 3, 2), (10_000, 0, 1, 10_000)])
def test_threads_follow_the_settings(intra_op: int, inter_op: int, rows: int, each: int) -> None:
    """Rows at a time and threads for each may be set; there is always one row."""
    assert EngineThreads.for_this_machine(intra_op, inter_op) == EngineThreads(rows, each)
