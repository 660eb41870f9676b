"""The service that is broken: a model server, two gateways in front of it, and traffic, as processes and real calls."""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.outages.processes import Gateway, ModelServer, Probe
from benchmarks.outages.scenario import Outage
from benchmarks.outages.stage import Stage
from benchmarks.outages.traffic import Traffic
from tests.places import ROOT

_MONITORING = ROOT / "deploy" / "tensorflow-serving" / "monitoring.config"
_PROBE_EVERY_SECONDS = 60.0
"""The default of `graft probe`."""
_SETTINGS = ("log_format=json", "page=false")


@dataclass(frozen=True)
class Service:
    """The running processes, and the folder of the model's versions."""

    model_server: ModelServer
    gateways: Sequence[Gateway]
    base_path: Path

    @property
    def targets(self) -> dict[str, list[str]]:
        """HOST:PORT by job of Prometheus."""
        return {
            "gateway": [gateway.address for gateway in self.gateways],
            "model-server": [f"127.0.0.1:{self.model_server.metrics_port}"],
        }

    @property
    def urls(self) -> list[str]:
        """Where the gateways serve."""
        return [gateway.url for gateway in self.gateways]

    def restart_gateways(self) -> float:
        """Restart one gateway after another, as a rolling update does; return when the first one served again."""
        served = []
        for gateway in self.gateways:
            gateway.restart()
            served.append(time.monotonic())
        return served[0]

    def facts(self, name: str) -> dict[str, str]:
        """Return what texts of alerts may have to name."""
        return {
            "the model": name,
            "the first gateway": self.gateways[0].address,
            "the second gateway": self.gateways[-1].address,
        }


def started_service(
    stage: Stage,
    *,
    gateways: int = 2,
    settings: Sequence[str] = (),
    arguments: Sequence[str] = (),
    logs: Path | None = None,
    tls: bool = False,
) -> Service:
    """Start a model server with a copy of the stage's version, and gateways; they end with the stage.

    `settings` hold for every start, `arguments` for the first one alone. `logs` is where the logs go.

    Raises:
        SystemFailedError: one does not start.
    """
    base_path = stage.folder / "models" / stage.name
    shutil.copytree(stage.version, base_path / "1")
    logs = logs or stage.folder
    model_server = ModelServer(stage.name, base_path, _MONITORING, logs / "modelserver.log")
    stage.stack.callback(model_server.end)
    model_server.start()
    made = [
        Gateway(
            stage.name, model_server.address, logs / f"gateway-{number}.log", tls=tls, settings=(*_SETTINGS, *settings)
        )
        for number in range(1, gateways + 1)
    ]
    for gateway in made:
        stage.stack.callback(gateway.end)
        gateway.begin(*arguments)
    for gateway in made:
        gateway.wait(gateway.is_ready)
    return Service(model_server, made, base_path)


def with_traffic(
    stage: Stage,
    service: Service,
    *,
    urls: Sequence[str] = (),
    credentials: Sequence[Mapping[str, str]] = ({},),
    key: str = "",
    tls: bool = False,
    probe_arguments: Sequence[str] = (),
) -> Outage:
    """Let traffic flow to the gateways, or to `urls`, beside a probe, and return an outage that breaks nothing yet."""
    urls = urls or service.urls
    interval = max(_PROBE_EVERY_SECONDS / stage.factor, 1.0)  # a second is the shortest there is
    probe = Probe(stage.name, urls[0], stage.folder / "probe.log", [f"--interval={interval:g}", *probe_arguments])
    stage.stack.callback(probe.end)
    probe.start()
    traffic = Traffic(urls, stage.images, stage.rate, credentials)
    stage.stack.enter_context(traffic)
    return Outage(
        break_it=lambda: None,
        repair=lambda: None,
        facts=service.facts(stage.name),
        statuses=traffic.statuses,
        targets={**service.targets, "probe": [probe.address]},
        key=key,
        tls=tls,
    )
