"""Replay of what TensorFlow Serving 2.18.1 answered to every stateless call, by the recordings' own comparison."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contract import serving_messages as messages

EXCEPTIONS = Path(__file__).with_name("recordings_that_differ.toml")
ROWS = 2000
"""As many as the largest recorded request has; TensorFlow Serving has no bound."""
SERVED = {"all": 3, "per%20cent": 1, "pair": 2, "examples": 1}
"""How many versions some of the recorded models have; they are loaded one after the other, these last."""


@pytest.fixture(scope="module")
def client(
    recordings: Path,
    start_server: Callable[..., Any],
    eventually: Callable[..., None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """A client of a server with the configuration of the recorded one, all of its models loaded."""
    return _started(recordings, start_server, eventually, tmp_path_factory.mktemp("config"))


def _started(
    recordings: Path, start_server: Callable[..., Any], eventually: Callable[..., None], folder: Path, **more: Any
) -> Any:
    models = (recordings / "models").resolve()
    config = folder / "models.config"
    config.write_text((models / "models.config").read_text(encoding="utf-8").replace("${MODELS}", str(models)))
    more = {"allow_version_labels_for_unavailable_models": True, "max_rows_per_request": ROWS, **more}
    started = start_server(model_config_file=config, **more)
    for name, versions in SERVED.items():
        available = [("AVAILABLE", "")] * versions
        eventually(lambda name=name, available=available: [*started.states(name).values()] == available)
    return started


@pytest.fixture(scope="module")
def differences(recordings: Path, client: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What differs in the answer to each recorded call, by its id; nothing where they are equal.

    Statuses, values and the fields of tensors are compared exactly, and texts too, except that of a text that an
    operation of the graph made only the beginning, for these change with TensorFlow.
    """
    return _replayed(recordings, client.port, tmp_path_factory.mktemp("replay") / "report.jsonl")


def _replayed(recordings: Path, port: int, report: Path) -> dict[str, list[str]]:
    script = [sys.executable, "-B", str(recordings / "replay_grpc.py"), str(recordings / "grpc_dev.jsonl")]
    how = ["--wire", "--messages=exact", "--graph-messages=prefix"]
    replay = [*script, *how, f"--target=127.0.0.1:{port}", f"--json-report={report}"]
    done = subprocess.run(replay, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode in {0, 1}, done.stderr
    results = map(json.loads, report.read_text(encoding="utf-8").splitlines())
    return {result["id"]: result["problems"] for result in results}


def test_answers_equal_those_of_tensorflow_serving(differences: dict[str, list[str]]) -> None:
    """Every recorded call gets the recorded status, text and values, except those listed with a reason."""
    expected = tomllib.loads(EXCEPTIONS.read_text(encoding="utf-8"))["calls"]
    unexpected = {call: problems for call, problems in differences.items() if problems and call not in expected}
    assert unexpected == {}


def test_each_call_was_replayed(recordings: Path, differences: dict[str, list[str]]) -> None:
    """The replay reports on every stateless call there is."""
    lines = (recordings / "grpc_dev.jsonl").read_text(encoding="utf-8").splitlines()
    assert set(differences) == {call["id"] for call in map(json.loads, lines) if call["kind"] == "call"}


def test_exceptions_are_still_needed(differences: dict[str, list[str]]) -> None:
    """Each call in the list of exceptions does differ, so that the list never hides what was mended."""
    expected = tomllib.loads(EXCEPTIONS.read_text(encoding="utf-8"))["calls"]
    assert {call for call in expected if not differences[call]} == set()
    assert all(reason.endswith(".") for reason in expected.values())


def test_examples_are_answered_alike_in_batches(
    recordings: Path, start_server: Callable[..., Any], eventually: Callable[..., None], tmp_path: Path
) -> None:
    """With batching, Classify and Regress give the recorded answers too, but where a batch needs rows."""
    client = _started(recordings, start_server, eventually, tmp_path, enable_batching=True)
    problems = _replayed(recordings, client.port, tmp_path / "report.jsonl")
    lines = (recordings / "grpc_dev.jsonl").read_text(encoding="utf-8").splitlines()
    calls = [call for call in map(json.loads, lines) if call["kind"] == "call"]
    about_examples = [call["id"] for call in calls if call["method"].endswith(("/Classify", "/Regress"))]
    assert len(about_examples) > 20
    assert {call: problems[call] for call in about_examples if problems[call]} == {}


def test_multi_inference_gives_each_task_its_result(client: Any) -> None:
    """A classification and a regression of the same example come back in the order of the tasks.

    Only a graph whose signatures share their input can answer both, such as that of the recorded model.
    """
    request = messages.MultiInferenceRequest()
    for kind, signature in (("regress", "regress"), ("classify", "serving_default")):
        spec = {"name": "examples", "signature_name": signature}
        request.tasks.add(model_spec=spec, method_name=f"tensorflow/serving/{kind}")
    feature = request.input.example_list.examples.add().features.feature["x"]
    feature.float_list.value.extend([1.5, 2.5])
    sent = request.SerializeToString()
    response = client.call(f"/{messages.PREDICTION_SERVICE}/MultiInference", sent)
    first, second = messages.MultiInferenceResponse.FromString(response).results
    assert [one.value for one in first.regression_result.regressions] == [5.5]
    (row,) = second.classification_result.classifications
    assert [(one.label, one.score) for one in row.classes] == [("a", 1.5), ("b", 2.5), ("c", 4.0)]
    assert [(result.model_spec.signature_name, result.model_spec.version.value) for result in (first, second)] == [
        ("regress", 1),
        ("serving_default", 1),
    ]
