"""A Prometheus that really scrapes, configured by the file in the tree but for the targets and the intervals."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from benchmarks.load.prometheus import started_prometheus
from tests.deploy.prometheus_rules import CONFIGURATION, RULE_FILES


@dataclass(frozen=True)
class Series:
    """One series of an answer: its labels, and its value now."""

    labels: dict[str, str]
    value: float


class Prometheus:
    """A client of a running Prometheus."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.url = str(client.base_url)

    def query(self, expression: str) -> list[Series]:
        """Return the series that a query gives now.

        Raises:
            AssertionError: Prometheus refuses the query.
        """
        found = self.send("query", query=expression)["result"]
        return [Series(each["metric"], float(each["value"][1])) for each in found]

    def label_values(self, label: str, match: str) -> list[str]:
        """Return the values of a label in the series that match."""
        values: list[str] = self.send(f"label/{label}/values", **{"match[]": match})
        return values

    def send(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer of the HTTP API."""
        response = self._client.get(f"/api/v1/{path}", params=parameters).json()
        assert response["status"] == "success", f"{parameters}: {response}"
        return response["data"]


@contextmanager
def running_prometheus(folder: Path, key: str, **targets: str) -> Iterator[Prometheus]:
    """Run Prometheus in `folder` until the `with` ends; `targets` are HOST:PORT of the jobs, `-` written as `_`."""
    with started_prometheus(folder, _configuration(folder, key, targets)) as client:
        yield Prometheus(client)


def _configuration(folder: Path, key: str, targets: dict[str, str]) -> dict[str, Any]:
    configuration: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text())
    # a scrape may take as long as the interval: on a busy machine one second can be too short
    configuration["global"] = {"scrape_interval": "2s", "evaluation_interval": "1s"}
    configuration["alerting"] = {}
    configuration["rule_files"] = [str(path) for path in RULE_FILES]
    (folder / "key").write_text(key)
    named = {name.replace("_", "-") for name in targets}
    configuration["scrape_configs"] = [job for job in configuration["scrape_configs"] if job["job_name"] in named]
    for job in configuration["scrape_configs"]:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [targets[job["job_name"].replace("-", "_")]]}]
        if "authorization" in job:
            job["authorization"]["credentials_file"] = str(folder / "key")
    return configuration
