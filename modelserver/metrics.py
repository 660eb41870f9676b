"""What the model server counts and times, under TensorFlow Serving's names and in its units.

Series carry the version beside TensorFlow Serving's labels, so that a new version can be compared with the old one.
Label values come from bounded sets, whatever callers send.
"""

import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from contract.process.standard_streams import dropped_lines
from contract.serving_messages import ModelSpec
from modelserver.errors import ServingError
from modelserver.status_codes import STATUS_OF

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

UNKNOWN_MODEL = "unknown"

_MICROSECONDS = tuple(10 * 1.8**power for power in range(33))
"""TensorFlow Serving's buckets: from 10 µs, each 1.8 times the one before, to 25 minutes."""

# prometheus-client appends `_total` to the names of counters and adds series `_created`, which the real names lack.
_APPENDED = re.compile(r"^((?:# \w+ )?:[\w:]+)_total(?=[ {])", re.MULTILINE)
_CREATED = re.compile(r"^(?:# \w+ )?[\w:]+_created[ {].*\n", re.MULTILINE)


class ModelServerMetrics:
    """One server's metrics, in a registry of their own; safe to use from several threads at once.

    `is_known` tells which names may appear as a model; any other becomes `unknown`.
    """

    def __init__(self, is_known: Callable[[str], bool]) -> None:
        self._is_known = is_known
        self._registry = CollectorRegistry()
        self._registry.register(_DroppedLines())
        self._page = make_wsgi_app(self._registry, disable_compression=True)
        self._requests = self._counter(
            ":tensorflow:serving:request_count", "Finished requests, by status.", "model_name", "status", "version"
        )
        self._request_micros = self._histogram(
            ":tensorflow:serving:request_latency",
            "Microseconds from a decoded request to its response, of those that went well.",
            *("model_name", "API", "entrypoint", "version"),
        )
        self._graph_runs = self._counter(
            ":tensorflow:core:graph_runs", "Runs of graphs that went well, also to warm up."
        )
        self._graph_micros = self._counter(":tensorflow:core:graph_run_time_usecs", "Microseconds spent in them.")
        self._loads = self._counter(
            ":tensorflow:cc:saved_model:load_attempt_count", "Versions that were loaded.", "model_path", "status"
        )
        self._load_micros = self._counter(
            ":tensorflow:cc:saved_model:load_latency", "Microseconds that loading took.", "model_path"
        )
        self._warmup_micros = self._histogram(
            ":tensorflow:serving:model_warmup_latency", "Microseconds that warm-up took.", "model_path", "status"
        )

        self._decoders = self._counter(
            "graft_modelserver_image_decoders_total",
            "Versions that were loaded for LiteRT, by what decodes their images: own, proved equal, or tensorflow.",
            *("model_path", "decoder"),
        )
        self._left_to_tensorflow = self._counter(
            "graft_modelserver_images_left_to_tensorflow_total",
            "Images of kinds that only TensorFlow decodes, where others are decoded without it.",
            "kind",
        )

    def counted(self, api: str, method: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Coroutine[Any, Any, Any]]:
        """Return `method`, which takes a request and may raise a ServingError, so that its calls are counted."""

        async def count_call(request: Any) -> Any:
            started = time.perf_counter()
            try:
                response = await method(request)
            except ServingError as error:
                self._count_failure(_model_of(request), error)
                raise
            version = str(_spec_of(response).version.value)
            self._requests.labels(_model_of(request), "OK", version).inc()
            micros = (time.perf_counter() - started) * 1e6
            self._request_micros.labels(_model_of(request), api, "GRPC", version).observe(micros)
            return response

        return count_call

    def count_run(self, seconds: float) -> None:
        """Count one run of a graph."""
        self._graph_runs.inc()
        self._graph_micros.inc(round(seconds * 1e6))

    def count_load(self, folder: Path, seconds: float, *, ok: bool) -> None:
        """Count one load of the version in `folder`, without its warm-up; only those that went well are timed."""
        self._loads.labels(str(folder), "success" if ok else "fail").inc()
        if ok:
            self._load_micros.labels(str(folder)).inc(round(seconds * 1e6))

    def count_warmup(self, folder: Path, seconds: float, *, ok: bool) -> None:
        """Count one warm-up of the version in `folder`."""
        self._warmup_micros.labels(str(folder), "success" if ok else "fail").observe(seconds * 1e6)

    def count_decoder(self, folder: Path, *, proved: bool) -> None:
        """Count the version in `folder` by whether its images are decoded without TensorFlow."""
        self._decoders.labels(str(folder), "own" if proved else "tensorflow").inc()

    def count_left_to_tensorflow(self, kind: str) -> None:
        """Count an image that is not decoded without TensorFlow; there are few kinds."""
        self._left_to_tensorflow.labels(kind).inc()

    def page(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Be a WSGI application that shows everything in Prometheus's text format, whatever the client accepts."""
        in_text_format = {**environ, "HTTP_ACCEPT": ""}  # OpenMetrics would require the suffixes
        text = b"".join(self._page(in_text_format, start_response)).decode()
        return [_APPENDED.sub(r"\1", _CREATED.sub("", text)).encode()]

    def _count_failure(self, model: str, error: ServingError) -> None:
        name = model if self._is_known(model) else UNKNOWN_MODEL
        self._requests.labels(name, STATUS_OF[type(error)].name, "").inc()

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(name, about, labels, registry=self._registry)

    def _histogram(self, name: str, about: str, *labels: str) -> Histogram:
        return Histogram(name, about, labels, buckets=_MICROSECONDS, registry=self._registry)


class _DroppedLines(Collector):
    """The counter that TensorFlow Serving does not have."""

    def collect(self) -> Iterable[Metric]:
        about = "Lines of the log that could not be written."
        yield CounterMetricFamily("graft_modelserver_log_lines_dropped", about, value=dropped_lines())


def _model_of(request: Any) -> str:
    return str(_spec_of(request).name)


def _spec_of(message: Any) -> Any:
    """Return the ModelSpec of a request or a response; that of the first task or result where there are several."""
    parts = getattr(message, "tasks", getattr(message, "results", [message]))
    return parts[0].model_spec if parts else ModelSpec()
