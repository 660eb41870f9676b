"""What image bombs cost in the served graph, by both engines, and that the rows beside them are predicted."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.attack.image_bombs import image_bombs
from modelserver.engines.litert.model import LitertModel
from modelserver.engines.tensorflow.model import TensorFlowModel
from modelserver.model.version import Model
from tests.modelserver.litert_versions import image, strings, write_version

MOST_CPU_SECONDS = 2.0
"""Of one image in the model server."""

REFERENCE = "jpeg_49_megapixels_of_noise"
REFERENCE_SECONDS = 0.46
"""What decoding it took where the bound was set; slower machines are allowed more."""

WORST = (
    *("jpeg_183_kb_of_scans", "jpeg_490_scans_of_49_megapixels", "jpeg_scans_of_arithmetic_coding"),
    *("jpeg_sequential_scans", "jpeg_20_mb_of_scans_of_8_pixels", "png_1_pixel_and_20_gib"),
    *("png_1_pixel_and_2_gib_in_many_chunks", "png_9_megapixels_and_16_gib", "png_texts_of_7_mib"),
)
"""Which took from two seconds to minutes."""

LOADERS: dict[str, Callable[[Path], Model]] = {"tensorflow": TensorFlowModel.load, "litert": LitertModel.load}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small version that both engines run."""
    return write_version(tmp_path_factory.mktemp("bombs") / "1")


@pytest.fixture(scope="module")
def bombs() -> dict[str, bytes]:
    """All bombs, by name."""
    return image_bombs()


@pytest.fixture(scope="module")
def allowed_seconds(bombs: dict[str, bytes]) -> float:
    """Return the bound on this machine."""
    started = time.process_time()
    tf.io.decode_jpeg(bombs[REFERENCE], dct_method="INTEGER_ACCURATE")
    return MOST_CPU_SECONDS * max(1.0, (time.process_time() - started) / REFERENCE_SECONDS)


def assert_cheap(model: Model, content: bytes, allowed: float) -> bool:
    """Send an image between two good ones; return whether it was valid, too."""
    started = time.process_time()
    outputs = model.run("serving_default", {"image_bytes": strings([image(1), content, image(2)])})
    taken = time.process_time() - started
    valid = np.asarray(outputs["valid"]).tolist()
    assert (valid[0], valid[2], taken < allowed) == (True, True, True), f"{taken:.2f} s, {valid}"
    return bool(valid[1])


@pytest.mark.parametrize("engine", LOADERS)
def test_what_took_minutes_is_refused_at_once(
    engine: str, folder: Path, bombs: dict[str, bytes], allowed_seconds: float
) -> None:
    """The worst files are not valid, their neighbours are, and no more than two seconds of a processor are spent."""
    model = LOADERS[engine](folder)
    valid = [name for name in WORST if assert_cheap(model, bombs[name], allowed_seconds)]
    assert valid == []


@pytest.mark.slow
@pytest.mark.parametrize("engine", LOADERS)
def test_no_bomb_takes_long(engine: str, folder: Path, bombs: dict[str, bytes], allowed_seconds: float) -> None:
    """Every file of the corpus, valid or not, takes less than two seconds of a processor."""
    model = LOADERS[engine](folder)
    for content in bombs.values():
        assert_cheap(model, content, allowed_seconds)
