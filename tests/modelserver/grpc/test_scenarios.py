"""Replay of the recorded scenarios, in which versions come and go, labels move and configurations are reloaded."""

import json
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from graft.cli import app

EXCEPTIONS = Path(__file__).with_name("recordings_that_differ.toml")
SCENARIOS = (
    "version-appears",
    "all-versions-removed",
    "broken-version",
    "odd-directories",
    "labels-move",
    "reload-refused",
    "batching",
)


def _settings(flags: list[str]) -> dict[str, Any]:
    """Return the settings that flags of `graft modelserver` stand for."""
    verb: Any = get_command(app)
    params = verb.commands["modelserver"].make_context("modelserver", flags).params
    return {name: value for name, value in params.items() if value is not None and name not in {"port", "host"}}


@pytest.fixture
def play(recordings: Path, tmp_path: Path, start_server: Callable[..., Any]) -> Callable[[str], dict[str, list[str]]]:
    """Return a function that plays a scenario and returns what differs in the answer to each call, by its id."""
    script = [sys.executable, "-B", str(recordings / "replay_grpc.py"), str(recordings / "grpc_dev.jsonl")]

    def play(scenario: str) -> dict[str, list[str]]:
        (tmp_path / "work").mkdir()
        own = ["--scenario", scenario, "--work", str(tmp_path / "work")]
        prepared = subprocess.run([*script, *own, "--prepare"], capture_output=True, text=True, check=True)
        flags = shlex.split(prepared.stdout.partition("start the server with ")[2])
        reloads = {"allow_reload_requests": True, "base_path_roots": (tmp_path / "work", recordings / "models")}
        client = start_server(**{**_settings(flags), **reloads, "file_system_poll_wait_seconds": 0.1})
        report = tmp_path / "report.jsonl"
        how = [f"--target=127.0.0.1:{client.port}", f"--json-report={report}"]
        texts = ["--wire", "--messages=exact", "--graph-messages=prefix"]
        done = subprocess.run([*script, *own, *how, *texts], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode in {0, 1}, done.stderr
        return {result["id"]: result["problems"] for result in map(json.loads, report.read_text().splitlines())}

    return play


@pytest.fixture(scope="module")
def exceptions() -> dict[str, str]:
    """The calls in scenarios that are answered otherwise, with the reason."""
    reasons: dict[str, str] = tomllib.loads(EXCEPTIONS.read_text(encoding="utf-8"))["scenarios"]
    return reasons


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_goes_as_recorded(
    play: Callable[[str], dict[str, list[str]]], exceptions: dict[str, str], scenario: str
) -> None:
    """Every wait comes true and every call gets the recorded answer, except those listed, which do differ."""
    differences = {call: problems for call, problems in play(scenario).items() if problems}
    expected = {call for call in exceptions if call.startswith(f"{scenario}/")}
    assert {call: problems for call, problems in differences.items() if call not in expected} == {}
    assert expected == differences.keys()


def test_each_scenario_is_played(recordings: Path) -> None:
    """There is no recorded scenario that is not among the tests."""
    lines = map(json.loads, (recordings / "grpc_dev.jsonl").read_text(encoding="utf-8").splitlines())
    assert {line["id"] for line in lines if line["kind"] == "scenario"} == set(SCENARIOS)


def test_each_exception_has_a_reason(exceptions: dict[str, str]) -> None:
    """A reason is a sentence."""
    assert all(reason.endswith(".") for reason in exceptions.values())
