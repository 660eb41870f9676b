"""What image bombs cost in the served graph, by both engines, and that the rows beside them are predicted."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.attack.image_bombs import image_bombs
from modelserver.engines.litert.model import LitertModel
from modelserver.engines.tensorflow.model import TensorFlowModel
from modelserver.model.version import Model
from tests.cpu_time import quiet_cpu_seconds
from tests.modelserver.litert_versions import image, strings, write_version

MOST_CPU_SECONDS = 2.0
"""Of one image in the model server."""

WORST = (
    *("jpeg_183_kb_of_scans", "jpeg_490_scans_of_49_megapixels", "jpeg_scans_of_arithmetic_coding"),
    *("jpeg_sequential_scans", "jpeg_20_mb_of_scans_of_8_pixels", "png_1_pixel_and_20_gib"),
    *("png_1_pixel_and_2_gib_in_many_chunks", "png_9_megapixels_and_16_gib", "png_texts_of_7_mib"),
    "jpeg_49_megapixels_of_progressive_noise_without_end",
)
"""Which took from two seconds to minutes."""

LOADERS: dict[str, Callable[[Path], Model]] = {
    "tensorflow": lambda folder: TensorFlowModel.load(folder / "1"),
    "litert": lambda folder: LitertModel.load(folder / "1"),
    "litert without TensorFlow": lambda folder: LitertModel.load(folder / "2"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, proved_version: Path) -> Path:
    """A small version that both engines run, and one whose images are proved to become the same pixels."""
    base_path = tmp_path_factory.mktemp("bombs")
    write_version(base_path / "1")
    (base_path / "2").symlink_to(proved_version)
    return base_path


@pytest.fixture(scope="module")
def bombs() -> dict[str, bytes]:
    """All bombs, by name."""
    return image_bombs()


def assert_cheap(model: Model, content: bytes) -> bool:
    """Send an image between two good ones; return whether it was valid, too."""
    images, valid = {"image_bytes": strings([image(1), content, image(2)])}, [False]

    def run() -> None:
        valid[:] = np.asarray(model.run("serving_default", images)["valid"]).tolist()

    taken = quiet_cpu_seconds(run, MOST_CPU_SECONDS, all_threads=True)
    assert (valid[0], valid[2], taken < MOST_CPU_SECONDS) == (True, True, True), f"{taken:.2f} s, {valid}"
    return bool(valid[1])


@pytest.mark.parametrize("engine", LOADERS)
def test_what_took_minutes_is_refused_at_once(engine: str, folder: Path, bombs: dict[str, bytes]) -> None:
    """The worst files are not valid, their neighbours are, and no more than two seconds of a processor are spent."""
    model = LOADERS[engine](folder)
    valid = [name for name in WORST if assert_cheap(model, bombs[name])]
    assert valid == []


@pytest.mark.slow
@pytest.mark.parametrize("engine", LOADERS)
def test_no_bomb_takes_long(engine: str, folder: Path, bombs: dict[str, bytes]) -> None:
    """Every file of the corpus, valid or not, takes less than two seconds of a processor."""
    model = LOADERS[engine](folder)
    for content in bombs.values():
        assert_cheap(model, content)
