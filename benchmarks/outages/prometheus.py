"""The project's Prometheus with a faster clock: its rules and its configuration, but for times and targets."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from benchmarks.load.prometheus import PrometheusError, started_prometheus
from benchmarks.outages.clock import shortened, shortened_rules
from benchmarks.outages.history import write_history
from benchmarks.outages.scenario import Outage
from tests.places import ROOT

FOLDER = ROOT / "deploy" / "prometheus"
RULE_FILES = sorted((FOLDER / "rules").glob("*.yml"))
LOOKBACK = "5m"
"""For how long Prometheus takes the last sample of a series for its value; its own default."""


@dataclass(frozen=True)
class Firing:
    """An alert that fires now."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """What tells it from others."""
        return tuple(sorted(self.labels.items()))


class Watcher:
    """A client of the running Prometheus; each method raises PrometheusError if it does not respond."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def firing(self) -> list[Firing]:
        """Return the alerts that fire."""
        found = self._data("alerts")["alerts"]
        return [Firing(each["labels"], each["annotations"]) for each in found if each["state"] == "firing"]

    def rule_errors(self) -> tuple[str, ...]:
        """Return the rules that could not be computed the last time, with the reason."""
        rules = [rule for group in self._data("rules")["groups"] for rule in group["rules"]]
        return tuple(f"{rule['name']}, {rule['lastError']}" for rule in rules if rule["health"] == "err")

    def targets_up(self) -> int:
        """Return how many targets were scraped the last time."""
        return sum(each["health"] == "up" for each in self._data("targets")["activeTargets"])

    def _data(self, path: str) -> Any:
        try:
            return self._client.get(f"/api/v1/{path}").raise_for_status().json()["data"]
        except httpx.HTTPError as error:
            raise PrometheusError(f"Prometheus does not respond: {error or repr(error)}.") from error


@contextlib.contextmanager
def watching(folder: Path, outage: Outage, rate: float, factor: float) -> Iterator[Watcher]:
    """Run Prometheus on the targets of a service until the `with` ends; before, `rate` requests a second were good.

    Raises:
        PrometheusError: it does not start.
        ClockError: a rule has something that may be a time.
    """
    folder.mkdir(parents=True)
    files = write_rules(folder, factor)
    configuration = read_configuration(folder, files, outage, factor)
    interval = configured()["global"]["evaluation_interval"]
    write_history(folder, folder / "data", rate=rate, interval=interval, factor=factor)
    flags = (f"--query.lookback-delta={shortened(LOOKBACK, factor)}",)
    with started_prometheus(folder, configuration, flags) as client:
        yield Watcher(client)


def configured() -> dict[str, Any]:
    """Return the project's configuration."""
    found: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    return found


def write_rules(folder: Path, factor: float) -> list[Path]:
    """Write the project's rules with shortened times to `folder`, and return the files."""
    written = []
    for path in RULE_FILES:
        content = shortened_rules(yaml.safe_load(path.read_text(encoding="utf-8")), factor)
        written.append(folder / f"rules-{path.name}")
        written[-1].write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return written


def read_configuration(folder: Path, rules: Sequence[Path], outage: Outage, factor: float) -> dict[str, Any]:
    """Return the project's configuration with shortened times, for the targets of a service."""
    made = configured()
    made["global"] = {name: shortened(length, factor) for name, length in made["global"].items()}
    made["alerting"] = {}
    made["rule_files"] = [str(path) for path in rules]
    (folder / "key").write_text(outage.key, encoding="utf-8")
    jobs = [job for job in made["scrape_configs"] if job["job_name"] in outage.targets]
    for job in jobs:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": list(outage.targets[job["job_name"]])}]
        _set_credentials(job, outage, folder / "key")
    made["scrape_configs"] = jobs
    return made


def _set_credentials(job: dict[str, Any], outage: Outage, key: Path) -> None:
    if outage.key and "authorization" in job:
        job["authorization"]["credentials_file"] = str(key)
    else:
        job.pop("authorization", None)
    if outage.tls and job["job_name"] == "gateway":
        job |= {"scheme": "https", "tls_config": {"insecure_skip_verify": True}}
