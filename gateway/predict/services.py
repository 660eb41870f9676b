"""The services that routes use: created once at start, and part of every request's context."""

from dataclasses import dataclass

from gateway.admission.circuit import Circuits
from gateway.admission.concurrency import Admission
from gateway.admission.held_bytes import ByteBudget
from gateway.backend.model_client import ModelClient
from gateway.backend.model_versions import ModelVersions
from gateway.drift.monitor import DriftMonitor
from gateway.observability.metrics import Metrics
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """The services of one running gateway, which live as long as its event loop."""

    settings: Settings
    client: ModelClient
    versions: ModelVersions
    admission: Admission
    held_bytes: ByteBudget
    circuits: Circuits
    metrics: Metrics
    drift: DriftMonitor
