"""What the real TensorFlow Serving answered over REST is what the gateway before our model server answers.

The recordings and the script that replays them are data of the project's surroundings and stay there. Recordings that
are answered otherwise, and why, stand in `rest_recordings_exceptions.json`.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.command import Service, started
from tests.gateway.waiting import wait_until
from tests.places import CONFORMANCE

MODELS = (
    "image",
    "dense",
    "twoin",
    "types",
    "strings",
    "examples",
    "pair",
    "latest",
    "all",
    "my model",
    "modèle",
    "UPPER.dot-dash_1",
    "per%20cent",
)
EXCEPTIONS: dict[str, str] = json.loads(
    Path(__file__).with_name("rest_recordings_exceptions.json").read_text(encoding="utf-8")
)
_AT_LEAST_VERSIONS = {"pair": 2, "all": 3}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Start our model server with the recorded models, and a gateway before it that has seen all their versions."""
    if not CONFORMANCE.is_dir():
        pytest.skip(f"no recordings of TensorFlow Serving at {CONFORMANCE}; GRAFT_CONFORMANCE names another place")
    config = tmp_path_factory.mktemp("recordings") / "models.config"
    written = (CONFORMANCE / "models" / "models.config").read_text(encoding="utf-8")
    config.write_text(written.replace("${MODELS}", str(CONFORMANCE / "models")), encoding="utf-8")
    serving = (
        "modelserver",
        f"--model_config_file={config}",
        "--port=0",
        "--allow_version_labels_for_unavailable_models=true",
        "--max_rows_per_request=1000",  # one of the recorded requests has so many; the real server has no limit
    )
    with started(*serving, announces=r"listening on ([\d.]+:\d+)") as model_server:
        models = [argument for model in MODELS for argument in ("--model", model)]
        predicting = ("gateway", "--port", "0", "--model-server", model_server.url, *models)
        with started(*predicting, announces=r"listening on (http://[\d.]+:\d+)") as service:
            with service.client() as client:
                wait_until(lambda: _all_are_served(client), seconds=120)
            yield service


def _all_are_served(client: httpx.Client) -> bool:
    models = client.get("/v1/models").json()["models"]
    available = {
        model["name"]: sum(version["state"] == "AVAILABLE" for version in model["versions"]) for model in models
    }
    return all(count >= _AT_LEAST_VERSIONS.get(name, 1) for name, count in available.items())


def test_recorded_requests_get_the_recorded_answers(gateway: Service, tmp_path: Path) -> None:
    """Every recording passes, statuses and bodies alike, but for those listed; and none is listed for nothing."""
    report = tmp_path / "report.jsonl"
    command = [sys.executable, CONFORMANCE / "replay_rest.py", "--base-url", gateway.url, "--json-report", report]
    done = subprocess.run(
        [*map(str, command), str(CONFORMANCE / "rest_dev.jsonl")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    results = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    failed = {result["id"]: result["problems"] for result in results if not result["ok"]}
    assert len(results) > 300, done.stdout + done.stderr
    assert {name: problems for name, problems in failed.items() if name not in EXCEPTIONS} == {}
    assert EXCEPTIONS.keys() - failed.keys() == set()
