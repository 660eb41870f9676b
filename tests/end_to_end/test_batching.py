"""Batching as users of `graft up` meet it: on a model of three colours."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from modelserver.batching.parameters import read_batch_parameters
from tests.drawn.images import COLOURS, encoded, solid
from tests.end_to_end.command import Service, must
from tests.end_to_end.conftest import Trained


def test_up_says_what_a_measurement_chose(colours_service: Service) -> None:
    """One line says which engine it is and why, another how the service batches with that engine."""
    (engine,) = [line for line in colours_service.lines if " is run by " in line]
    (batching,) = [line for line in colours_service.lines if "Batching up to" in line or "starts by itself" in line]
    if "is run by LiteRT" in engine:
        assert "an image takes LiteRT" in engine or "without a comparison: it needs no TensorFlow" in engine
        assert "Each row starts by itself: LiteRT gains nothing from batches." in batching
    else:
        assert "is run by TensorFlow: an image takes LiteRT" in engine
        assert "rows/s" in batching


def test_each_of_many_clients_gets_its_own_answer(colours_service: Service) -> None:
    """Images of different clients in one batch, with garbage among them, are answered as each would be alone."""
    contents = [encoded(solid(colour), "JPEG") for colour in COLOURS.values()]
    contents.append(contents[0][:200])

    def predict(content: bytes) -> dict[str, float]:
        with colours_service.client() as client:
            response = client.post("/v1/predict", content=content, headers={"content-type": "image/jpeg"})
        if not response.is_success:
            return {response.json()["code"]: 1.0}
        return {each["label"]: each["probability"] for each in response.json()["predictions"][0]["top"]}

    alone = [predict(content) for content in contents]
    assert len({str(prediction) for prediction in alone}) == len(contents)
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(predict, contents * 12))
    assert together == [pytest.approx(prediction, abs=1e-5) for prediction in alone * 12]


def test_tune_prints_the_curve_and_writes_the_parameters(colours: Trained, tmp_path: Path) -> None:
    """`graft up --tune` measures, serves nothing, and leaves a file that a model server takes."""
    models = tmp_path / "models"
    shutil.copytree(colours.models, models)
    shown = must("up", "--models", models, "--tune")
    assert "batch size" in shown
    assert "Batching up to" in shown
    written = read_batch_parameters(models / "batching_parameters.txt")
    assert f"Batching up to {written.most_rows} rows on {written.num_batch_threads} thread" in shown
