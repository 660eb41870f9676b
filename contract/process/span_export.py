"""Spans of one process, sent by OpenTelemetry over OTLP (gRPC), configured by its standard `OTEL_*` variables.

Needs the extra `tracing`; a program imports this only where tracing is on.
"""

import os
import threading
from collections.abc import Mapping
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

_UNNAMED = "unknown_service"
_LAST_WORDS_SECONDS = 3.0
_POSSIBLE = {
    "OTEL_TRACES_EXPORTER": ("otlp",),
    "OTEL_EXPORTER_OTLP_PROTOCOL": ("grpc",),
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": ("grpc",),
    "OTEL_TRACES_SAMPLER": (
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ),
}
_RATIO = "OTEL_TRACES_SAMPLER_ARG"


def unsupported_variable(variables: Mapping[str, str] = os.environ) -> str | None:
    """Return a sentence about a standard variable that selects what is not supported; None if there is none.

    OpenTelemetry itself would only write a warning, and send other spans than those that were meant.
    """
    for name, possible in _POSSIBLE.items():
        if variables.get(name, "").lower() not in ("", *possible):
            supported = f"only {possible[0]} is" if len(possible) == 1 else f"{', '.join(possible)} are"
            return f"{name} is {variables[name]!r}; {supported} supported."
    ratio = variables.get(_RATIO, "")
    if ratio and "ratio" in variables.get("OTEL_TRACES_SAMPLER", "") and not _is_share(ratio):
        return f"{_RATIO} is {ratio!r}; give the share of traces to keep, from 0 to 1."
    return None


class SpanExport:
    """Exports the spans of one process under the name of a service; starts a thread, which alone waits for a collector.

    Spans that a collector does not take in time are dropped (`OTEL_BSP_MAX_QUEUE_SIZE`, 2,048, may wait).
    """

    def __init__(self, service: str, scope: str) -> None:
        self._provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self.tracer = self._provider.get_tracer(scope, version("graft-serving"))

    def close(self) -> None:
        """Send the remaining spans, for at most three seconds, and stop."""
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)  # its own timeout is not reliable
        ending.start()
        ending.join(_LAST_WORDS_SECONDS)


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def _resource(service: str) -> Resource:
    """Return the resource from the variables, with the name of the service if they set none."""
    told = Resource.create()
    name = str(told.attributes.get(SERVICE_NAME, _UNNAMED))
    own = {SERVICE_VERSION: version("graft-serving")}
    if name.startswith(_UNNAMED):
        own[SERVICE_NAME] = service
    return told.merge(Resource(own))
