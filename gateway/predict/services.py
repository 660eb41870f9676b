"""What a route needs to respond: made once by the wiring, and part of every request's context."""

from dataclasses import dataclass

from gateway.admission.circuit import Circuits
from gateway.admission.concurrency import Admission
from gateway.backend.model_client import ModelClient
from gateway.backend.model_versions import ModelVersions
from gateway.drift.monitor import DriftMonitor
from gateway.observability.metrics import Metrics
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one running gateway. All of them live as long as its event loop."""

    settings: Settings
    client: ModelClient
    versions: ModelVersions
    admission: Admission
    circuits: Circuits
    metrics: Metrics
    drift: DriftMonitor
