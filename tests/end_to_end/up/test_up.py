"""What `graft up` says, which models it serves, and how it ends."""

import json
import shutil
from pathlib import Path

import httpx
import psutil
import pytest

from tests.drawn.images import COLOURS, encoded, solid
from tests.end_to_end.command import graft_process, started
from tests.end_to_end.conftest import SERVED, Trained
from tests.end_to_end.up.terminal import on_terminal
from tests.gateway.waiting import wait_until

SOON = ("--engine", "litert", "--no-batching", "--port", "0")
"""A service that imports no TensorFlow and measures nothing starts in a third of the time."""


@pytest.fixture
def models(colours: Trained, tmp_path: Path) -> Path:
    """A folder with two models, `alpha` and `beta`."""
    for name in ("alpha", "beta"):
        shutil.copytree(colours.models / "colours", tmp_path / "models" / name)
    return tmp_path / "models"


def test_a_healthy_start_is_three_lines_and_ctrl_c_one(models: Path) -> None:
    """Address, models with versions, how to stop; then `Stopped.` and exit code 0. Requests write nothing.

    The named models are served, and no other; the first is the default one.
    """
    with on_terminal("up", "--models", models, "--name", "beta", "--name", "alpha", *SOON) as terminal:
        url = terminal.wait_for(r"Serving at (http://127\.0\.0\.1:\d+)")[1]
        terminal.wait_for("Ctrl-C stops it")
        with httpx.Client(base_url=url, trust_env=False) as client:
            listed = client.get("/v1/models").json()["models"]
            image = encoded(solid(COLOURS["red"]), "PNG")
            sent = client.post("/v1/predict", content=image, headers={"content-type": "image/png"})
        assert [each["name"] for each in listed] == ["beta", "alpha"]
        assert all(each["available"] for each in listed)
        assert sent.raise_for_status().json()["model"] == "beta"
        assert terminal.press_ctrl_c() == 0
        shown = terminal.text.splitlines()
    lines = [line for line in shown if not line.startswith("Still loading")]  # after ten seconds, of a busy machine
    assert lines[:3] == [
        f"Serving at {url}",
        "Models: beta version 1; alpha version 1",
        f"Ctrl-C stops it. Try: graft predict IMAGE --url {url}",
    ]
    assert [line.removeprefix("^C") for line in lines[3:]] == ["Stopped."]


def test_verbose_shows_requests_and_libraries(models: Path) -> None:
    """With --verbose the lines of uvicorn and of the model server are there, too; Ctrl-C is heard."""
    with on_terminal("up", "--models", models, "--name", "alpha", "--verbose", *SOON) as terminal:
        terminal.wait_for(r"Serving at")
        assert "Application startup complete" in terminal.text
        assert "alpha version 1 is AVAILABLE" in terminal.text
        assert terminal.press_ctrl_c() == 0


def test_the_end_of_its_terminal_ends_both_processes(models: Path) -> None:
    """A window that is closed leaves no model server behind."""
    with on_terminal("up", "--models", models, "--name", "alpha", *SOON) as terminal:
        terminal.wait_for("Ctrl-C stops it")
        started_by_it = psutil.Process(terminal.process.pid).children(recursive=True)
        assert len(started_by_it) == 2
    wait_until(lambda: not any(each.is_running() for each in started_by_it), seconds=60)


def test_a_model_that_does_not_load_is_named_and_the_others_serve(models: Path) -> None:
    """Without names all are served. What is no terminal gets JSON lines, none of its own polling among them."""
    _break(models / "beta")
    with started("up", "--models", models, *SOON, announces=SERVED) as service, service.client() as client:
        listed = {each["name"]: each for each in client.get("/v1/models").json()["models"]}
        assert client.get("/readyz").status_code == 503
        assert [name for name, each in listed.items() if each["available"]] == ["alpha"]
        assert "beta" in listed["beta"]["reason"]
        image = encoded(solid(COLOURS["red"]), "PNG")
        client.post("/v1/models/alpha/predict", content=image, headers={"content-type": "image/png"}).raise_for_status()
        assert client.post("/v1/models/beta/predict", content=image).status_code == 503
    text = [line for line in service.lines if not line.startswith("{")]
    assert [line.partition(" ")[0].strip() for line in text] == [
        "Serving",
        "Models:" if len(text) < 4 else "Model:",
        "Ctrl-C",
        "Stopped.",
    ]
    logged = [json.loads(line) for line in service.lines if line.startswith("{")]
    (failed,) = [each for each in logged if each["event"].startswith("beta is not served")]
    assert failed["level"] == "error"
    assert any(each["event"].startswith("beta version 1 cannot be served") for each in logged)
    routes = [each["route"] for each in logged if each["event"] == "request"]
    assert routes == ["/v1/models", "/readyz", "/v1/models/{model}/predict", "/v1/models/{model}/predict"]
    assert not any(each.get("logger", "").startswith("uvicorn") for each in logged)
    assert service.process.returncode == 0


def test_without_a_model_that_loads_it_ends(models: Path) -> None:
    """If none can be loaded, the reason is there, and the exit code is 2."""
    _break(models / "beta")
    done = graft_process("up", "--models", models, "--name", "beta", *SOON, timeout=120)
    assert done.returncode == 2
    assert "beta is not served: no version of it can be loaded" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_workers_announce_themselves_too(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With several workers, the three lines come once the model server serves."""
    monkeypatch.setenv("GATEWAY_WORKERS", "2")
    with started("up", "--models", models, "--name", "alpha", *SOON, announces=SERVED) as service:
        pass
    assert service.process.returncode == 0
    assert "Model: alpha version 1\n" in service.lines


def _break(base_path: Path) -> None:
    (base_path / "1" / "assets.extra" / "network.tflite").unlink()
