"""Observations of requests that were never sent, for tests of what is done with one."""

from typing import Any

from gateway.observability.metrics import Metrics
from gateway.observability.observation import Observation


def observation_of(request_id: str = "id", **noted: Any) -> Observation:
    """Return an observation of a native request, of which this was noted."""
    observation = Observation(request_id, "native", Metrics(()).requests)
    for name, value in noted.items():
        setattr(observation, name, value)
    return observation
