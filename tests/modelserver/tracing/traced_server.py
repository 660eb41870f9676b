"""A model server as a process of its own that sends its spans to a receiver, and calls with a trace context."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt

from contract import serving_messages as messages
from tests.fakes.collector.spans import ReceivedSpan, SpanReceiver
from tests.fakes.tensors import to_tensor
from tests.gateway.waiting import wait_until

PARENT = "b7ad6b7169203331"
PREDICT = f"{messages.PREDICTION_SERVICE}/Predict"


def context(trace: str, flags: str = "01") -> tuple[tuple[str, str], ...]:
    """Return the metadata of a caller in a trace."""
    return (("traceparent", f"00-{trace}-{PARENT}-{flags}"), ("tracestate", "vendor=1"))


@dataclass(frozen=True)
class TracedServer:
    """A model server that is traced, a channel to it, and who receives its spans."""

    process: "subprocess.Popen[str]"
    channel: grpc.Channel
    receiver: SpanReceiver

    def send(self, method: str, request: Any, metadata: Any = (), seconds: float = 60) -> Any:
        """Start a call of a full method name; its response, as bytes, is a future."""
        call = self.channel.unary_unary(
            f"/{method}", request_serializer=lambda message: message.SerializeToString(), response_deserializer=bytes
        )
        return call.future(request, timeout=seconds, metadata=metadata, wait_for_ready=True)

    def predict(
        self, name: str, inputs: Mapping[str, npt.NDArray[Any]], metadata: Any = (), seconds: float = 60, **spec: str
    ) -> Any:
        """Start a Predict call; its response is a future."""
        tensors = {key: to_tensor(array) for key, array in inputs.items()}
        request = messages.PredictRequest(inputs=tensors, model_spec={"name": name, **spec})
        return self.send(PREDICT, request, metadata, seconds)

    def wait_for_version(self, name: str) -> None:
        """Return once a version of the model is served."""

        def is_served() -> bool:
            request = messages.GetModelStatusRequest(model_spec={"name": name})
            response = self.send(f"{messages.MODEL_SERVICE}/GetModelStatus", request).result()
            statuses = messages.GetModelStatusResponse.FromString(response).model_version_status
            return any(messages.VersionState.Name(each.state) == "AVAILABLE" for each in statuses)

        wait_until(is_served, 120)

    def tree(self, trace: str, names: set[str]) -> dict[str, ReceivedSpan]:
        """Return the spans of a trace by name once exactly these came, each once."""
        wait_until(lambda: names <= {each.name for each in self.spans(trace)})
        found = {each.name: each for each in self.spans(trace)}
        assert set(found) == names
        assert len(found) == len(self.spans(trace))
        return found

    def spans(self, trace: str) -> list[ReceivedSpan]:
        """Return the spans of a trace that have come."""
        return [each for each in self.receiver.spans if each.trace_id == trace]


@contextmanager
def traced_server(
    base_path: Path, receiver: SpanReceiver, *flags: str, collector: str = "", **variables: str
) -> Iterator[TracedServer]:
    """Serve a model under its folder's name until the `with` ends, with spans for a receiver, or for a `collector`."""
    command = [sys.executable, "-m", "graft", "modelserver", "--port=0", "--tracing", f"--model_name={base_path.name}"]
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector or receiver.address}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        **variables,
    }
    with subprocess.Popen(
        [*command, f"--model_base_path={base_path}", *flags],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().rpartition(":")[2]
            with grpc.insecure_channel(f"127.0.0.1:{int(port)}") as channel:
                server = TracedServer(process, channel, receiver)
                server.wait_for_version(base_path.name)
                yield server
        finally:
            process.kill()


def images(*contents: bytes) -> dict[str, npt.NDArray[Any]]:
    """Return the inputs of a request for these images."""
    rows = np.empty(len(contents), np.object_)
    rows[:] = contents
    return {"image_bytes": rows}
