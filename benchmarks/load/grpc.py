"""Many gRPC requests over kept connections, with as little of the client in the way as Python allows."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc.aio

from contract import serving_messages as messages


@dataclass(frozen=True)
class Load:
    """What one round of requests took; `latencies` in seconds, in no order."""

    seconds: float
    latencies: list[float]

    @property
    def per_second(self) -> float:
        """Completed requests per second."""
        return len(self.latencies) / self.seconds


def predict_bytes(model: str, image: bytes, *outputs: str) -> bytes:
    """Return a Predict request for one image, for `outputs` or all outputs."""
    request = messages.PredictRequest(model_spec={"name": model}, output_filter=outputs)
    request.inputs["image_bytes"].CopyFrom(messages.string_tensor([image]))
    serialized: bytes = request.SerializeToString()
    return serialized


async def send(port: int, requests: Sequence[bytes], clients: int, seconds: float) -> Load:
    """Send Predict requests for about `seconds` from clients with a connection each, one after another.

    Raises:
        grpc.RpcError: one failed.
    """
    turns = itertools.cycle(requests)
    latencies: list[float] = []

    async def work(number: int) -> None:
        options: list[tuple[str, Any]] = [("grpc.use_local_subchannel_pool", 1), ("bench.client", number)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options) as channel:
            call = channel.unary_unary(f"/{messages.PREDICTION_SERVICE}/Predict", bytes, bytes)
            started = began
            while not started > end:  # once at least
                started = time.perf_counter()
                await call(next(turns))
                latencies.append(time.perf_counter() - started)

    began = time.perf_counter()
    end = began + seconds
    await asyncio.gather(*(work(number) for number in range(clients)))
    return Load(time.perf_counter() - began, latencies)
