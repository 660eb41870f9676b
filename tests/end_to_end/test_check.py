"""`graft check`, `rollback` and `withdraw` as a person runs them, against services that run."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.drawn.images import COLOURS, encoded, solid, write_classes
from tests.end_to_end.command import Service, graft, must, started
from tests.end_to_end.conftest import SERVED, Trained
from tests.places import DATA

_REFUSED_WITHOUT_TENSORFLOW = """
import json, sys
from graft.cli import app
ended = {}
for name, words in json.loads(sys.argv[1]).items():
    try:
        app(words)
    except SystemExit as end:
        ended[name] = [end.code, "tensorflow" in sys.modules]
print(json.dumps(ended))
"""


def test_gateway_server_and_model_agree_on_a_folder(colours: Trained, colours_service: Service, tmp_path: Path) -> None:
    """The gateway of `graft up` answers a folder, broken images included, as the trained model does."""
    data = write_classes(tmp_path / "data", per_class=4, seed=3)
    (data / "red" / "empty.jpg").write_bytes(b"")
    (data / "red" / "text.jpg").write_text("no image")
    (data / "red" / "half.jpg").write_bytes((data / "red" / "00.jpg").read_bytes()[:500])
    version = colours.models / "colours" / "1"
    options = ("--runs", colours.runs, "--data", data, "--gateway", colours_service.url, "--json")
    report = json.loads(must("check", version, *options))
    assert [row["name"] for row in report["rows"]] == [
        "trained model",
        "SavedModel",
        "LiteRT network",
        "server, our own",
        "gateway",
    ]
    for row in report["rows"][1:]:
        assert (row["verdict"], row["images"], row["predicted"], row["broken"]) == ("agrees", 25, 20, 0)


def test_awkward_files_are_answered_alike(colours: Trained, colours_service: Service) -> None:
    """Every odd image is answered, or refused, by server and gateway as by the SavedModel."""
    awkward = DATA / "awkward"
    if not awkward.is_dir():
        pytest.skip(f"no awkward images at {DATA} (set GRAFT_DATA)")
    options = ("--runs", colours.runs, "--data", awkward, "--gateway", colours_service.url)
    shown = must("check", colours.models / "colours" / "1", *options)
    assert shown.splitlines()[-1] == "All answer the same, within their bounds."


@pytest.mark.slow  # a bundle and two checks of it; tests/exporter/check compares the same in every run
def test_tflite_files_of_a_version_are_compared(colours: Trained, tmp_path: Path) -> None:
    """The files of a bundle are compared, given or recorded in the lineage; of integers there is no bound."""
    version = colours.models / "colours" / "1"
    must("tflite", version, "--out", tmp_path / "mobile", "--runs", colours.runs, "--max-accuracy-drop", "1")
    recorded = json.loads(must("check", version, "--runs", colours.runs, "--json"))["rows"]
    given = json.loads(must("check", version, "--runs", colours.runs, "--bundle", tmp_path / "mobile", "--json"))[
        "rows"
    ]
    assert [row["name"] for row in given] == [row["name"] for row in recorded]
    lite = {row["name"]: row for row in given if row["name"].startswith("TFLite")}
    assert {name: row["bounds"] for name, row in lite.items() if row["bounds"]} == {
        "TFLite float32": [2e-3],
        "TFLite float16": [1e-2],
    }
    assert "TFLite dynamic" in lite
    assert all(row["broken"] == 0 and row["images"] == 10 and row["predicted"] == 8 for row in lite.values())


@pytest.mark.slow  # a service, two exports, two checks; tests/graft/verbs rolls back and withdraws in every run
def test_services_follow_a_rollback_and_a_withdrawal(colours: Trained, tmp_path: Path) -> None:
    """A running service goes to the rolled back version, which passes its check, and from a withdrawn one back."""
    models = shutil.copytree(colours.models, tmp_path / "models")
    must("export", "latest", "--runs", colours.runs, "--models", models, "--again")
    base_path = models / "colours"
    with started("up", "--models", models, "--port", "0", announces=SERVED) as service, service.client() as client:
        await_version(client, "2")
        must("rollback", base_path, "--why", "2 is worse")
        await_version(client, "3")
        shown = must("check", base_path / "3", "--runs", colours.runs, "--gateway", service.url)
        assert shown.splitlines()[-1] == "All answer the same, within their bounds."
        refused = graft("check", base_path / "1", "--runs", colours.runs, "--gateway", service.url)
        assert refused.returncode == 2
        assert "does not serve version 1 of colours; it serves version 3." in refused.stderr
        must("withdraw", base_path / "3", "--why", "it was 2 after all")
        await_version(client, "2")
    must("rollback", base_path, "--why", "once more")
    assert sorted(path.name for path in base_path.iterdir()) == [".withdrawn-3", "1", "2", "4"]
    assert "content of 1" in must("versions", base_path).splitlines()[3]


def await_version(client: httpx.Client, version: str) -> None:
    """Ask until `version` answers; no request may fail meanwhile."""
    image = encoded(solid(COLOURS["green"]), "JPEG")

    def predicting() -> str:
        response = client.post("/v1/predict", content=image, headers={"content-type": "image/jpeg"})
        return str(response.raise_for_status().json()["version"])

    assert any(predicting() == version for _ in range(10_000))


def test_bad_input_is_refused_before_tensorflow_starts(colours: Trained) -> None:
    """What a glance can refuse does not cost the seconds that TensorFlow needs to start."""
    version = colours.models / "colours" / "1"
    refused: dict[str, list[str | Path]] = {
        "version": ["check", version.with_name("9")],
        "server": ["check", version, "--server", "127.0.0.1:9"],
        "gateway": ["check", version, "--gateway", "http://127.0.0.1:9"],
        "data": ["check", version, "--data", "nowhere"],
        "versions": ["versions", version.parent.with_name("nobody")],
        "rollback": ["rollback", version.parent, "--why", "there is nothing before it"],
    }
    requested = json.dumps({name: [str(word) for word in words] for name, words in refused.items()})
    command = [sys.executable, "-c", _REFUSED_WITHOUT_TENSORFLOW, requested]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=os.environ)
    ended = json.loads(done.stdout.splitlines()[-1])
    assert ended == {name: [2, False] for name in refused}, done.stderr
