"""What a route needs to answer: made once by the wiring, found at `request.state.services`."""

from dataclasses import dataclass

from gateway.admission import Admission
from gateway.circuit import Circuits
from gateway.drift import DriftMonitor
from gateway.metrics import Metrics
from gateway.model_client import ModelClient
from gateway.model_versions import ModelVersions
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
