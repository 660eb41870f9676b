"""Real photographs, from the folder to the served answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.end_to_end.command import Service
from tests.end_to_end.conftest import Trained
from trainer.runs.trained_model import decode_each, predict_decoded, read_run


@pytest.fixture(scope="module")
def predictions(flowers: Trained, flowers_service: Service) -> list[tuple[str, dict[str, Any]]]:
    """Post each test photo by itself; return true class and answer."""
    with flowers_service.client() as client:
        return [
            (image["label"], _predict(client, Path(image["path"]).read_bytes()))
            for image in flowers.record["test_images"]
        ]


def _predict(client: Any, content: bytes) -> dict[str, Any]:
    response = client.post("/v1/predict", params={"top_k": 5}, content=content, headers={"content-type": "image/jpeg"})
    (prediction,) = response.raise_for_status().json()["predictions"]
    assert isinstance(prediction, dict)
    return prediction


def test_photographs_are_recognised_through_the_gateway(predictions: list[tuple[str, dict[str, Any]]]) -> None:
    """Of the 90 test photos, at least 80 % are given their class over HTTP."""
    assert len(predictions) == 90
    assert sum(label == output["label"] for label, output in predictions) / len(predictions) >= 0.80


def test_the_served_probabilities_are_those_of_the_trained_model(
    flowers: Trained, predictions: list[tuple[str, dict[str, Any]]]
) -> None:
    """Every probability of every test photo is within 1e-4 of the trained Keras model's."""
    run = read_run(flowers.run)
    contents = [image.path.read_bytes() for image in run.record.test_images]
    trained = predict_decoded(run.load_model(), run.record.image_input, decode_each(run.record.image_input, contents))
    served = [
        [{top["label"]: top["probability"] for top in output["top"]}[label] for label in run.record.labels]
        for _, output in predictions
    ]
    np.testing.assert_allclose(served, trained.probabilities, rtol=0, atol=1e-4)


def test_a_run_tells_where_it_came_from(flowers: Trained) -> None:
    """The record names the weights file with its digest, the data by digest, and the images of each split."""
    record = flowers.record
    assert record["base_weights"]["source"].endswith("0.35_224_no_top.h5")
    assert record["base_weights"]["digest"].startswith("sha256:")
    assert record["dataset_digest"].startswith("sha256:")
    assert record["images"] == {"train": 270, "val": 90, "test": 90}
