"""What a request of many rows takes of memory."""

import tracemalloc
from pathlib import Path

import numpy as np

from modelserver.engines.litert.model import LitertModel
from modelserver.engines.tensorflow.model import TensorFlowModel
from tests.modelserver.litert_versions import SIZE, assert_same, image, strings, write_version
from tests.peak_memory import peak_mb_above_now


def test_rows_of_litert_drop_their_pixels(tmp_path: Path) -> None:
    """A row that waits for the others of its request keeps what is answered, and not its pixels."""
    model = LitertModel.load(write_version(tmp_path / "1"))
    few, many = 50, 250

    def peak(rows: int) -> int:
        sent = {"image_bytes": strings([image(1)] * rows)}
        model.run("serving_default", sent)  # what is made once is there
        tracemalloc.start()
        try:
            model.run("serving_default", sent)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(many) - peak(few) < (many - few) * SIZE * SIZE * 3


def test_tensorflow_runs_many_rows_in_pieces(tmp_path: Path) -> None:
    """Many rows take no more memory in the graph, and the same is predicted for each."""
    model = TensorFlowModel.load(write_version(tmp_path / "1", with_network=False, repeats=100))
    pixels = np.random.default_rng(0).integers(0, 256, (512, SIZE, SIZE, 3), np.uint8)
    few = model.run("serving_pixels", {"pixels": pixels[:8]})  # takes 100 tensors of 2,304 bytes for each row
    many: list[dict[str, np.ndarray]] = []
    assert peak_mb_above_now(lambda: many.append(model.run("serving_pixels", {"pixels": pixels}))) < 40
    assert_same({name: array[:8] for name, array in many[0].items()}, few)
    assert many[0]["probabilities"].shape == (512, 3)
    last = model.run("serving_pixels", {"pixels": pixels[-1:]})
    assert_same({name: array[-1:] for name, array in many[0].items()}, last)
