"""What the Prometheus of an outage is configured with, and what it knows from before."""

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.outages.history import write_history
from benchmarks.outages.prometheus import read_configuration
from benchmarks.outages.scenario import Outage

TARGETS = {"gateway": ["127.0.0.1:1", "127.0.0.1:2"], "model-server": ["127.0.0.1:3"]}


def outage(key: str = "", *, tls: bool = False) -> Outage:
    """Return an outage of a service that has these targets."""
    return Outage(lambda: None, lambda: None, {}, Counter(), TARGETS, key, tls)


def test_times_are_shortened_and_targets_set(tmp_path: Path) -> None:
    """Every fifteen seconds become every half a second; a job without a target is left out."""
    found = read_configuration(tmp_path, [tmp_path / "rules.yml"], outage(), 30)
    assert found["global"] == {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    assert found["rule_files"] == [str(tmp_path / "rules.yml")]
    jobs = {job["job_name"]: job for job in found["scrape_configs"]}
    assert {name: job["static_configs"] for name, job in jobs.items()} == {
        name: [{"targets": targets}] for name, targets in TARGETS.items()
    }
    assert jobs["model-server"]["metrics_path"] == "/monitoring/prometheus/metrics"
    assert "authorization" not in jobs["gateway"]


def test_the_key_and_tls_are_those_of_the_service(tmp_path: Path) -> None:
    """Only gateways have either."""
    found = read_configuration(tmp_path, [], outage("a key", tls=True), 30)
    gateway, model_server = sorted(found["scrape_configs"], key=lambda job: str(job["job_name"]))
    assert Path(gateway["authorization"]["credentials_file"]).read_text() == "a key"
    assert gateway["scheme"] == "https"
    assert not {"scheme", "authorization"} & model_server.keys()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (apt-get install prometheus)")
def test_there_were_days_of_good_traffic(tmp_path: Path) -> None:
    """A sample for each evaluation of three days: so many good requests a second, none that failed or was slow."""
    write_history(tmp_path, tmp_path / "data", rate=10.0, interval="15s", factor=600)
    (tmp_path / "data" / "wal").mkdir()  # promtool reads no database without one
    dumped = subprocess.run(["promtool", "tsdb", "dump", tmp_path / "data"], capture_output=True, text=True, check=True)
    lines = [line.split() for line in dumped.stdout.splitlines()]
    samples = Counter((name.split('"')[1], float(value)) for name, value, *_ in lines)
    assert samples == {
        ("graft:requests_valid:rate5m", 10.0): 17280,
        ("graft:requests_timed:rate5m", 10.0): 17280,
        ("graft:requests_failed:rate5m", 0.0): 17280,
        ("graft:requests_slow:rate5m", 0.0): 17280,
    }
