"""`graft up` as its users meet it: on a model of three colours."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from tests.drawn.images import COLOURS, encoded, solid
from tests.end_to_end.command import Service, environment, graft, must, started
from tests.end_to_end.conftest import SERVED, Trained
from tests.fakes.unread_pipe import unread_pipe
from tests.gateway.waiting import wait_until

SOON = ("--engine", "litert", "--no-batching")
"""A service that imports no TensorFlow and measures nothing starts in a third of the time."""


def test_the_served_answers_are_those_that_the_export_recorded(colours: Trained, colours_service: Service) -> None:
    """Each fixture of the published version gets its recorded probabilities, or its refusal, over HTTP."""
    fixtures = colours.models / "colours" / "1" / "assets.extra" / "fixtures"
    expected = json.loads((fixtures / "expected.json").read_text())
    files = [("file", (row["file"], (fixtures / row["file"]).read_bytes())) for row in expected]
    with colours_service.client() as client:
        body = client.post("/v1/predict", files=files).raise_for_status().json()
    assert len(body["predictions"]) == len(expected) == 10
    recorded = [row["probabilities"] for row in expected if row["probabilities"]]
    assert max(abs(a - b) for first in recorded for a, b in zip(recorded[0], first, strict=True)) > 0.1
    for row, prediction in zip(expected, body["predictions"], strict=True):
        if row["probabilities"] is None:
            assert prediction["error"]["name"] == row["file"]
            continue
        served = {top["label"]: top["probability"] for top in prediction["top"]}
        assert served == pytest.approx(dict(zip(colours.record["labels"], row["probabilities"], strict=True)), abs=1e-4)


def test_two_broken_files_of_five_leave_three_answers(colours_service: Service) -> None:
    """A batch of five files, two of them broken, gives three answers and two reasons, in order."""
    good = [encoded(solid(colour), "JPEG") for colour in COLOURS.values()]
    contents = [good[0], good[1][: len(good[1]) // 2], good[1], b"not an image", good[2]]
    files = [("file", (f"{index}.jpg", content)) for index, content in enumerate(contents)]
    with colours_service.client() as client:
        response = client.post("/v1/predict", files=files)
        alone = [
            client.post("/v1/predict", content=content, headers={"content-type": "image/jpeg"}).json()
            for content in good
        ]
    assert response.status_code == 200
    predictions = response.json()["predictions"]
    assert ["error" in prediction for prediction in predictions] == [False, True, False, True, False]
    assert [predictions[index]["error"]["name"] for index in (1, 3)] == ["1.jpg", "3.jpg"]
    for prediction, by_itself in zip([predictions[0], predictions[2], predictions[4]], alone, strict=True):
        assert prediction["probability"] == pytest.approx(by_itself["predictions"][0]["probability"], abs=1e-5)


def test_predict_prints_what_is_in_the_images(colours_service: Service, tmp_path: Path) -> None:
    """`graft predict` prints a row an image, and exits with 1 if one was rejected."""
    image, text = tmp_path / "red.png", tmp_path / "notes.jpg"
    image.write_bytes(encoded(solid(COLOURS["red"]), "PNG"))
    text.write_text("no image")
    shown = must("predict", image, "--url", colours_service.url)
    assert any(label in shown for label in COLOURS)
    refused = graft("predict", image, text, "--url", colours_service.url)
    assert refused.returncode == 1
    assert "rejected" in refused.stdout
    assert "1 of 2 images have no prediction" in refused.stderr


def test_a_new_version_takes_over_and_a_signal_stops_everything(colours: Trained, tmp_path: Path) -> None:
    """A second export is served within seconds, and no request fails meanwhile.

    After SIGTERM the command exits with 0 and its model server is gone.
    """
    models = tmp_path / "models"
    shutil.copytree(colours.models, models)
    image = encoded(solid(COLOURS["green"]), "JPEG")
    up = ("up", "--models", models, "--port", "0", *SOON)
    with started(*up, announces=SERVED) as service, service.client() as client:

        def version() -> str:
            response = client.post("/v1/predict", content=image, headers={"content-type": "image/jpeg"})
            predicted = response.raise_for_status().json()["version"]
            assert isinstance(predicted, str)
            return predicted

        assert version() == "1"
        must("export", "latest", "--runs", colours.runs, "--models", models, "--again")
        for _ in range(10_000):
            if version() == "2":
                break
        assert version() == "2"
        children = psutil.Process(service.process.pid).children(recursive=True)
        assert children
    assert service.process.returncode == 0
    assert not any(child.is_running() for child in children)


def test_the_service_ends_when_its_model_server_does(colours: Trained) -> None:
    """A model server that dies takes the service with it, with a clear line and exit code 1."""
    with started("up", "--models", colours.models, "--port", "0", *SOON, announces=SERVED) as service:
        (child,) = psutil.Process(service.process.pid).children()
        child.kill()
        assert service.process.wait(60) == 1
    assert "The model server ended" in "".join(service.lines)


def test_a_full_pipe_that_nothing_reads_stops_nothing(colours: Trained) -> None:
    """With output and log of `graft up` in a full pipe both servers start, images are predicted, SIGTERM ends them."""
    command = [sys.executable, "-m", "graft", "up", "--models", str(colours.models), "--port=0", *SOON]
    with unread_pipe() as pipe, subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment()) as process:
        try:
            wait_until(lambda: bool(_ports_of(process.pid)), seconds=120)
            with httpx.Client(base_url=f"http://127.0.0.1:{_ports_of(process.pid)[0]}", trust_env=False) as client:
                wait_until(lambda: client.get("/readyz").status_code == 200, seconds=120)
                image = encoded(solid(COLOURS["red"]), "PNG")
                statuses = [client.post("/v1/predict", content=image, timeout=30).status_code for _ in range(30)]
            assert statuses == [200] * 30
            process.terminate()
            assert process.wait(60) == 0
        finally:
            process.kill()


def _ports_of(process_id: int) -> list[int]:
    found = psutil.Process(process_id).net_connections("inet")
    return [connection.laddr.port for connection in found if connection.status == psutil.CONN_LISTEN]
